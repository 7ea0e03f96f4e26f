"""Defends measuring: what was decoded is what is recorded, once; a broken take fails by name and costs no
other; what cannot be measured says why; a metric is measured again only when its backend or facts change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, null
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Measurement, QualityGate, QualityScore, StoryBible
from anime_pipeline.database.session import engine_for
from anime_pipeline.media.errors import UnreachableStoreError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality import measuring
from anime_pipeline.quality.gates import judge_cut
from anime_pipeline.quality.measuring import MeasureEvent, MeasureReport, measure_takes
from anime_pipeline_tests.quality.films import Film, held, panning
from anime_pipeline_tests.quality.studio import ANIMATIC_METRICS, Studio

GOOD = panning(24)


def measure(studio: Studio, *job_ids: int) -> MeasureReport:
    """Measure in a session of its own, as a command does."""
    with Session(engine_for(studio.settings)) as session:
        return measure_takes(session, studio.settings, job_ids)


def stored(studio: Studio, job_id: int) -> dict[str, Measurement]:
    """The take's measurements by metric."""
    studio.session.expire_all()
    rows = studio.session.query(Measurement).filter_by(job_id=job_id)
    return {row.metric_name: row for row in rows}


def test_a_take_is_measured_by_every_metric_of_its_phases(studio: Studio) -> None:
    job = studio.take(studio.cut(10), GOOD)
    report = measure(studio, job)
    rows = stored(studio, job)
    assert [take.outcome for take in report.takes] == ["measured"]
    assert {name for name, row in rows.items() if row.state == "measured"} == {
        *ANIMATIC_METRICS,
        "palette_adherence",
        "shot_changes",
    }
    assert {name for name, row in rows.items() if row.state == "unavailable"} == {
        "style_adherence", "subject_consistency", "temporal_lpips",
    }  # fmt: skip
    assert rows["media_contract"].value == 1.0
    assert len(rows["temporal_flicker"].per_frame or ()) == 24
    assert rows["temporal_flicker"].details["lowest"]["frame"] > 0


def test_a_still_is_timed_by_the_server_and_shown_with_its_cast(studio: Studio) -> None:
    from anime_pipeline.database.models import Character

    mika = studio.add(Character(name="Mika", project_id=studio.project.id))
    job = studio.take(studio.cut(10, "still", cast=(mika.id,)), panning(1), seconds=12.5)
    without = studio.take(studio.cut(20, "still"), panning(1, seed=2), seconds=None)
    measure(studio, job, without)
    rows = stored(studio, job)
    assert rows["generation_seconds"].value == 12.5
    assert rows["generation_seconds"].settings == {"server_kind": "preview"}
    assert rows["face_similarity"].state == "unavailable"
    assert rows["reproducible"].state == "unavailable"
    assert stored(studio, without)["generation_seconds"].state == "not_measurable"
    assert "face_similarity" not in stored(studio, without)


def test_measured_scores_are_shown_where_earlier_clients_look(studio: Studio) -> None:
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    scores = {row.metric_name: row for row in studio.session.query(QualityScore).filter_by(job_id=job)}
    assert set(scores) == {*ANIMATIC_METRICS, "palette_adherence", "shot_changes"}
    gate = studio.session.query(QualityGate).filter_by(gate_name="motion_smoothness_minimum").one()
    assert scores["motion_smoothness"].threshold_min == gate.threshold_value
    assert scores["motion_smoothness"].threshold_max is None
    assert scores["motion_smoothness"].passed is True
    assert scores["palette_adherence"].passed is None
    assert stored(studio, job)["media_contract"].quality_score_id == scores["media_contract"].id


def test_a_second_measuring_decodes_nothing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    before = {name: row.measured_at for name, row in stored(studio, job).items()}
    monkeypatch.setattr(measuring, "iter_frames", lambda path: pytest.fail(f"decoded {path}"))
    assert [take.outcome for take in measure(studio, job).takes] == ["unchanged"]
    assert {name: row.measured_at for name, row in stored(studio, job).items()} == before


def test_an_edited_palette_measures_the_palette_alone_again(studio: Studio) -> None:
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    studio.add(StoryBible(project_id=studio.project.id, version=2, color_palette={"rose": "#ff88aa"}))
    (take,) = measure(studio, job).takes
    assert set(take.scores) == {"palette_adherence"}
    assert (
        studio.session.query(QualityScore).filter_by(job_id=job, metric_name="palette_adherence").count() == 1
    )


@pytest.mark.parametrize(
    ("palette", "state", "reason"),
    [
        (["#1f6f8b", "#ffcc66"], "measured", None),
        ([{"name": "sea"}], "not_measurable", "which is no colour as #rrggbb"),
        ("sea and sand", "not_measurable", "'sea and sand', which is no colour as #rrggbb"),
    ],
)
def test_a_palette_as_earlier_clients_stored_it_costs_no_take_its_scores(
    studio: Studio, palette: Any, state: str, reason: str | None
) -> None:
    older = StoryBible(project_id=studio.project.id, version=null(), color_palette={"old": "#000000"})
    studio.add(older)
    studio.add(StoryBible(project_id=studio.project.id, version=2, color_palette=palette))
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    found = stored(studio, job)
    assert found["media_contract"].value == 1.0
    assert found["palette_adherence"].state == state
    if reason is None:
        assert list(found["palette_adherence"].details["share_by_colour"]) == palette
    else:
        assert reason in str(found["palette_adherence"].reason)


def test_another_version_of_an_engine_measures_again(studio: Studio) -> None:
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    stored(studio, job)["temporal_flicker"].backend_version = "0"
    studio.session.commit()
    (take,) = measure(studio, job).takes
    assert set(take.scores) == {"temporal_flicker"}


def test_an_absence_is_told_again_when_its_reason_changes_and_never_replaces_a_measurement(
    studio: Studio,
) -> None:
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    rows = stored(studio, job)
    rows["style_adherence"].reason = "another reason"
    rows["temporal_lpips"].state, rows["temporal_lpips"].value = "measured", 0.1
    studio.session.commit()
    (take,) = measure(studio, job).takes
    assert set(take.scores) == {"style_adherence"}
    assert stored(studio, job)["temporal_lpips"].value == 0.1


BROKEN: dict[str, Film] = {
    "frame_count": panning(16),
    "black": np.concatenate([panning(12), np.zeros_like(panning(12))]),
    "frozen": held(panning(1), 24),
    "size": panning(24, 32, 48),
}


@pytest.mark.parametrize("clause", BROKEN)
def test_a_broken_render_fails_its_gate_by_name(studio: Studio, clause: str) -> None:
    key = studio.cut(10)
    job = studio.take(key, BROKEN[clause])
    measure(studio, job)
    verdict = judge_cut(studio.session, key, "phase_0_animatic")
    assert verdict.verdict == "failed"
    contract = next(entry for entry in verdict.failing if entry["metric"] == "media_contract")
    assert clause in contract["details"]["broken"]


def test_a_film_that_cannot_be_decoded_fails_and_costs_no_other_take(studio: Studio) -> None:
    bad_key, good_key = studio.cut(10), studio.cut(20)
    bad, good = studio.take(bad_key, GOOD), studio.take(good_key, panning(24, seed=2))
    _cut_short(studio, bad)
    report = measure(studio, bad, good)
    assert [take.outcome for take in report.takes] == ["measured", "measured"]
    rows = stored(studio, bad)
    assert rows["media_contract"].value == 0.0
    assert "decodable" in rows["media_contract"].details["broken"]
    assert rows["motion_smoothness"].state == "not_measurable"
    assert judge_cut(studio.session, bad_key, "phase_0_animatic").verdict == "failed"
    assert judge_cut(studio.session, good_key, "phase_0_animatic").verdict == "passed"


def test_a_file_that_is_gone_from_the_store_fails(studio: Studio) -> None:
    job = studio.take(studio.cut(10), GOOD)
    _file(studio).unlink()
    measure(studio, job)
    assert stored(studio, job)["media_contract"].value == 0.0


@pytest.mark.parametrize("how", ["gone", "cut short"])
def test_a_file_that_is_back_from_a_backup_is_measured_again(studio: Studio, how: str) -> None:
    key = studio.cut(10)
    job = studio.take(key, GOOD)
    film = _file(studio)
    backup = film.read_bytes()
    if how == "gone":
        film.unlink()
    else:
        _cut_short(studio, job)
    measure(studio, job)
    rows = stored(studio, job)
    assert f"anime-pipeline measure {key}" in rows["media_contract"].details["broken"]["decodable"]
    before = {name: row.measured_at for name, row in rows.items()}
    assert [take.outcome for take in measure(studio, job).takes] == ["unchanged"], "it is no better"
    after = {name: row.measured_at for name, row in stored(studio, job).items()}
    assert after == before, "nothing is written again"

    film.write_bytes(backup)
    assert [take.outcome for take in measure(studio, job).takes] == ["measured"]
    rows = stored(studio, job)
    assert (rows["media_contract"].value, rows["motion_smoothness"].state) == (1.0, "measured")
    assert judge_cut(studio.session, key, "phase_0_animatic").verdict == "passed"
    assert [take.outcome for take in measure(studio, job).takes] == ["unchanged"]


def test_a_store_or_disk_that_does_not_answer_says_nothing_about_its_takes(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [studio.take(studio.cut(number), panning(24, seed=number)) for number in (10, 20, 30)]
    reached = MediaStore.local_path
    failures = iter([UnreachableStoreError("the store does not answer"), PermissionError(13, "denied")])

    def unsteady(self: MediaStore, sha256: str, suffix: str) -> Path:
        if failure := next(failures, None):
            raise failure
        return reached(self, sha256, suffix)

    monkeypatch.setattr(MediaStore, "local_path", unsteady)
    report = measure(studio, *jobs)
    reasons = {take.reason for take in report.with_outcome("failed")}
    assert reasons == {
        "its media could not be read: the store does not answer",
        "its media could not be read: [Errno 13] denied",
    }
    assert len(report.with_outcome("measured")) == 1
    assert sum(1 for job in jobs if not stored(studio, job)) == 2
    assert len(measure(studio, *jobs).with_outcome("measured")) == 2


def test_a_take_without_media_fails(studio: Studio) -> None:
    job = studio.take(studio.cut(10))
    measure(studio, job)
    assert stored(studio, job)["media_contract"].value == 0.0


def test_an_engine_that_breaks_costs_no_other_metric(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from anime_pipeline.quality.engines import temporal_flicker

    def breaks(*_: object) -> float:
        raise MemoryError("no room")

    monkeypatch.setattr(temporal_flicker, "mean_absolute_difference", breaks)
    job = studio.take(studio.cut(10), GOOD)
    measure(studio, job)
    rows = stored(studio, job)
    assert rows["temporal_flicker"].state == "unavailable"
    assert "MemoryError: no room" in (rows["temporal_flicker"].reason or "")
    assert rows["motion_smoothness"].state == "measured"
    monkeypatch.undo()
    assert set(measure(studio, job).takes[0].scores) == {"temporal_flicker"}


def test_unfinished_and_unknown_takes_are_named_and_not_measured(studio: Studio) -> None:
    waiting = studio.take(studio.cut(10), GOOD, status="processing")
    report = measure(studio, waiting, 999_999)
    assert {take.job_id: take.reason for take in report.with_outcome("failed")} == {
        waiting: "the take is not finished: processing",
        999_999: "job 999999 is no take",
    }
    assert stored(studio, waiting) == {}


def test_each_take_is_told_as_it_is_done(studio: Studio) -> None:
    jobs = [studio.take(studio.cut(number), panning(24, seed=number)) for number in (10, 20, 30)]
    events: list[MeasureEvent] = []
    with Session(engine_for(studio.settings)) as session:
        measure_takes(session, studio.settings, jobs, events.append)
    assert [(event.done, event.total, event.take.outcome) for event in events] == [
        (1, 3, "measured"), (2, 3, "measured"), (3, 3, "measured"),
    ]  # fmt: skip


def test_planning_a_batch_takes_the_same_queries_for_two_takes_as_for_ten(studio: Studio) -> None:
    jobs = [studio.take(studio.cut(number), GOOD) for number in range(10, 110, 10)]
    measure(studio, *jobs)
    assert _queries(studio, jobs[:2]) == _queries(studio, jobs)


def _queries(studio: Studio, jobs: list[int]) -> int:
    engine, seen = engine_for(studio.settings), []

    def count(*arguments: object) -> None:
        seen.append(arguments[2])

    event.listen(engine, "before_cursor_execute", count)
    measure(studio, *jobs)
    event.remove(engine, "before_cursor_execute", count)
    return len(seen)


def _file(studio: Studio) -> Path:
    return next(path for path in (studio.settings.home / "media").rglob("*.mp4"))


def _cut_short(studio: Studio, job_id: int) -> None:
    from anime_pipeline.database.models import TakeMedia

    sha256 = studio.session.query(TakeMedia).filter_by(job_id=job_id).one().sha256
    path = studio.store.local_path(sha256, ".mp4")
    path.write_bytes(path.read_bytes()[:-200])
