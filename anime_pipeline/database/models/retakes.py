"""Retakes in schema ``studio``; the triggers of 0009_retakes hold them within the budgets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CHAR, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Timestamp


class Retake(Base):
    """A further take that a person asked for, or that a failed one got by itself (``automatic``).

    ``changes`` are directions, which hold until ``withdrawn_at``. ``story_hash`` is the recipe of the cut's
    first variant when it was asked for.
    """

    __tablename__ = "retakes"
    __table_args__ = (
        Index("retakes_cut", "cut_id", "story_hash"),
        Index("retakes_answer", "answered_by_job_id"),
        Index("retakes_retaken", "retaken_job_id"),
        CheckConstraint(
            "automatic = (cause IS NOT NULL) AND automatic = (strategy IS NOT NULL)",
            name="retakes_automatic_has_a_strategy",
        ),
        CheckConstraint("NOT automatic OR changes = '{}'", name="retakes_only_a_person_directs"),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"))
    automatic: Mapped[bool]
    asked_by: Mapped[str | None] = mapped_column(String(100))
    note: Mapped[str] = mapped_column(server_default="")
    changes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    cause: Mapped[str | None] = mapped_column(String(20))
    strategy: Mapped[str | None] = mapped_column(String(30))
    reason: Mapped[str] = mapped_column(server_default="")
    story_hash: Mapped[str] = mapped_column(CHAR(64))
    retaken_job_id: Mapped[int | None] = mapped_column(ForeignKey("studio.takes.job_id", ondelete="SET NULL"))
    answered_by_job_id: Mapped[int | None] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="SET NULL")
    )
    created_at: Mapped[Timestamp]
    withdrawn_at: Mapped[datetime | None]


class CutReview(Base):
    """A cut that a person must look at, for as long as it tells this story: why, and what was tried."""

    __tablename__ = "cut_reviews"
    __table_args__ = ({"schema": "studio"},)

    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"), primary_key=True)
    story_hash: Mapped[str] = mapped_column(CHAR(64), primary_key=True)
    reason: Mapped[str]
    tried: Mapped[list[Any]] = mapped_column(server_default="[]")
    created_at: Mapped[Timestamp]
