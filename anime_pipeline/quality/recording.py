"""Scores into the database: a row per take and metric, and a copy where earlier clients look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Job, Measurement, QualityScore
from anime_pipeline.quality.engines.protocol import Score
from anime_pipeline.quality.phases import Phase, Rule

PER_FRAME_DIGITS = 6


def record_scores(session: Session, job_id: int, scores: Mapping[str, Score], phase: Phase) -> None:
    """Replace a take's measurements of these metrics; ``phase`` gives the thresholds they are shown with.

    The job's row is locked first, so that two processes that measure one take come one after the other.
    """
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
    rules = {rule.metric: rule for rule in phase.rules}
    for model in (Measurement, QualityScore):
        session.execute(delete(model).where(model.job_id == job_id, model.metric_name.in_(scores)))
    rows = {
        name: _quality_score(job_id, score, rules.get(name))
        for name, score in scores.items()
        if score.value is not None
    }
    session.add_all(rows.values())
    session.flush()
    session.add_all(_measurement(job_id, score, rows.get(name)) for name, score in scores.items())
    session.flush()


def details_of(score: Score) -> dict[str, Any]:
    """A score's details with its lowest and highest frame, where frames have values of their own."""
    valued = [(value, frame) for frame, value in enumerate(score.per_frame) if value is not None]
    if not valued:
        return dict(score.details)
    lowest, highest = min(valued), max(valued, key=lambda entry: (entry[0], -entry[1]))
    return {
        **score.details,
        "lowest": {"frame": lowest[1], "value": round(lowest[0], PER_FRAME_DIGITS)},
        "highest": {"frame": highest[1], "value": round(highest[0], PER_FRAME_DIGITS)},
    }


def _quality_score(job_id: int, score: Score, rule: Rule | None) -> QualityScore:
    assert score.value is not None
    threshold = rule.threshold if rule else None
    return QualityScore(
        job_id=job_id,
        metric_name=score.metric,
        score_value=score.value,
        threshold_min=threshold if rule and rule.comparison == "at_least" else None,
        threshold_max=threshold if rule and rule.comparison == "at_most" else None,
        passed=rule.passes(score.value) if rule else None,
        details=details_of(score),
    )


def _measurement(job_id: int, score: Score, row: QualityScore | None) -> Measurement:
    per_frame = [None if value is None else round(value, PER_FRAME_DIGITS) for value in score.per_frame]
    return Measurement(
        job_id=job_id,
        metric_name=score.metric,
        state=score.state,
        value=score.value,
        per_frame=per_frame or None,
        details=details_of(score),
        reason=score.reason,
        remedy=score.remedy,
        backend=score.provenance.backend,
        backend_version=score.provenance.version,
        weights_sha256=score.provenance.weights_sha256,
        settings=dict(score.provenance.settings),
        quality_score_id=row.id if row else None,
    )
