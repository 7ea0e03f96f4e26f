"""A character is approved: it gets the status, and the picture as its anchor."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import record
from anime_pipeline.database.models import CharacterAnchor
from anime_pipeline.echo_brain.events import CharacterApproved
from anime_pipeline.echo_brain.pictures import named_character, named_picture
from anime_pipeline.echo_brain.renders import SUPERVISOR
from anime_pipeline.quality.enrolment import GIVEN_ANCHOR
from anime_pipeline.quality.references import is_omitted
from anime_pipeline.settings import Settings


def approve_character(session: Session, settings: Settings, approved: CharacterApproved) -> dict[str, Any]:
    """Set the status and keep the picture as an anchor, once.

    The anchor has no embedding yet: ``anime-pipeline characters enroll`` makes it. Raises UserError for an
    unknown character, and for a picture that is none or lies outside the project's folder.
    """
    character = named_character(session, approved.character_id, lock=True)
    location = named_picture(session, settings, character, approved.approved_reference).location
    anchor = _anchor(session, character.id, location)
    before, character.status = character.status, "approved"
    session.flush()
    told = {"status": "approved", "anchor_id": anchor.id, "image_path": location}
    record(session, SUPERVISOR, "approve", "character", character.id, {"status": before}, told)
    return {"character_id": character.id, **told}


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
