"""Defends retention: what anything refers to keeps its media, and a killed prune is finished by the next."""

# ruff: noqa: F811 - fixtures are imported under the names that tests ask for

from __future__ import annotations

import os
import time
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from anime_pipeline.database.models import Recipe, Take
from anime_pipeline.database.session import session_scope
from anime_pipeline.delivery.ledger import record_delivery, record_media
from anime_pipeline.delivery.shown_takes import record_shown_takes
from anime_pipeline.errors import UserError
from anime_pipeline.media.film import Frame
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.takes import TakeError
from anime_pipeline.review.choices import choose_take, release_choice
from anime_pipeline.review.media_references import referred_to
from anime_pipeline.review.pruning import PruneReport, leftovers, prune
from anime_pipeline.review.retention import Policy, RetentionPlan, retention_plan
from anime_pipeline.settings import Settings
from anime_pipeline_tests.quality.conftest import studio  # noqa: F401
from anime_pipeline_tests.quality.studio import EPISODE, SLUG, Studio

ALL_BUT_NEWEST = Policy(keep=1)
_numbers = count(1)


def picture(number: int) -> Frame:
    return np.full((1, 8, 8, 3), number % 256, np.uint8)


def add_takes(studio: Studio, key: str, *pictures: int) -> list[int]:
    """Takes that show these pictures, each judged once; equal pictures are one file."""
    jobs = [studio.take(key, picture(number)) for number in pictures]
    for job_id in jobs:
        judge(studio, key, job_id, "passed")
    # A later verdict on the newest: the gate of the cut tells of that one.
    judge(studio, key, jobs[-1], "passed")
    return jobs


def judge(
    studio: Studio,
    scope_key: str,
    job_id: int | None,
    verdict: str,
    failing: str = "[]",
) -> int:
    """Store a verdict; its id."""
    scope = ("project", "episode", "scene", "cut")[scope_key.count(".")]
    row = studio.session.execute(
        text("""
            INSERT INTO studio.gate_verdicts (project_id, scope, scope_key, job_id, phase, verdict,
                cuts_total, cuts_passed, cuts_failed,
                cuts_unmeasured, thresholds, reason, judged_sha256, failing)
            VALUES (:project, :scope, :key, :job, 'phase_0_animatic', :verdict, 1, 0, 0, 0, '{}', 'so',
                    repeat('0', 64), CAST(:failing AS jsonb)) RETURNING id
        """),
        {
            "project": studio.project.id, "scope": scope, "key": scope_key, "job": job_id,
            "verdict": verdict, "failing": failing,
        },
    ).scalar_one()  # fmt: skip
    studio.session.commit()
    return int(row)


def age_files(settings: Settings, days: float = 2) -> None:
    """Everything in the store was stored long ago."""
    then = time.time() - days * 86_400
    for path in (settings.home / "media").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def planned(
    studio: Studio, policy: Policy | None = ALL_BUT_NEWEST, scope: str | None = None
) -> RetentionPlan:
    with session_scope(studio.settings) as session:
        return retention_plan(session, scope, policy)


def pruned(studio: Studio, policy: Policy | None = ALL_BUT_NEWEST) -> PruneReport:
    age_files(studio.settings)
    return prune(studio.settings, None, policy)


def kept(plan: RetentionPlan) -> dict[int, str | None]:
    return {take.job_id: take.kept for take in plan.takes}


def is_there(studio: Studio, job_id: int) -> bool:
    """Whether the store has all that a take shows."""
    rows = studio.session.execute(
        text("""
            SELECT f.sha256, f.suffix FROM studio.take_media m JOIN studio.media_files f USING (sha256)
            WHERE m.job_id = :job_id AND m.role IN ('film', 'frame')
        """),
        {"job_id": job_id},
    ).all()
    assert rows
    return all(studio.store.exists(row.sha256, row.suffix) for row in rows)


@pytest.fixture
def key(studio: Studio) -> str:
    return studio.cut(10, "still")


def test_losers_lose_their_media_and_nothing_else(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    rows = "SELECT (SELECT count(*) FROM studio.takes), (SELECT count(*) FROM studio.media_files), "
    rows += "(SELECT count(*) FROM studio.take_media)"
    before = studio.session.execute(text(rows)).one()
    report = pruned(studio)
    assert (report.takes, report.files) == (2, 2)
    assert report.bytes == report.plan.bytes > 0
    assert [is_there(studio, job_id) for job_id in jobs] == [False, False, True]
    assert studio.session.execute(text(rows)).one() == before
    again = pruned(studio)
    assert (again.takes, again.files, again.plan.pruned_before) == (0, 0, 2)


def test_a_dry_run_removes_nothing(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    plan = planned(studio)
    assert [take.job_id for take in plan.to_prune] == jobs[:2]
    assert plan.files == 2
    assert all(is_there(studio, job_id) for job_id in jobs)


def test_nothing_is_pruned_unless_asked(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    assert pruned(studio, None).takes == 0
    assert kept(planned(studio, None))[jobs[0]] == "no policy: nothing is pruned unless asked"
    studio.session.execute(text("UPDATE studio.project_profiles SET retention = '{\"keep\": 2}'"))
    studio.session.commit()
    assert pruned(studio, None).takes == 1
    assert not is_there(studio, jobs[0])


def test_each_reason_to_keep(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, *range(1, 9))
    with session_scope(studio.settings) as session:
        session.execute(text("UPDATE studio.takes SET selected = TRUE WHERE job_id = :j"), {"j": jobs[0]})
    failing = f'[{{"cut_key": "{key}", "job_id": {jobs[1]}}}]'
    judge(studio, EPISODE, None, "failed", failing)
    old = judge(studio, SLUG, None, "failed", failing.replace(str(jobs[1]), str(jobs[2])))
    judge(studio, SLUG, None, "passed")
    deliver(studio, [jobs[3]])
    reproduce(studio, jobs[4])
    recipe_uses(studio, jobs[5])
    found = kept(planned(studio))
    assert [found[job_id] for job_id in jobs] == [
        "selected",
        "a gate's verdict tells of it",
        None,
        "shown by a delivery",
        "compared with another rendering of it",
        "a recipe or the story uses its picture",
        None,
        "the newest of its cut",
    ]
    override(studio, old)
    assert kept(planned(studio))[jobs[2]] == "a gate's verdict tells of it"
    assert planned(studio, Policy(keep=3)).reasons["one of the 3 newest"] == 1


def test_a_choice_keeps_a_take_until_it_is_released(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    with session_scope(studio.settings) as session:
        choose_take(session, jobs[0], "Aiko")
    assert kept(planned(studio))[jobs[0]] == "selected"
    with session_scope(studio.settings) as session:
        session.execute(text("UPDATE studio.takes SET selected = FALSE"))
    assert kept(planned(studio))[jobs[0]] == "chosen by a person"
    with session_scope(studio.settings) as session:
        release_choice(session, key)
    assert kept(planned(studio))[jobs[0]] is None


def test_what_is_young_unjudged_or_in_hand_stays(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3, 4)
    unjudged = studio.take(key, picture(5))
    add_takes(studio, key, 6)
    studio.session.execute(
        text("UPDATE jobs SET completed_at = CURRENT_TIMESTAMP - interval '30 minutes' WHERE id = :j"),
        {"j": jobs[0]},
    )
    studio.session.execute(
        text("UPDATE jobs SET completed_at = CURRENT_TIMESTAMP - interval '3 days' WHERE id = :j"),
        {"j": jobs[1]},
    )
    studio.session.execute(
        text("UPDATE studio.render_attempts SET outcome = NULL WHERE job_id = :j"), {"j": jobs[2]}
    )
    studio.session.commit()
    found = kept(planned(studio, Policy(older_than_days=7)))
    assert found[jobs[0]] == "finished less than an hour ago"
    assert found[jobs[1]] == "younger than 7 days"
    assert found[jobs[2]] == "being rendered"
    assert found[jobs[3]] is None
    assert found[unjudged] == "not judged yet"
    assert kept(planned(studio, Policy(older_than_days=2)))[jobs[1]] is None


def test_the_newest_of_each_renderer_stays(studio: Studio, key: str) -> None:
    """Gates of ComfyUI's phases pass over animatics, however new."""
    older = studio.take(key, picture(1), server_kind="comfyui")
    newer = studio.take(key, picture(2), server_kind="comfyui")
    add_takes(studio, key, 3, 4)
    for job_id in (older, newer):
        judge(studio, key, job_id, "passed")
    add_takes(studio, key, 5)
    found = kept(planned(studio))
    assert found[older] is None
    assert found[newer] == "the newest of its cut"


def test_a_file_that_another_take_shows_stays(studio: Studio, key: str) -> None:
    first, second, newest = add_takes(studio, key, 7, 8, 7)
    report = pruned(studio)
    assert (report.takes, report.files) == (2, 1)
    assert is_there(studio, first), "its picture is the newest take's too"
    assert not is_there(studio, second)
    assert is_there(studio, newest)


@pytest.mark.parametrize("place", ["anchor", "scene", "cut", "delivery", "style"])
def test_a_file_that_the_story_names_stays(studio: Studio, key: str, place: str) -> None:
    first, _, _ = add_takes(studio, key, 1, 2, 3)
    name = {"sha": sha_of(studio, first), "location": f"aa/{sha_of(studio, first)}.png"}
    statements = {
        "anchor": "INSERT INTO character_variations (character_id, variation_name, variation_type, "
        "reference_image_path) SELECT id, 'rain', 'outfit', :location FROM characters",
        "scene": "UPDATE scenes SET style_overrides = "
        "jsonb_build_object('background_image', CAST(:location AS text))",
        "cut": "UPDATE studio.cut_profiles SET spec = "
        "jsonb_build_object('first_frame', CAST(:location AS text))",
        "delivery": "INSERT INTO studio.deliveries (scope_key, kind, sha256, content_sha256) "
        "VALUES ('elsewhere.e01', 'subtitles', :sha, :sha)",
        "style": "INSERT INTO studio.style_pictures (project_id, sha256, role) "
        "SELECT project_id, :sha, 'approved' FROM studio.project_profiles",
    }
    studio.session.execute(text("INSERT INTO characters (name) VALUES ('Mika')"))
    studio.session.execute(text(statements[place]), name)
    studio.session.commit()
    pruned(studio)
    assert studio.store.exists(name["sha"], ".png")


def test_a_take_that_is_selected_while_another_prunes_stays(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    plan = planned(studio)
    assert jobs[0] in [take.job_id for take in plan.to_prune]
    with session_scope(studio.settings) as session:
        choose_take(session, jobs[0], "Aiko")
    pruned(studio)
    assert is_there(studio, jobs[0])
    studio.session.expire_all()
    with pytest.raises(IntegrityError, match="takes_pruned_unselected"):
        studio.session.execute(
            text("UPDATE studio.takes SET pruned_at = CURRENT_TIMESTAMP WHERE job_id = :j"), {"j": jobs[0]}
        )
    studio.session.rollback()


def test_a_pruned_take_cannot_be_chosen(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2)
    pruned(studio)
    with session_scope(studio.settings) as session, pytest.raises(TakeError, match="pruned") as caught:
        choose_take(session, jobs[0], "Aiko")
    assert f"anime-pipeline reproduce {jobs[0]}" in str(caught.value.remedy)


def test_a_file_that_is_stored_again_meanwhile_stays(studio: Studio, key: str) -> None:
    jobs = add_takes(studio, key, 1, 2, 3)
    age_files(studio.settings)
    path = studio.store.local_path(sha_of(studio, jobs[0]), ".png")
    studio.store.put_bytes(
        path.read_bytes(), ".png"
    )  # a worker stores the same picture and has yet to record it
    report = prune(studio.settings, None, ALL_BUT_NEWEST)
    assert (report.takes, report.files, report.waiting) == (2, 1, 1)
    assert is_there(studio, jobs[0])
    assert pruned(studio).files == 1, "the next prune takes it, since nobody recorded it"
    assert not is_there(studio, jobs[0])


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("removals", range(4))
def test_a_killed_prune_is_finished_by_the_next(
    studio: Studio,
    key: str,
    removals: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = add_takes(studio, key, 1, 2, 3, 4, 5)
    remove, done = MediaStore.remove, [0]

    def killed_after(self: MediaStore, sha256: str, suffix: str, young_seconds: float = 3600.0) -> int | None:
        if done[0] == removals:
            raise Killed
        done[0] += 1
        return remove(self, sha256, suffix, young_seconds)

    with monkeypatch.context() as patch:
        patch.setattr(MediaStore, "remove", killed_after)
        with pytest.raises(Killed):
            pruned(studio)
    assert sum(not is_there(studio, job_id) for job_id in jobs) == removals
    with session_scope(studio.settings) as session:
        marked = session.scalars(text("SELECT job_id FROM studio.takes WHERE pruned_at IS NOT NULL")).all()
    assert sorted(marked) == jobs[:-1], "no file goes before its take is marked"
    report = pruned(studio)
    assert report.files == 4 - removals
    assert [is_there(studio, job_id) for job_id in jobs] == [False] * 4 + [True]
    assert pruned(studio).files == 0


def test_leftovers_of_the_killed_go_after_a_day(studio: Studio) -> None:
    incoming = studio.settings.home / "media" / ".incoming"
    film = studio.settings.home / "tmp" / "film-abc"
    young = studio.settings.home / "tmp" / "film-young"
    for folder in (incoming, film, young):
        folder.mkdir(parents=True)
    (incoming / ".dead.part.png").write_bytes(b"half")
    (film / "film.mp4").write_bytes(b"half")
    then = time.time() - 2 * 86_400
    for path in (incoming / ".dead.part.png", film / "film.mp4", film):
        os.utime(path, (then, then))
    assert {path.name for path in leftovers(studio.settings)} == {".dead.part.png", "film-abc"}
    assert prune(studio.settings).leftovers == 2
    assert not film.exists()
    assert young.exists()
    assert leftovers(studio.settings) == []


def test_a_policy_keeps_at_least_the_newest() -> None:
    for wrong in ({"keep": 0}, {"older_than_days": -1}):
        with pytest.raises(UserError):
            Policy(**wrong)  # type: ignore[arg-type]


def test_a_scope_bounds_what_is_pruned(studio: Studio) -> None:
    one, other = studio.cut(10, "still", scene=1), studio.cut(10, "still", scene=2)
    add_takes(studio, one, 1, 2)
    losers = add_takes(studio, other, 3, 4)
    plan = planned(studio, scope=f"{EPISODE}.s002")
    assert [take.job_id for take in plan.to_prune] == losers[:1]


OPERATIONS = ("select", "choose", "release", "verdict", "deliver", "reproduce", "recipe", "take", "prune")


@examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 50)), min_size=4, max_size=14))
def test_whatever_happens_nothing_that_is_referred_to_is_removed(
    studio: Studio,
    operations: list[tuple[str, int]],
) -> None:
    key = studio.cut(next(_numbers), "still", scene=9)
    jobs = add_takes(studio, key, 1, 2, 3, 2)
    for operation, choice in [*operations, ("prune", 0)]:
        happen(studio, key, jobs, operation, jobs[choice % len(jobs)], choice)
        check(studio)


def happen(studio: Studio, key: str, jobs: list[int], what: str, job_id: int, choice: int) -> None:
    if what == "take":
        jobs.extend(add_takes(studio, key, choice % 5))
    elif what == "prune":
        pruned(studio, Policy(keep=1 + choice % 2))
    elif what == "verdict":
        judge(studio, EPISODE, None, "failed", f'[{{"cut_key": "{key}", "job_id": {job_id}}}]')
    elif what == "release":
        with session_scope(studio.settings) as session:
            release_choice(session, key)
    elif not is_pruned(studio, job_id):
        if what == "choose":
            with session_scope(studio.settings) as session:
                choose_take(session, job_id, "Aiko")
        elif what == "select":
            with session_scope(studio.settings) as session:
                session.execute(text("UPDATE studio.takes SET selected = FALSE WHERE selected"))
                session.execute(
                    text("UPDATE studio.takes SET selected = TRUE WHERE job_id = :j"), {"j": job_id}
                )
        else:
            {"deliver": lambda: deliver(studio, [job_id]), "reproduce": lambda: reproduce(studio, job_id),
             "recipe": lambda: recipe_uses(studio, job_id)}[what]()  # fmt: skip


def check(studio: Studio) -> None:
    """What must hold at any moment."""
    with session_scope(studio.settings) as session:
        whole = session.scalars(
            text("""
                SELECT t.job_id FROM studio.takes t WHERE t.pruned_at IS NULL
                   OR t.selected OR EXISTS (SELECT FROM studio.delivery_takes d WHERE d.job_id = t.job_id)
                   OR EXISTS (SELECT FROM studio.take_choices c
                              WHERE c.job_id = t.job_id AND c.released_at IS NULL)
            """)
        ).all()
        files = {
            row.sha256: row.suffix
            for row in session.execute(text("SELECT sha256, suffix FROM studio.media_files"))
        }
        referred = referred_to(session, files.keys())
    assert all(is_there(studio, job_id) for job_id in whole)
    assert all(studio.store.exists(sha256, files[sha256]) for sha256 in referred)


def is_pruned(studio: Studio, job_id: int) -> bool:
    with session_scope(studio.settings) as session:
        return (
            session.scalar(text("SELECT pruned_at FROM studio.takes WHERE job_id = :j"), {"j": job_id})
            is not None
        )


def sha_of(studio: Studio, job_id: int) -> str:
    return str(
        studio.session.scalar(
            text("SELECT sha256 FROM studio.take_media WHERE job_id = :j AND role = 'film'"), {"j": job_id}
        )
    )


def deliver(studio: Studio, job_ids: list[int]) -> None:
    with session_scope(studio.settings) as session:
        stored = studio.store.put_bytes(f"a film of {job_ids}".encode(), ".mp4")
        record_media(session, stored, "video")
        record_delivery(session, EPISODE, "master", stored.sha256, stored.sha256)
        record_shown_takes(session, EPISODE, "master", job_ids)


def reproduce(studio: Studio, job_id: int) -> None:
    take = studio.session.get_one(Take, job_id)
    key = studio.session.scalar(
        text("SELECT cut_key FROM studio.cut_profiles WHERE cut_id = :c"), {"c": take.cut_id}
    )
    second = studio.take(str(key), picture(100 + job_id))
    studio.session.execute(
        text("UPDATE studio.takes SET reproduces_job_id = :j WHERE job_id = :s"), {"j": job_id, "s": second}
    )
    studio.session.commit()


def recipe_uses(studio: Studio, job_id: int) -> None:
    sha = sha_of(studio, job_id)
    studio.add(
        Recipe(
            recipe_hash=f"{next(_numbers):063x}e", workflow={}, inputs={f"{sha}.png": sha},
            template_name="onward", template_sha256="0" * 64,
        )
    )  # fmt: skip


def override(studio: Studio, verdict_id: int) -> None:
    studio.session.execute(
        text("""
            INSERT INTO studio.gate_overrides (scope_key, phase, verdict_id, verdict, verdict_reason,
                judged_sha256, overridden_by, reason)
            VALUES ('x', 'phase_0_animatic', :v, 'failed', 'so', repeat('0', 64), 'Aiko', 'as is')
        """),
        {"v": verdict_id},
    )
    studio.session.commit()
