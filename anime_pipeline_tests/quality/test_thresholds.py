"""Defends moved thresholds: verdicts follow at once and nothing is measured, the copies that earlier clients
read say the same, and the log tells who did it.
"""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.models import GateVerdict, Measurement, QualityScore
from anime_pipeline.quality.decisions import DecisionError
from anime_pipeline.quality.engines.protocol import Provenance, Score
from anime_pipeline.quality.errors import UnknownScopeError
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.quality.phases import load_phases, phase_of_take
from anime_pipeline.quality.recording import record_scores
from anime_pipeline.quality.scores import judge_takes
from anime_pipeline.quality.thresholds import list_thresholds, set_threshold, threshold_log, unset_threshold
from anime_pipeline.rendering.takes import list_takes
from anime_pipeline_tests.quality.studio import EPISODE, SLUG, Studio

ANIMATIC = "phase_0_animatic"
SMOOTH = "motion_smoothness_minimum"
VALUES = {"media_contract": 1.0, "temporal_flicker": 0.97, "motion_smoothness": 0.96, "dynamic_degree": 0.002}


def recorded(studio: Studio, number: int, server_kind: str = "preview", **values: float) -> int:
    """A take whose scores are recorded as measuring does, with their copies; its job id."""
    job = studio.take(studio.cut(number), server_kind=server_kind)
    phases = load_phases(studio.session, [studio.project.id])[studio.project.id]
    scores = {
        metric: Score(metric, "measured", Provenance("test", "1"), value)
        for metric, value in {**VALUES, **values}.items()
    }
    record_scores(studio.session, job, scores, phase_of_take(phases, "video", server_kind))
    studio.session.commit()
    return job


def copy_of(
    studio: Studio, job: int, metric: str = "motion_smoothness"
) -> tuple[float | None, float | None, bool | None]:
    """Threshold and verdict of a score as earlier clients read them."""
    studio.session.expire_all()
    row = studio.session.query(QualityScore).filter_by(job_id=job, metric_name=metric).one()
    return row.threshold_min, row.threshold_max, row.passed


def measured_at(studio: Studio) -> set[datetime]:
    """When everything was measured."""
    return {row.measured_at for row in studio.session.query(Measurement)}


def test_a_moved_threshold_judges_at_once_and_measures_nothing(studio: Studio) -> None:
    jobs = [recorded(studio, number) for number in range(10, 60, 10)]
    before = measured_at(studio)
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "passed"
    edit = set_threshold(studio.session, SLUG, SMOOTH, 0.97, "Mo", "too jerky on the big screen")
    assert (edit.old, edit.new, edit.scores) == (None, 0.97, 5)
    verdict = judge_scope(studio.session, EPISODE, ANIMATIC)
    assert (verdict.verdict, verdict.cuts_failed) == ("failed", 5)
    assert verdict.thresholds["metrics"]["motion_smoothness"]["threshold"] == 0.97
    assert {copy_of(studio, job) for job in jobs} == {(0.97, None, False)}
    assert unset_threshold(studio.session, SLUG, SMOOTH, "Mo").new is None
    assert judge_scope(studio.session, EPISODE, ANIMATIC).verdict == "passed"
    assert {copy_of(studio, job) for job in jobs} == {(0.95, None, True)}
    assert measured_at(studio) == before


def test_the_default_moves_every_project_without_a_threshold_of_its_own(studio: Studio) -> None:
    job = recorded(studio, 10)
    assert set_threshold(studio.session, None, SMOOTH, 0.97, "Mo").scores == 1
    assert copy_of(studio, job) == (0.97, None, False)
    set_threshold(studio.session, SLUG, SMOOTH, 0.9, "Mo")
    assert set_threshold(studio.session, None, SMOOTH, 0.99, "Mo").scores == 0
    assert copy_of(studio, job) == (0.9, None, True)
    (found,) = [one for one in list_thresholds(studio.session, SLUG) if one.gate_name == SMOOTH]
    assert (found.default, found.own, found.value) == (0.99, 0.9, 0.9)
    assert (ANIMATIC, "motion_smoothness") in found.asked


def test_the_stored_verdicts_of_takes_follow_where_they_come_out_otherwise(studio: Studio) -> None:
    jerky, smooth = recorded(studio, 10), recorded(studio, 20, motion_smoothness=0.99)
    never = recorded(studio, 30)
    judge_takes(studio.session, [jerky, smooth])

    def stored() -> dict[int, str | None]:
        keys = [f"{EPISODE}.s001.c{number:04}" for number in (10, 20, 30)]
        return {take.job_id: take.verdict for take in list_takes(studio.session, keys)}

    assert stored() == {jerky: "passed", smooth: "passed", never: None}
    kept = studio.session.query(GateVerdict).count()
    assert set_threshold(studio.session, SLUG, SMOOTH, 0.97, "Mo").takes == 1
    assert stored() == {jerky: "failed", smooth: "passed", never: None}
    assert studio.session.query(GateVerdict).count() == kept + 1
    assert set_threshold(studio.session, None, SMOOTH, 0.9, "Mo").takes == 0, "the project has its own"
    assert unset_threshold(studio.session, SLUG, SMOOTH, "Mo").takes == 1
    assert stored()[jerky] == "passed"
    assert set_threshold(studio.session, None, SMOOTH, 0.995, "Mo").takes == 2
    assert stored() == {jerky: "failed", smooth: "failed", never: None}
    assert set_threshold(studio.session, SLUG, "phase_cuts_minimum", 1, "Mo").takes == 0


def test_a_copy_follows_the_phase_its_take_was_made_for(studio: Studio) -> None:
    animatic = recorded(studio, 10, temporal_flicker=0.5)
    render = recorded(studio, 20, "comfyui", temporal_lpips=0.1, temporal_flicker=0.5)
    assert set_threshold(studio.session, SLUG, "animatic_flicker_minimum", 0.4, "Mo").scores == 1
    assert copy_of(studio, animatic, "temporal_flicker") == (0.4, None, True)
    assert copy_of(studio, render, "temporal_flicker") == (None, None, None), "a render's flicker is reported"
    assert set_threshold(studio.session, SLUG, "temporal_lpips_maximum", 0.05, "Mo").scores == 1
    assert copy_of(studio, render, "temporal_lpips") == (None, 0.05, False)


def test_the_log_tells_who_moved_what_and_is_only_added_to(studio: Studio) -> None:
    set_threshold(studio.session, SLUG, SMOOTH, 0.97, " Mo ", " too jerky ")
    set_threshold(studio.session, SLUG, SMOOTH, 0.97, "Mo")
    set_threshold(studio.session, None, "phase_cuts_minimum", 3, "Aki")
    unset_threshold(studio.session, SLUG, SMOOTH, "Mo")
    told = [
        (one.project, one.gate_name, one.old_value, one.new_value, one.changed_by)
        for one in threshold_log(studio.session)
    ]
    assert told == [
        (SLUG, SMOOTH, 0.97, None, "Mo"),
        (None, "phase_cuts_minimum", 5.0, 3.0, "Aki"),
        (SLUG, SMOOTH, None, 0.97, "Mo"),
    ]
    assert threshold_log(studio.session, SLUG)[-1].reason == "too jerky"
    assert [one.project for one in threshold_log(studio.session, "other")] == [None]
    studio.session.commit()
    for change in (
        "UPDATE studio.threshold_changes SET changed_by = 'x'",
        "DELETE FROM studio.threshold_changes",
    ):
        with pytest.raises(DBAPIError, match="never changed"):
            studio.session.execute(text(change))
        studio.session.rollback()


@pytest.mark.parametrize(
    ("project", "gate", "value", "by", "said"),
    [
        (SLUG, SMOOTH, 0.9, " ", "--by"),
        (SLUG, "motion_smoothnes_minimum", 0.9, "Mo", "did you mean motion_smoothness_minimum"),
        ("other", SMOOTH, 0.9, "Mo", "no project is called other"),
        (SLUG, SMOOTH, float("nan"), "Mo", "no threshold"),
        (SLUG, "phase_pass_rate_minimum", 80, "Mo", "pass rate"),
        (SLUG, "phase_cuts_minimum", 2.5, "Mo", "whole number"),
        (SLUG, "phase_cuts_minimum", 0, "Mo", "whole number"),
    ],
)
def test_what_cannot_be_a_threshold_is_said_and_nothing_moves(
    studio: Studio, project: str, gate: str, value: float, by: str, said: str
) -> None:
    with pytest.raises((DecisionError, UnknownScopeError)) as refused:
        set_threshold(studio.session, project, gate, value, by)
    assert said in f"{refused.value}; {refused.value.remedy}"
    assert threshold_log(studio.session) == []


def test_a_project_without_its_own_threshold_has_none_to_take_away(studio: Studio) -> None:
    with pytest.raises(DecisionError, match="of its own"):
        unset_threshold(studio.session, SLUG, SMOOTH, "Mo")
