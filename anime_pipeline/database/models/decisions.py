"""What people decided about gates: overrides and moved thresholds, logged for good."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CHAR, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Id, Timestamp


class GateOverride(Base):
    """A gate that a person opened though it had not passed; only its withdrawal is ever added to the row.

    Without ``standing`` it holds for exactly the state that ``judged_sha256`` names.
    """

    __tablename__ = "gate_overrides"
    __table_args__ = (
        Index("gate_overrides_scope", "scope_key", "phase", text("id DESC")),
        {"schema": "studio"},
    )

    id: Mapped[Id]
    scope_key: Mapped[str] = mapped_column(String(120))
    phase: Mapped[str] = mapped_column(String(30))
    verdict_id: Mapped[int]
    verdict: Mapped[str] = mapped_column(String(12))
    verdict_reason: Mapped[str]
    judged_sha256: Mapped[str] = mapped_column(CHAR(64))
    standing: Mapped[bool] = mapped_column(server_default=text("false"))
    overridden_by: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str]
    created_at: Mapped[Timestamp]
    withdrawn_by: Mapped[str | None] = mapped_column(String(120))
    withdrawn_reason: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]


class ThresholdChange(Base):
    """A threshold that a person moved: of one ``project`` (a slug), or without it of all.

    ``new_value`` None: the project has no threshold of its own any more.
    """

    __tablename__ = "threshold_changes"
    __table_args__ = ({"schema": "studio"},)

    id: Mapped[Id]
    project: Mapped[str | None] = mapped_column(String(63))
    gate_name: Mapped[str] = mapped_column(String(255))
    old_value: Mapped[float | None]
    new_value: Mapped[float | None]
    changed_by: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str | None]
    created_at: Mapped[Timestamp]
