"""Pictures that a user gives to a command: read, and kept in the media store."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.errors import QualityError
from anime_pipeline.story.pictures import Picture, PictureError, read_picture


def readable_picture(path: Path) -> Picture:
    """The picture of a file. Raises :class:`QualityError` with the file's name where it is none."""
    try:
        return read_picture(path.absolute().parent, path.name)
    except PictureError as error:
        raise QualityError(f"{path}: {error}", error.suggestion) from error


def keep_picture(session: Session, store: MediaStore, picture: Picture) -> None:
    """Put a picture into the store and note it in ``studio.media_files``; once is enough."""
    stored = store.put_file(picture.path, picture.suffix)
    row = {
        "sha256": stored.sha256,
        "kind": "image",
        "suffix": stored.suffix,
        "bytes": stored.bytes,
        "location": stored.location,
        "width": picture.width,
        "height": picture.height,
        "frame_count": 1,
    }
    session.execute(insert(MediaFile).values(row).on_conflict_do_nothing())
