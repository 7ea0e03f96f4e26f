"""What is remembered of composing recipes, in schema ``studio``."""

from __future__ import annotations

from sqlalchemy import CHAR, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from anime_pipeline.database.models.base import Base


class ComposedCut(Base):
    """The recipes that a cut wants, and what they were composed from; ``pictures`` are sha256 and suffix."""

    __tablename__ = "composed_cuts"
    __table_args__ = ({"schema": "studio"},)

    cut_id: Mapped[int] = mapped_column(ForeignKey("cuts.id", ondelete="CASCADE"), primary_key=True)
    told_sha256: Mapped[str] = mapped_column(CHAR(64))
    composer_sha256: Mapped[str] = mapped_column(CHAR(64))
    template_name: Mapped[str] = mapped_column(String(100))
    template_sha256: Mapped[str] = mapped_column(CHAR(64))
    first_frame_sha256: Mapped[str | None] = mapped_column(CHAR(64))
    pictures: Mapped[list[str]] = mapped_column(server_default="{}")
    recipe_hashes: Mapped[list[str]]
