"""What the API keeps in schema ``studio``: events of jobs, passes for browsers, requests to measure."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CHAR, BigInteger, DateTime, ForeignKey, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Timestamp


class JobEvent(Base):
    """A job's status or frame changed; written by triggers on ``jobs``. Their order is (txid, id)."""

    __tablename__ = "job_events"
    __table_args__ = (
        Index("job_events_order", "txid", "id"),
        Index("job_events_job", "job_id"),
        Index("job_events_age", "created_at"),
        {"schema": "studio"},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    txid: Mapped[int] = mapped_column(BigInteger, server_default=text("pg_current_xact_id()::text::bigint"))
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(50))
    current_frame: Mapped[int | None]
    total_frames: Mapped[int | None]
    message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("clock_timestamp()")
    )


class EventTicket(Base):
    """A pass to follow events for a minute, used once; ``role`` is that of whoever asked for it."""

    __tablename__ = "event_tickets"
    __table_args__ = ({"schema": "studio"},)

    ticket_sha256: Mapped[str] = mapped_column(CHAR(64), primary_key=True)
    actor: Mapped[str]
    role: Mapped[str] = mapped_column(String(20))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class JobCallback(Base):
    """A URL that the end of a job is posted to; ``state`` is waiting, delivered or dead."""

    __tablename__ = "job_callbacks"
    __table_args__ = (
        Index("job_callbacks_waiting", "job_id", postgresql_where=text("state = 'waiting'")),
        {"schema": "studio"},
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str]
    event_id: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    state: Mapped[str] = mapped_column(String(12), server_default="waiting")
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    not_before: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[Timestamp]


class MeasureRequest(Base):
    """Someone wants this take measured."""

    __tablename__ = "measure_requests"
    __table_args__ = ({"schema": "studio"},)

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    requested_by: Mapped[str | None]
    requested_at: Mapped[Timestamp]
