"""Defends second renderings: they are true ones, change nothing of the first, and their verdict holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.reproducibility import record_reproductions
from anime_pipeline.rendering import reproduction
from anime_pipeline.rendering.environment import environment_changes, environment_of_take
from anime_pipeline.rendering.reproduction import ReproductionReport, reproduce
from anime_pipeline.rendering.takes import TakeError, list_takes, select_takes
from anime_pipeline.review.selection import select_best
from anime_pipeline.settings import Settings
from anime_pipeline_tests.rendering.studio import Studio, production, stills


def rendered(studio: Studio, data: dict[str, Any]) -> list[int]:
    studio.import_(data)
    return [take.job_id for take in studio.render().finished]


def one(studio: Studio, job_id: int) -> ReproductionReport:
    (report,) = reproduce(studio.settings, [job_id])
    return report


def disturb(studio: Studio, monkeypatch: pytest.MonkeyPatch, by: int, where: int = 5) -> None:
    """Have the server draw a few values differently from now on."""

    def draw(shot: Any) -> Iterator[np.ndarray[Any, Any]]:
        for frame in studio.artist.draw(shot):
            changed = frame.astype(np.int16)
            changed[:where, :where] += np.where(changed[:where, :where] > 127, -by, by).astype(np.int16)
            yield changed.astype(np.uint8)

    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", draw)


def test_the_same_pixels_are_found_by_rendering_and_not_by_a_cache(studio: Studio) -> None:
    jobs = rendered(studio, production())
    before = studio.renders
    reports = reproduce(studio.settings, jobs)
    assert [report.verdict for report in reports] == ["identical"] * 4
    assert studio.renders == before + 4
    assert all(report.environment == () for report in reports)


def test_a_second_take_stands_for_nothing_and_leaves_the_first_as_it_was(studio: Studio) -> None:
    (job,) = rendered(studio, stills(1))
    second = one(studio, job).second_job_id
    assert studio.states()["c0010"].state == "current"
    assert studio.states()["c0010"].job_id == job
    (plan,) = studio.plan()
    assert (plan.state, plan.job_id) == ("current", job)
    with session_scope(studio.settings) as session:
        select_best(session, studio.settings, studio.keys())
        takes = {take.job_id: take for take in list_takes(session, studio.keys())}
        assert (takes[second].reproduces_job_id, takes[second].take_number, takes[second].selected) == (
            job,
            2,
            False,
        )
        with pytest.raises(TakeError):
            select_takes(session, [second])
    with pytest.raises(TakeError, match="again"):
        reproduce(studio.settings, [second])
    # A retake gets the next number, and a changed cut is stale by what its first take says.
    (retake,) = studio.retake()
    assert retake.answered_by_take == 3


def test_a_first_take_that_is_gone_is_not_stood_in_for(studio: Studio) -> None:
    (job,) = rendered(studio, stills(1))
    one(studio, job)
    data = stills(1)
    data["bible"]["global_seed"] = 8
    studio.import_(data)
    state = studio.states()["c0010"]
    assert (state.state, state.job_id) == ("stale", job)


@pytest.mark.parametrize(("by", "verdict"), [(1, "equal_within_2"), (2, "equal_within_2"), (40, "different")])
def test_how_far_apart_decides_and_the_picture_shows_where(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, by: int, verdict: str
) -> None:
    (job,) = rendered(studio, stills(1))
    disturb(studio, monkeypatch, by)
    report = one(studio, job)
    assert (report.verdict, report.max_difference, report.worst_frame) == (verdict, by, 0)
    assert report.changed_share == pytest.approx(25 / 64**2)
    assert report.psnr == pytest.approx(10 * np.log10(255**2 / (by**2 * 25 / 64**2)))
    assert report.ssim is not None
    assert 0 < report.ssim < 1
    assert report.environment == (), "nothing has changed that the server tells"
    assert report.difference_sha256 is not None
    path = MediaStore.of(studio.settings).local_path(report.difference_sha256, ".png")
    with Image.open(path) as image:
        shown = np.asarray(image)
    assert shown[:5, :5].min() == 255
    assert shown[5:, 5:].max() == 0
    (row,) = studio.query("SELECT verdict, psnr, difference_sha256 FROM studio.reproductions")
    assert (row.verdict, row.psnr, row.difference_sha256) == (verdict, report.psnr, report.difference_sha256)


def test_a_film_names_its_worst_frame(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    data = production()
    data["episodes"][0]["scenes"][0]["cuts"] = data["episodes"][0]["scenes"][0]["cuts"][3:]
    (job,) = rendered(studio, data)

    def draw(shot: Any) -> Iterator[np.ndarray[Any, Any]]:
        for number, frame in enumerate(studio.artist.draw(shot)):
            yield 255 - frame if number == 4 else frame

    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", draw)
    report = one(studio, job)
    assert (report.verdict, report.worst_frame) == ("different", 4)


def test_a_verdict_that_was_found_outlives_what_comes_after(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its take would be rendered once more."""
    first, second = rendered(studio, stills(2))
    compared = reproduction._compared

    def broken(session: Session, settings: Settings, new: int, old: int, *rest: bool) -> ReproductionReport:
        if old == second:
            raise KeyboardInterrupt
        return compared(session, settings, new, old, *rest)

    monkeypatch.setattr(reproduction, "_compared", broken)
    with pytest.raises(KeyboardInterrupt):
        reproduce(studio.settings, [first, second])
    assert [row.verdict for row in studio.query("SELECT verdict FROM studio.reproductions")] == ["identical"]


def test_a_fault_of_the_server_gives_no_verdict_and_says_why(studio: Studio) -> None:
    (job,) = rendered(studio, stills(1))
    studio.query_none(
        "UPDATE studio.recipes SET workflow = jsonb_set(workflow, '{4,class_type}', '\"Gone\"')"
    )
    report = one(studio, job)
    assert report.verdict == "not_rendered"
    assert "Gone" in report.reason
    changed = {change.field: change.after for change in report.environment}
    assert changed["nodes.Gone"] == "missing"


def test_what_a_take_was_rendered_on_is_recorded_once_for_all_takes_alike(studio: Studio) -> None:
    jobs = rendered(studio, stills(3))
    assert len(studio.query("SELECT 1 FROM studio.render_environments")) == 1
    with session_scope(studio.settings) as session:
        facts = environment_of_take(session, jobs[0])
    assert facts is not None
    assert facts["server"]["kind"] == "preview"
    assert set(facts["nodes"]) >= {"AnimaticShot", "SaveImage"}
    assert all(facts["nodes"].values())


def test_what_has_changed_is_named_by_field() -> None:
    before: dict[str, Any] = {
        "torch": "2.9",
        "devices": ["cuda:0"],
        "nodes": {"KSampler": "a"},
        "models": {"vae/x": {"bytes": 1}},
    }
    after = {"torch": "2.10", "devices": ["cuda:0"], "nodes": {"KSampler": "b"}, "models": {"vae/x": None}}
    assert [(c.field, c.before, c.after) for c in environment_changes(before, after)] == [
        ("models.vae/x", None, None),
        ("models.vae/x.bytes", 1, None),
        ("nodes.KSampler", "a", "b"),
        ("torch", "2.9", "2.10"),
    ][1:]
    assert environment_changes(before, before) == []
    (missing,) = environment_changes(None, after)
    assert (missing.field, missing.before, missing.after) == ("environment", None, "recorded")


def test_the_verdict_is_the_metric_reproducible(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = rendered(studio, stills(2))
    reproduce(studio.settings, [first])
    disturb(studio, monkeypatch, 1)
    reproduce(studio.settings, [second])
    with session_scope(studio.settings) as session:
        assert record_reproductions(session, [first, second]) == [first, second]
    rows = studio.query(
        "SELECT job_id, value, details FROM studio.measurements "
        "WHERE metric_name = 'reproducible' ORDER BY job_id"
    )
    assert [(row.job_id, row.value, row.details["verdict"]) for row in rows] == [
        (first, 1.0, "identical"),
        (second, 0.0, "equal_within_2"),
    ]
    judged = studio.query("SELECT job_id, verdict, missing FROM studio.gate_verdicts ORDER BY job_id")
    assert [row.job_id for row in judged] == [first, second], "verdicts follow what is recorded"


def test_only_a_finished_take_can_be_rendered_again(studio: Studio) -> None:
    studio.import_(stills(1))
    (plan,) = studio.plan()
    assert plan.job_id is not None
    for job_id, said in ((plan.job_id, "not finished"), (9999, "no take")):
        with pytest.raises(TakeError, match=said):
            reproduce(studio.settings, [job_id])


def test_pictures_from_a_cache_are_no_second_rendering(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = rendered(studio, stills(1))
    monkeypatch.setattr("anime_pipeline.rendering.reproduction.forget_cached_results", lambda *_: None)
    report = one(studio, job)
    assert (report.verdict, report.reason) == ("not_rendered", "the server answered from its cache")
    with session_scope(studio.settings) as session:
        assert record_reproductions(session, [job]) == []
