"""Takes are judged again when a threshold moves: their newest stored verdict is by what is asked now."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    CutProfile,
    GateThreshold,
    GateVerdict,
    Measurement,
    PhaseMetric,
    Take,
)
from anime_pipeline.quality.scores import judge_takes


def rejudge_takes(
    session: Session, gate_name: str, before: float, after: float, project_id: int | None = None
) -> int:
    """Judge the takes that may come out otherwise now that a gate moved between two thresholds; how many.

    These are the takes judged before whose value of a metric that the gate decides lies between the two: of
    one project, or of all that have no threshold of their own.
    """
    own = select(GateThreshold.project_id).where(GateThreshold.gate_name == gate_name)
    metrics = select(PhaseMetric.metric_name).where(PhaseMetric.gate_name == gate_name)
    judged = select(GateVerdict.id).where(GateVerdict.job_id == Measurement.job_id).exists()
    takes = (
        select(Measurement.job_id)
        .distinct()
        .join(Take, Take.job_id == Measurement.job_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(
            Measurement.metric_name.in_(metrics),
            Measurement.value.between(min(before, after), max(before, after)),
            judged,
            CutProfile.project_id.not_in(own) if project_id is None else CutProfile.project_id == project_id,
        )
    )
    return len(judge_takes(session, session.scalars(takes).all()))
