"""Which takes a delivery shows: for as long as it is known, their media are kept."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery, DeliveryTake


def record_shown_takes(session: Session, scope_key: str, kind: str, job_ids: Collection[int]) -> None:
    """Say which takes the newest delivery of its kind shows; more than once is as good as once."""
    newest = session.scalar(
        select(func.max(Delivery.id)).where(Delivery.scope_key == scope_key, Delivery.kind == kind)
    )
    rows = [{"delivery_id": newest, "job_id": job_id} for job_id in sorted(set(job_ids))]
    if rows:
        session.execute(insert(DeliveryTake).on_conflict_do_nothing(), rows)
