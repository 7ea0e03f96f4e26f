"""The resource that assets, checks and sensors reach the studio's rooms through."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings


@dataclass(frozen=True)
class Studio:
    """One installation: its settings, its database, its media."""

    settings: Settings

    def session(self) -> AbstractContextManager[Session]:
        """A database session that commits when the block ends well."""
        return session_scope(self.settings)

    @property
    def store(self) -> MediaStore:
        """The media store."""
        return MediaStore.of(self.settings)
