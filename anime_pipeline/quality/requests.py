"""Takes that someone wants measured: noted in the database, and served in one go by whoever measures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Job, MeasureRequest
from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.evidence import FINISHED
from anime_pipeline.quality.measuring import MeasureReport, measure_takes
from anime_pipeline.quality.scores import judge_takes
from anime_pipeline.settings import Settings

_ENDED = ("failed", "cancelled", "timeout")


def request_measuring(session: Session, job_ids: Collection[int], requested_by: str) -> None:
    """Want takes measured as soon as they are finished, also those measured before; the caller commits."""
    rows = [{"job_id": job_id, "requested_by": requested_by} for job_id in sorted(set(job_ids))]
    if rows:
        session.execute(insert(MeasureRequest).on_conflict_do_nothing(), rows)


def takes_to_measure(session: Session) -> dict[int, datetime]:
    """Finished takes that someone wants measured and since when (UTC), oldest request first."""
    query = (
        select(MeasureRequest.job_id, MeasureRequest.requested_at)
        .join(Job, Job.id == MeasureRequest.job_id)
        .where(Job.status.in_(FINISHED))
        .order_by(MeasureRequest.requested_at, MeasureRequest.job_id)
    )
    return {row.job_id: row.requested_at for row in session.execute(query)}


def waiting_among(session: Session, job_ids: Collection[int]) -> set[int]:
    """Which of these takes someone wants measured and nobody has measured since."""
    query = select(MeasureRequest.job_id).where(MeasureRequest.job_id.in_(list(job_ids)))
    return set(session.scalars(query))


def measure_requested(settings: Settings) -> MeasureReport:
    """Measure and judge every finished take that someone wants measured, and drop the requests it serves.

    A take whose scores could not be recorded keeps its request; one that failed or was cancelled loses it.
    """
    with session_scope(settings) as session:
        job_ids = list(takes_to_measure(session))
        report = measure_takes(session, settings, job_ids)
        served = [take.job_id for take in report.takes if take.outcome != "failed"]
        judge_takes(session, served)
        ended = select(Job.id).where(Job.status.in_(_ENDED))
        session.execute(
            delete(MeasureRequest).where(MeasureRequest.job_id.in_(served) | MeasureRequest.job_id.in_(ended))
        )
    return report
