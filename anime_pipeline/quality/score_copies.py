"""The copies of scores that earlier clients read carry thresholds with them; here they follow an edit."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import (
    Boolean,
    CursorResult,
    Float,
    Integer,
    String,
    case,
    column,
    false,
    func,
    or_,
    select,
    update,
    values,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, ProjectProfile, QualityScore, Take
from anime_pipeline.quality.phases import load_phases, phase_of_take

CUT_KINDS = ("still", "loop", "video")
_LIMITS = (
    column("project_id", Integer), column("kind", String), column("preview", Boolean),
    column("metric", String), column("least", Float), column("most", Float),
)  # fmt: skip


def rewrite_score_copies(session: Session, gate_name: str, project_id: int | None = None) -> int:
    """Give the scores of a gate's metrics the threshold that now decides them; how many were changed.

    One statement, for one project or all. A score is shown with the threshold of the phase that its take was
    made for, as :func:`~anime_pipeline.quality.recording.record_scores` writes it.
    """
    query = select(ProjectProfile.project_id)
    if project_id is not None:
        query = query.where(ProjectProfile.project_id == project_id)
    limits = [
        (project, kind, preview, rule.metric, *_bounds(rule.comparison, rule.threshold))
        for project, phases in load_phases(session, session.scalars(query).all()).items()
        for kind in CUT_KINDS
        for preview in (True, False)
        for rule in phase_of_take(phases, kind, "preview" if preview else "comfyui").rules
        if rule.gate_name == gate_name
    ]
    if not limits:
        return 0
    asked = values(*_LIMITS, name="asked").data(limits)
    # A column of VALUES without any value would be text.
    least, most = sql_cast(asked.c.least, Float), sql_cast(asked.c.most, Float)
    passed = case(
        (least.is_not(None), QualityScore.score_value >= least),
        (most.is_not(None), QualityScore.score_value <= most),
    )
    changed = session.execute(
        update(QualityScore)
        .values(threshold_min=least, threshold_max=most, passed=passed)
        .where(
            QualityScore.job_id == Take.job_id,
            Take.cut_id == CutProfile.cut_id,
            CutProfile.project_id == asked.c.project_id,
            CutProfile.kind == asked.c.kind,
            func.coalesce(Take.server_kind == "preview", false()) == asked.c.preview,
            QualityScore.metric_name == asked.c.metric,
            or_(
                QualityScore.threshold_min.is_distinct_from(least),
                QualityScore.threshold_max.is_distinct_from(most),
            ),
        )
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], changed).rowcount


def _bounds(comparison: str, threshold: float | None) -> tuple[float | None, float | None]:
    return (threshold, None) if comparison == "at_least" else (None, threshold)
