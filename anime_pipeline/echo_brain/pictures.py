"""Pictures that the supervisor names: one of the media store, or one in a project's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, MediaFile, ProjectProfile
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.pictures import keep_picture
from anime_pipeline.quality.references import is_omitted
from anime_pipeline.settings import Settings
from anime_pipeline.story.pictures import PictureError, read_picture, stored_sha256


@dataclass(frozen=True)
class NamedPicture:
    """A picture of the store: its ``location`` there, and a local file with its bytes."""

    location: str
    path: Path


def named_character(session: Session, character_id: int, lock: bool = False) -> Character:
    """The character of an id. Raises UserError where there is none."""
    character = session.get(Character, character_id, with_for_update=lock or None)
    if character is None or is_omitted(character.metadata_):
        raise UserError(f"There is no character {character_id}.", "anime-pipeline characters list")
    return character


def named_picture(session: Session, settings: Settings, character: Character, reference: str) -> NamedPicture:
    """The picture that ``reference`` names; one of the project's folder is then kept in the store.

    Raises UserError for what is no picture, and for a path that leads out of the folder.
    """
    store = MediaStore.of(settings)
    sha256 = stored_sha256(reference)
    if sha256 is not None:
        media = session.scalar(select(MediaFile).where(MediaFile.sha256 == sha256, MediaFile.kind == "image"))
        if media is None or media.location != reference:
            raise UserError(f"The media store has no picture {reference}.", "name the picture of a take")
        return NamedPicture(media.location, store.local_path(media.sha256, media.suffix))
    folder = _folder(session, character)
    path = Path(reference)
    try:
        # An absolute path is as good, if it leads into the folder: read_picture looks where it really leads.
        relative = path.relative_to(folder) if path.is_absolute() else path
        picture = read_picture(folder, str(relative))
    except PictureError as error:
        raise UserError(f"The picture cannot be used: {error}.", error.suggestion) from error
    except ValueError:
        raise UserError(f"{reference} lies outside {folder}.", "copy the picture there") from None
    keep_picture(session, store, picture)
    return NamedPicture(picture.location, picture.path)


def _folder(session: Session, character: Character) -> Path:
    source = session.scalar(
        select(ProjectProfile.source_path).where(ProjectProfile.project_id == character.project_id)
    )
    if source is None:
        raise UserError(
            f"The project of {character.name} was not imported from a file, so it has no folder of pictures.",
            "name a picture of the media store, such as a take's frame",
        )
    return Path(source).parent
