"""A character is approved: it gets the status, and the picture as its anchor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import record
from anime_pipeline.database.models import Character, CharacterAnchor, MediaFile, ProjectProfile
from anime_pipeline.echo_brain.events import CharacterApproved
from anime_pipeline.echo_brain.renders import SUPERVISOR
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.enrolment import GIVEN_ANCHOR
from anime_pipeline.quality.pictures import keep_picture
from anime_pipeline.quality.references import is_omitted
from anime_pipeline.settings import Settings
from anime_pipeline.story.pictures import PictureError, read_picture, stored_sha256


def approve_character(session: Session, settings: Settings, approved: CharacterApproved) -> dict[str, Any]:
    """Set the status and keep the picture as an anchor, once.

    The anchor has no embedding yet: ``anime-pipeline characters enroll`` makes it. Raises UserError for an
    unknown character, and for a picture that is none or lies outside the project's folder.
    """
    character = session.get(Character, approved.character_id, with_for_update=True)
    if character is None or is_omitted(character.metadata_):
        raise UserError(f"There is no character {approved.character_id}.", "anime-pipeline characters list")
    location = _kept(session, settings, character, approved.approved_reference)
    anchor = _anchor(session, character.id, location)
    before, character.status = character.status, "approved"
    session.flush()
    told = {"status": "approved", "anchor_id": anchor.id, "image_path": location}
    record(session, SUPERVISOR, "approve", "character", character.id, {"status": before}, told)
    return {"character_id": character.id, **told}


def _kept(session: Session, settings: Settings, character: Character, reference: str) -> str:
    """Where the media store has the picture: it has it already, or gets it from the project's folder."""
    sha256 = stored_sha256(reference)
    if sha256 is not None:
        media = session.scalar(select(MediaFile).where(MediaFile.sha256 == sha256, MediaFile.kind == "image"))
        if media is None or media.location != reference:
            raise UserError(f"The media store has no picture {reference}.", "name the picture of a take")
        return media.location
    folder = _folder(session, character)
    path = Path(reference)
    try:
        # An absolute path is as good, if it leads into the folder: read_picture looks where it really leads.
        relative = path.relative_to(folder) if path.is_absolute() else path
        picture = read_picture(folder, str(relative))
    except (PictureError, ValueError) as error:
        if not isinstance(error, PictureError):
            raise UserError(f"{reference} lies outside {folder}.", "copy the picture there") from None
        raise UserError(f"The approved reference cannot be used: {error}.", error.suggestion) from error
    keep_picture(session, MediaStore.of(settings), picture)
    return picture.location


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


def _anchor(session: Session, character_id: int, location: str) -> CharacterAnchor:
    query = select(CharacterAnchor).where(
        CharacterAnchor.character_id == character_id, CharacterAnchor.image_path == location
    )
    for anchor in session.scalars(query.order_by(CharacterAnchor.id)):
        if not is_omitted(anchor.metadata_):
            return anchor
    anchor = CharacterAnchor(
        character_id=character_id, anchor_type=GIVEN_ANCHOR, anchor_name=f"approved {location[3:15]}",
        image_path=location,
    )  # fmt: skip
    session.add(anchor)
    session.flush()
    return anchor
