"""Quality of jobs: scores and verdicts, wishes to measure, and a phase's gate over a list of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Job, Take
from anime_pipeline.quality.errors import UnknownScopeError
from anime_pipeline.quality.gates import judge_jobs
from anime_pipeline.quality.job_quality import MetricOfTake, TakeQuality, quality_of
from anime_pipeline.quality.requests import request_measuring, waiting_among
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.job_views import show_job
from anime_pipeline.web.problems import problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Body, Model, PathId, RowId, Utc
from anime_pipeline.web.state import Db

router = api_router("quality")

Phase = Annotated[Literal["phase_1_still", "phase_2_loop", "phase_3_video"], Path(examples=["phase_1_still"])]


class ScoreView(Model):
    """A metric of a job. `state` is measured, not_measurable or unavailable: only what is measured passes."""

    metric_name: str = Field(examples=["temporal_lpips"])
    state: str = Field(examples=["measured"])
    score_value: float | None
    threshold_min: float | None
    threshold_max: float | None
    passed: bool | None
    reason: str | None
    remedy: str | None
    backend: str
    backend_version: str
    weights_sha256: str | None
    details: dict[str, Any]
    per_frame: list[float | None] | None
    measured_at: Utc


class QualityView(Model):
    """A job's quality. `verdict` is passed, failed or incomplete, by the phase that it was made for, judged
    now; null while the job is not finished."""

    job_id: int
    status: str
    phase: str | None
    measuring: bool = Field(description="Someone wants it measured, and it is not measured since.")
    verdict: str | None = Field(examples=["passed"])
    passed: bool | None
    reason: str | None
    scores: list[ScoreView]
    failing: list[dict[str, Any]]
    missing: list[dict[str, Any]]


class EvaluateRequest(Body):
    """Jobs to measure."""

    job_ids: Annotated[list[RowId], Field(min_length=1, max_length=1000)]


class EvaluateAnswer(Model):
    """The quality of each job as it is now. `measuring` ones are measured by the job `answer_requests`."""

    items: list[QualityView]


class PhaseGateRequest(Body):
    """Finished takes of one project, each of another cut."""

    job_ids: Annotated[list[RowId], Field(min_length=5, max_length=10_000)]


class PhaseGateAnswer(Model):
    """What a phase's gate comes to over these jobs; it is kept nowhere, and opens nothing."""

    phase: str
    verdict: str = Field(examples=["passed"], description="passed, failed or incomplete.")
    passed: bool
    reason: str
    cuts_total: int
    cuts_passed: int
    cuts_failed: int
    cuts_unmeasured: int
    pass_rate: float | None
    wilson_low: float | None = Field(description="95 % interval of the rate.")
    wilson_high: float | None
    judged_sha256: str
    failing: list[dict[str, Any]]
    missing: list[dict[str, Any]]


@router.get("/quality/{job_id:int}", responses=problems(404))
@router.get("/jobs/{job_id}/quality", responses=problems(404))
@requires("viewer")
def read_quality(job_id: PathId, db: Db) -> QualityView:
    """A job's scores, each with its threshold, and what they come to."""
    return _shown(db, [job_id])[0]


@router.post("/quality/evaluate", status_code=202, responses=problems(404))
@requires("artist")
def evaluate(asked: EvaluateRequest, change: ChangeOf) -> EvaluateAnswer:
    """Want jobs measured: those that lack something, and those whose metrics were unavailable.

    Measuring decodes every frame, so it is not done here: ask again, or follow `GET …/jobs/{id}/quality`.
    """
    job_ids = list(dict.fromkeys(asked.job_ids))
    _require_takes(change.session, job_ids)
    request_measuring(change.session, job_ids, change.actor.name)
    change.session.flush()
    for job_id in job_ids:
        change.done("evaluate", "job", job_id)
    return EvaluateAnswer(items=_shown(change.session, job_ids))


@router.post("/quality/phase-gate/{phase}")
@requires("artist")
def phase_gate(phase: Phase, asked: PhaseGateRequest, db: Db) -> PhaseGateAnswer:
    """Judge at least five finished takes together, by the thresholds of their project."""
    _refuse_doubles(db, asked.job_ids)
    try:
        judged = judge_jobs(db, phase, asked.job_ids)
    except UnknownScopeError as error:
        raise unprocessable("/job_ids", str(error), error.remedy) from error
    low, high = judged.wilson or (None, None)
    return PhaseGateAnswer(
        phase=phase,
        verdict=judged.verdict,
        passed=judged.verdict == "passed",
        reason=judged.reason,
        cuts_total=len(judged.cuts),
        cuts_passed=judged.count("passed"),
        cuts_failed=judged.count("failed"),
        cuts_unmeasured=judged.count("unmeasured"),
        pass_rate=judged.pass_rate,
        wilson_low=low,
        wilson_high=high,
        judged_sha256=judged.judged_sha256,
        failing=[asdict(one) for one in judged.failing],
        missing=[asdict(one) for one in judged.missing],
    )


def _refuse_doubles(session: Session, job_ids: Sequence[int]) -> None:
    """A phase asks for so many cuts; several takes of one would count it several times."""
    rows = session.execute(
        select(Take.job_id, CutProfile.cut_key)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(Take.job_id.in_(list(job_ids)))
    )
    seen: dict[str, int] = {}
    for job_id, cut_key in rows:
        if cut_key in seen:
            detail = f"Jobs {seen[cut_key]} and {job_id} are takes of one cut, {cut_key}."
            raise unprocessable("/job_ids", detail, "Name one take of each cut.")
        seen[cut_key] = job_id
    if len(set(job_ids)) != len(job_ids):
        raise unprocessable("/job_ids", "A job is named twice.", "Name each once.")


def _require_takes(session: Session, job_ids: Sequence[int]) -> None:
    known = set(session.scalars(select(Take.job_id).where(Take.job_id.in_(list(job_ids)))))
    missing = [job_id for job_id in job_ids if job_id not in known]
    if missing:
        raise unprocessable("/job_ids", f"There is no take {missing[0]}.", "GET /api/anime/jobs lists them.")


def _shown(session: Session, job_ids: Sequence[int]) -> list[QualityView]:
    statuses = {
        row.id: row.status for row in session.execute(select(Job.id, Job.status).where(Job.id.in_(job_ids)))
    }
    found, waiting = quality_of(session, job_ids), waiting_among(session, job_ids)
    return [
        _view(
            job_id,
            statuses.get(job_id) or show_job(session, job_id).status,
            found.get(job_id),
            job_id in waiting,
        )
        for job_id in job_ids
    ]


def _view(job_id: int, status: str, quality: TakeQuality | None, measuring: bool) -> QualityView:
    judgement = quality.judgement if quality else None
    return QualityView(
        job_id=job_id,
        status=status,
        phase=quality.phase.name if quality else None,
        measuring=measuring,
        verdict=judgement.verdict if judgement else None,
        passed=judgement.verdict == "passed" if judgement else None,
        reason=judgement.reason if judgement else None,
        scores=[_score(metric) for metric in quality.metrics] if quality else [],
        failing=[asdict(one) for one in judgement.failing] if judgement else [],
        missing=[asdict(one) for one in judgement.missing] if judgement else [],
    )


def _score(metric: MetricOfTake) -> ScoreView:
    row, rule = metric.measurement, metric.rule
    threshold = rule.threshold if rule else None
    return ScoreView(
        metric_name=row.metric_name,
        state=row.state,
        score_value=row.value,
        threshold_min=threshold if rule and rule.comparison == "at_least" else None,
        threshold_max=threshold if rule and rule.comparison == "at_most" else None,
        passed=metric.passed,
        reason=row.reason,
        remedy=row.remedy,
        backend=row.backend,
        backend_version=row.backend_version,
        weights_sha256=row.weights_sha256,
        details=row.details,
        per_frame=row.per_frame,
        measured_at=row.measured_at,
    )
