"""Pictures that clients name: one of the media store, or a file that is then kept there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.errors import QualityError
from anime_pipeline.quality.pictures import keep_picture, readable_picture
from anime_pipeline.settings import Settings
from anime_pipeline.story.pictures import stored_sha256
from anime_pipeline.web.paths import allowed_path
from anime_pipeline.web.problems import unprocessable


@dataclass(frozen=True)
class NamedPicture:
    """A picture of the store: its ``location`` there, and a local file with its bytes."""

    location: str
    path: Path


def named_picture(session: Session, settings: Settings, text: str, pointer: str) -> NamedPicture:
    """The picture that a client names by its location in the store or by a path: see :mod:`paths`.

    Raises a problem, 422 at ``pointer``, for what is no PNG, JPEG or WebP of a usable size.
    """
    store = MediaStore.of(settings)
    sha256 = stored_sha256(text)
    kept = session.get(MediaFile, sha256) if sha256 else None
    if kept is not None and kept.kind == "image" and kept.location == text:
        return NamedPicture(kept.location, store.local_path(kept.sha256, kept.suffix))
    path = allowed_path(settings, text, pointer)
    try:
        picture = readable_picture(path)
    except QualityError as error:
        raise unprocessable(pointer, str(error).replace(str(path), text), error.remedy) from error
    keep_picture(session, store, picture)
    return NamedPicture(picture.location, path)
