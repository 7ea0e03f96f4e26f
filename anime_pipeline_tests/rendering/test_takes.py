"""Defends the choice of takes: only passed takes of today's story, among which a person's choice stands."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.takes import TakeError, TakeInfo, list_takes, select_best, select_take
from anime_pipeline_tests.rendering.studio import Studio, stills


def takes(studio: Studio) -> list[TakeInfo]:
    with session_scope(studio.settings) as session:
        return list_takes(session, studio.keys())


def judge(studio: Studio, job_id: int, verdict: str) -> None:
    with session_scope(studio.settings) as session:
        session.execute(
            text("""
                INSERT INTO studio.gate_verdicts (project_id, scope, scope_key, job_id, phase, verdict,
                    cuts_total, cuts_passed, cuts_failed, cuts_unmeasured, thresholds, reason, judged_sha256)
                SELECT p.project_id, 'cut', p.cut_key, t.job_id, 'phase_0_animatic', :verdict,
                    1, 0, 0, 0, '{}', 'as the test says', repeat('0', 64)
                FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) WHERE t.job_id = :job_id
            """),
            {"verdict": verdict, "job_id": job_id},
        )


def best(studio: Studio) -> list[int | None]:
    with session_scope(studio.settings) as session:
        return list(select_best(session, studio.settings, studio.keys()).values())


def selected(studio: Studio) -> list[int]:
    return [take.job_id for take in takes(studio) if take.selected]


@pytest.fixture
def jobs(studio: Studio) -> list[int]:
    """Three finished takes of one cut; none is judged."""
    studio.import_(stills(1, takes=3))
    return [take.job_id for take in studio.render().finished]


def test_the_newest_passed_take_is_selected(studio: Studio, jobs: list[int]) -> None:
    for job_id, verdict in zip(jobs, ("passed", "passed", "failed"), strict=True):
        judge(studio, job_id, verdict)
    assert best(studio) == [jobs[1]] == selected(studio)
    (row,) = studio.query(
        "SELECT c.output_path, j.output_path AS taken FROM cuts c, jobs j WHERE j.id = :id", id=jobs[1]
    )
    assert row.output_path == row.taken


def test_without_a_passed_take_none_is_selected(studio: Studio, jobs: list[int]) -> None:
    judge(studio, jobs[0], "failed")
    judge(studio, jobs[1], "incomplete")
    assert best(studio) == [None]
    assert selected(studio) == []


def test_only_the_newest_verdict_counts(studio: Studio, jobs: list[int]) -> None:
    judge(studio, jobs[0], "passed")
    assert best(studio) == [jobs[0]]
    judge(studio, jobs[0], "failed")
    assert best(studio) == [None]
    assert selected(studio) == []


def test_a_persons_choice_among_passed_takes_stands(studio: Studio, jobs: list[int]) -> None:
    for job_id in jobs:
        judge(studio, job_id, "passed")
    with session_scope(studio.settings) as session:
        select_take(session, jobs[0])
    assert best(studio) == [jobs[0]] == selected(studio)


def test_a_take_of_an_older_story_makes_way_when_a_new_one_is_finished(studio: Studio) -> None:
    data = stills(1)
    studio.import_(data)
    (old,) = studio.render().finished
    judge(studio, old.job_id, "passed")
    assert best(studio) == [old.job_id]
    data["episodes"][0]["scenes"][0]["mood"] = "tense"
    studio.import_(data)
    assert best(studio) == [old.job_id]  # nothing newer is finished
    (new,) = studio.render().finished
    assert best(studio) == [None]
    judge(studio, new.job_id, "passed")
    assert best(studio) == [new.job_id] == selected(studio)


def test_a_retake_is_of_todays_story_too(studio: Studio, jobs: list[int]) -> None:
    studio.plan(new_takes=True)
    (retake,) = studio.drain().finished
    judge(studio, retake.job_id, "passed")
    assert best(studio) == [retake.job_id]


def test_an_unfinished_take_cannot_be_selected(studio: Studio) -> None:
    studio.import_(stills(1))
    (planned,) = studio.plan()
    assert planned.job_id is not None
    with session_scope(studio.settings) as session, pytest.raises(TakeError, match="not finished"):
        select_take(session, planned.job_id)


def test_a_listing_says_all_of_a_take(studio: Studio, jobs: list[int]) -> None:
    first = takes(studio)[0]
    assert (first.take_number, first.status, first.template_name) == (1, "completed", "animatic-still")
    assert (first.server_kind, first.attempts, first.verdict) == ("preview", 1, None)
    assert first.film is not None
    assert (first.film.kind, first.film.frame_count, first.film.width) == ("image", 1, 64)
