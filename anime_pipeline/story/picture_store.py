"""Reference pictures into the media store, and their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.production import Production


class KeptFile(Protocol):
    """What a store says of a file that it took."""

    @property
    def sha256(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def location(self) -> str: ...


class PictureStore(Protocol):
    """The one thing that an import asks of a media store."""

    def put_file(self, path: Path, suffix: str | None = None) -> KeptFile:
        """Keep a file's bytes under their hash."""


def store_pictures(session: Session, production: Production, store: PictureStore) -> None:
    """Put every picture that the production names into the store and note it in ``studio.media_files``."""
    rows = {}
    for picture in production.source.pictures.values():
        kept = store.put_file(picture.path, picture.suffix)
        if (kept.sha256, kept.location) != (picture.sha256, picture.location):
            raise StoryError(f"The picture {picture.path} changed while it was imported.", "Import again.")
        rows[kept.sha256] = _row(kept, picture.width, picture.height)
    if rows:
        session.execute(insert(MediaFile).on_conflict_do_nothing(), list(rows.values()))


def note_picture(session: Session, kept: KeptFile, width: int, height: int) -> None:
    """Note a picture of the store in ``studio.media_files``; once is enough."""
    session.execute(insert(MediaFile).values(_row(kept, width, height)).on_conflict_do_nothing())


def _row(kept: KeptFile, width: int, height: int) -> dict[str, Any]:
    return {
        "sha256": kept.sha256,
        "kind": "image",
        "suffix": kept.suffix,
        "bytes": kept.bytes,
        "location": kept.location,
        "width": width,
        "height": height,
        "frame_count": 1,
    }
