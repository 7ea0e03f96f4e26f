"""The fleet's part of schema ``studio``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, String, text
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base, Now


class RenderServer(Base):
    """A render server: what it can do, as last probed, and whether takes may go to it.

    ``concurrency`` None: as many prompts as ANIME_PROMPTS_IN_FLIGHT says. ``failures`` counts those running.
    """

    __tablename__ = "render_servers"
    __table_args__ = ({"schema": "studio"},)

    url: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), server_default="active")
    concurrency: Mapped[int | None]
    kind: Mapped[str | None] = mapped_column(String(20))
    version: Mapped[str | None]
    devices: Mapped[list[Any]] = mapped_column(server_default="[]")
    vram_total: Mapped[int | None] = mapped_column(BigInteger)
    vram_free: Mapped[int | None] = mapped_column(BigInteger)
    node_classes: Mapped[list[str]] = mapped_column(server_default="{}")
    models: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    loaded_models: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    blocks: Mapped[int] = mapped_column(server_default=text("0"))
    probe_after: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    suspect: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    last_error: Mapped[str | None]
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    added_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=Now)
