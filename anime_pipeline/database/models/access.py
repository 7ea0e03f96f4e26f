"""Who may use the API and what they changed: schema ``studio``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CHAR, BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Now


class ApiKey(Base):
    """A key of the API. Only its hash is kept; ``prefix`` is what a person knows it again by."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'artist', 'supervisor', 'admin')"),
        Index("api_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    prefix: Mapped[str] = mapped_column(String(20))
    key_sha256: Mapped[str] = mapped_column(CHAR(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class AuditEntry(Base):
    """One change: who made it, on what, and how it was before and after. Rows are only added."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("audit_log_at", "at"),
        Index("audit_log_subject", "subject", "subject_id"),
        {"schema": "studio"},
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)
    actor: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(20))
    key_id: Mapped[int | None] = mapped_column(ForeignKey("studio.api_keys.id"))
    request_id: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(50))
    subject_id: Mapped[str] = mapped_column(String(255))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class IdempotentAnswer(Base):
    """The answer to a request that carried an idempotency key; ``status`` None: it was never finished."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index("idempotent_answers_created_at", "created_at"), {"schema": "studio"})

    actor: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(CHAR(64))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)
