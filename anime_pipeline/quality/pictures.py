"""Pictures that a user gives to a command: read, and kept in the media store."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.errors import QualityError
from anime_pipeline.story.picture_store import note_picture
from anime_pipeline.story.pictures import Picture, PictureError, read_picture


def readable_picture(path: Path) -> Picture:
    """The picture of a file. Raises :class:`QualityError` with the file's name where it is none."""
    try:
        return read_picture(path.absolute().parent, path.name)
    except PictureError as error:
        raise QualityError(f"{path}: {error}", error.suggestion) from error


def keep_picture(session: Session, store: MediaStore, picture: Picture) -> None:
    """Put a picture into the store and note it in ``studio.media_files``; once is enough."""
    note_picture(session, store.put_file(picture.path, picture.suffix), picture.width, picture.height)
