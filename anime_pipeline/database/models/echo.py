"""The worker protocol's part of schema ``studio``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import CHAR, BigInteger, Boolean, DateTime, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Now, Timestamp

Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
_CLOCK = text("clock_timestamp()")


class EchoWorker(Base):
    """The one row: who this installation is to its supervisor, and how the two get on.

    ``registered_as`` is what the supervisor was told at registration, ``told`` at the last heartbeat.
    """

    __tablename__ = "echo_worker"
    __table_args__ = ({"schema": "studio"},)

    singleton: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    worker_id: Mapped[str] = mapped_column(String(40))
    supervisor_url: Mapped[str | None]
    seen_at: Mapped[Moment | None]
    wanted: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    registered_at: Mapped[Moment | None]
    registered_as: Mapped[dict[str, Any] | None]
    heartbeat_at: Mapped[Moment | None]
    told: Mapped[dict[str, Any] | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    retry_at: Mapped[Moment | None]
    last_error: Mapped[str | None]
    outages: Mapped[int] = mapped_column(server_default=text("0"))
    deliver_at: Mapped[Moment | None]
    outage_error: Mapped[str | None]


class EchoTaskJob(Base):
    """A take that one of the supervisor's tasks asked for."""

    __tablename__ = "echo_task_jobs"
    __table_args__ = (Index("echo_task_jobs_job", "job_id"), {"schema": "studio"})

    task_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)


class TakeRejection(Base):
    """A take that was turned down: it is never selected by its score again."""

    __tablename__ = "take_rejections"
    __table_args__ = ({"schema": "studio"},)

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    rejected_by: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(server_default="")
    rejected_at: Mapped[Timestamp]


class OutboxEvent(Base):
    """Something that the supervisor has to be told; ``failures`` are attempts that count against it."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("event_id"),
        Index("outbox_open", "job_id", "id", postgresql_where=text("state <> 'delivered'")),
        Index("outbox_delivered", "delivered_at", postgresql_where=text("state = 'delivered'")),
        {"schema": "studio"},
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    event_type: Mapped[str] = mapped_column(String(30))
    job_id: Mapped[int]
    task_id: Mapped[str | None] = mapped_column(String(200))
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=_CLOCK)
    state: Mapped[str] = mapped_column(String(12), server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    not_before: Mapped[Moment | None]
    delivered_at: Mapped[Moment | None]
    last_error: Mapped[str | None]


class InboxMessage(Base):
    """A signed message of the supervisor and what came of it.

    ``receipts`` counts how often it came, ``received_at`` is when it came last; ``signatures`` are those of
    its sendings.
    """

    __tablename__ = "inbox"
    __table_args__ = (Index("inbox_newest", text("received_at DESC")), {"schema": "studio"})

    event_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    source: Mapped[str] = mapped_column(String(10))
    event_type: Mapped[str | None] = mapped_column(String(100))
    task_id: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[dict[str, Any] | None]
    raw: Mapped[str | None]
    body_sha256: Mapped[str] = mapped_column(CHAR(64))
    signatures: Mapped[list[str]]
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None]
    outcome: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    receipts: Mapped[int] = mapped_column(server_default=text("1"))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=_CLOCK)
    applied_at: Mapped[Moment | None]
