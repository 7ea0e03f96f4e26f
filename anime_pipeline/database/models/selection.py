"""Which take stands for a cut and why: scores, neighbours' distances, people's choices, what films show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CHAR, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Timestamp


class SelectionScore(Base):
    """The score that a take is compared by, 0 to 1, with its terms; None where it has none.

    ``before_job_id`` is the take that its continuity term was made with.
    """

    __tablename__ = "selection_scores"
    __table_args__ = (Index("selection_scores_before", "before_job_id"), {"schema": "studio"})

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    score: Mapped[float | None]
    terms: Mapped[list[Any]]
    weights_sha256: Mapped[str] = mapped_column(CHAR(64))
    before_job_id: Mapped[int | None] = mapped_column(ForeignKey("studio.takes.job_id", ondelete="SET NULL"))
    scored_at: Mapped[Timestamp]


class ContinuityDistance(Base):
    """How far a take's first frame looks from the last one of a take of the cut before."""

    __tablename__ = "continuity_distances"
    __table_args__ = (Index("continuity_distances_before", "before_job_id"), {"schema": "studio"})

    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    before_job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
    backend: Mapped[str] = mapped_column(String(100), primary_key=True)
    backend_version: Mapped[str] = mapped_column(String(100))
    weights_sha256: Mapped[str | None] = mapped_column(CHAR(64))
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    distance: Mapped[float]
    measured_at: Mapped[Timestamp]


class TakeChoice(Base):
    """A person's choice of a take for its cut, holding until ``released_at``."""

    __tablename__ = "take_choices"
    __table_args__ = (
        Index("take_choices_holding", "cut_id", unique=True, postgresql_where=text("released_at IS NULL")),
        Index("take_choices_job", "job_id"),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"))
    job_id: Mapped[int] = mapped_column(ForeignKey("studio.takes.job_id", ondelete="CASCADE"))
    chosen_by: Mapped[str] = mapped_column(String(120))
    note: Mapped[str | None]
    chosen_at: Mapped[Timestamp]
    released_by: Mapped[str | None] = mapped_column(String(120))
    released_at: Mapped[datetime | None]


class DeliveryTake(Base):
    """A take that a delivery shows."""

    __tablename__ = "delivery_takes"
    __table_args__ = (Index("delivery_takes_job", "job_id"), {"schema": "studio"})

    delivery_id: Mapped[int] = mapped_column(
        ForeignKey("studio.deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    job_id: Mapped[int] = mapped_column(
        ForeignKey("studio.takes.job_id", ondelete="CASCADE"), primary_key=True
    )
