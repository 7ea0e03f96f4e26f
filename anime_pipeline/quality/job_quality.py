"""The quality of single takes, as a client that made a job asks for it: judged now, and nothing is kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Measurement, Take
from anime_pipeline.quality.evidence import load_evidence_of_takes
from anime_pipeline.quality.judging import Judgement, judge_scope_evidence
from anime_pipeline.quality.phases import Phase, Rule, load_phases, phase_of_take


@dataclass(frozen=True)
class MetricOfTake:
    """A stored measurement with the rule of the take's phase, None where that asks nothing of it."""

    measurement: Measurement
    rule: Rule | None

    @property
    def passed(self) -> bool | None:
        """Whether it passes; None where it is unmeasured, or decides nothing."""
        value = self.measurement.value
        return self.rule.passes(value) if self.rule is not None and value is not None else None


@dataclass(frozen=True)
class TakeQuality:
    """A take's metrics, and what the phase that it was made for says of it by itself.

    ``judgement`` is None while the take is not finished.
    """

    job_id: int
    phase: Phase
    metrics: tuple[MetricOfTake, ...]
    judgement: Judgement | None


def quality_of(session: Session, job_ids: Collection[int]) -> dict[int, TakeQuality]:
    """The quality of the takes among these jobs, unscripted ones and reproductions too, by job id."""
    takes = session.execute(
        select(Take.job_id, Take.server_kind, CutProfile.cut_key, CutProfile.kind, CutProfile.project_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(Take.job_id.in_(list(job_ids)))
    ).all()
    phases = load_phases(session, {take.project_id for take in takes})
    measured: dict[int, list[Measurement]] = {}
    query = select(Measurement).where(Measurement.job_id.in_([take.job_id for take in takes]))
    for row in session.scalars(query.order_by(Measurement.metric_name)):
        measured.setdefault(row.job_id, []).append(row)
    found = {}
    for take in takes:
        phase = phase_of_take(phases[take.project_id], take.kind, take.server_kind)
        rules = {rule.metric: rule for rule in phase.rules if take.kind in rule.cut_kinds}
        metrics = tuple(
            MetricOfTake(row, rules.get(row.metric_name)) for row in measured.get(take.job_id, ())
        )
        evidence = load_evidence_of_takes(session, [take.job_id], phase).get(take.job_id)
        judgement = judge_scope_evidence([evidence], phase, take.cut_key, one_cut=True) if evidence else None
        found[take.job_id] = TakeQuality(take.job_id, phase, metrics, judgement)
    return found
