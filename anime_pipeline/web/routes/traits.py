"""Attributes and variations of characters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, CharacterAttribute, CharacterVariation
from anime_pipeline.settings import Settings
from anime_pipeline.story.lock import lock_story
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import Change, ChangeOf
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.pictures import named_picture
from anime_pipeline.web.problems import conflict, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found, of_parent
from anime_pipeline.web.schemas import PathId
from anime_pipeline.web.shapes.characters import (
    AttributeBody,
    AttributeShown,
    AttributeUpdate,
    VariationBody,
    VariationOf,
    VariationShown,
    VariationType,
)
from anime_pipeline.web.state import Db

router = api_router("characters")
_TAKEN = "Change that one, or choose another name."


@router.get("/characters/{character_id}/attributes", responses=problems(404))
@requires("viewer")
def list_attributes(character_id: PathId, db: Db, page: PageOf) -> Listing[AttributeShown]:
    """A character's attributes."""
    found(db, Character, character_id, "character")
    query = select(CharacterAttribute).where(CharacterAttribute.character_id == character_id)
    return listed(
        db, query, CharacterAttribute, page, lambda rows: [AttributeShown.model_validate(row) for row in rows]
    )


@router.post("/characters/{character_id}/attributes", status_code=201, responses=problems(404))
@requires("artist")
def create_attribute(character_id: PathId, body: AttributeBody, db: Db, change: ChangeOf) -> AttributeShown:
    """Give a character an attribute; it has one of each type."""
    lock_story(db)
    found(db, Character, character_id, "character")
    _refuse_second(db, character_id, body.attribute_type)
    row = CharacterAttribute(character_id=character_id, **body.model_dump())
    db.add(row)
    db.flush()
    db.refresh(row)
    return change.made("character_attribute", row.id, AttributeShown.model_validate(row))


@router.get("/characters/{character_id}/attributes/{attribute_id}", responses=problems(404))
@requires("viewer")
def read_attribute(character_id: PathId, attribute_id: PathId, db: Db) -> AttributeShown:
    """One attribute of a character."""
    return AttributeShown.model_validate(_attribute(db, character_id, attribute_id))


@router.put("/characters/{character_id}/attributes/{attribute_id}", responses=problems(404, 412, 428))
@router.patch("/characters/{character_id}/attributes/{attribute_id}", responses=problems(404, 412, 428))
@requires("artist")
def update_attribute(
    character_id: PathId, attribute_id: PathId, body: AttributeUpdate, db: Db, change: ChangeOf
) -> AttributeShown:
    """Change an attribute. Exactly the cuts whose pictures show it become stale."""
    lock_story(db)
    row = _attribute(db, character_id, attribute_id)
    before = AttributeShown.model_validate(row)
    change.check(before)
    values = body.model_dump(include=body.model_fields_set)
    if values.get("attribute_type", row.attribute_type) != row.attribute_type:
        _refuse_second(db, character_id, values["attribute_type"])
    for name, value in values.items():
        setattr(row, name, value)
    db.flush()
    return change.changed("character_attribute", attribute_id, before, AttributeShown.model_validate(row))


@router.delete(
    "/characters/{character_id}/attributes/{attribute_id}", status_code=204, responses=problems(404, 412, 428)
)
@requires("artist")
def delete_attribute(character_id: PathId, attribute_id: PathId, db: Db, change: ChangeOf) -> None:
    """Take an attribute from a character."""
    lock_story(db)
    row = _attribute(db, character_id, attribute_id)
    before = AttributeShown.model_validate(row)
    change.check(before)
    db.delete(row)
    db.flush()
    change.removed("character_attribute", attribute_id, before)


@router.post("/characters/variations", status_code=201)
@requires("artist")
def create_variation_of(body: VariationOf, db: Db, change: ChangeOf) -> VariationShown:
    """Give the character that the body names a variation."""
    if db.get(Character, body.character_id) is None:
        detail = f"There is no character {body.character_id}."
        raise unprocessable("/character_id", detail, "GET /api/anime/characters")
    return _make_variation(db, change.settings, body.character_id, body, change)


@router.post("/characters/{character_id}/variations", status_code=201, responses=problems(404))
@requires("artist")
def create_variation(character_id: PathId, body: VariationBody, db: Db, change: ChangeOf) -> VariationShown:
    """Give a character a variation. Scenes and cuts wear it by its name."""
    found(db, Character, character_id, "character")
    return _make_variation(db, change.settings, character_id, body, change)


@router.get("/characters/{character_id}/variations", responses=problems(404))
@requires("viewer")
def list_variations(
    character_id: PathId,
    db: Db,
    page: PageOf,
    variation_type: Annotated[VariationType | None, Query()] = None,
) -> Listing[VariationShown]:
    """A character's variations, or those of one type."""
    found(db, Character, character_id, "character")
    query = select(CharacterVariation).where(CharacterVariation.character_id == character_id)
    if variation_type is not None:
        query = query.where(CharacterVariation.variation_type == variation_type)
    return listed(
        db, query, CharacterVariation, page, lambda rows: [VariationShown.model_validate(row) for row in rows]
    )


def _make_variation(
    db: Session, settings: Settings, character_id: int, body: VariationBody, change: Change
) -> VariationShown:
    lock_story(db)
    same = select(CharacterVariation.id).where(
        CharacterVariation.character_id == character_id,
        CharacterVariation.variation_name == body.variation_name,
    )
    if db.scalar(same.limit(1)) is not None:
        raise conflict("/variation_name", f"It has a variation {body.variation_name} already.", _TAKEN)
    picture = None
    if body.reference_image_path is not None:
        picture = named_picture(db, settings, body.reference_image_path, "/reference_image_path")
    row = CharacterVariation(
        character_id=character_id,
        variation_name=body.variation_name,
        variation_type=body.variation_type,
        prompt_modifiers=body.prompt_modifiers.model_dump(exclude_defaults=True),
        reference_image_path=picture.location if picture else None,
    )
    db.add(row)
    db.flush()
    db.refresh(row)
    return change.made("character_variation", row.id, VariationShown.model_validate(row))


def _attribute(db: Session, character_id: int, attribute_id: int) -> CharacterAttribute:
    return of_parent(
        db, CharacterAttribute, attribute_id, CharacterAttribute.character_id, character_id, "attribute"
    )


def _refuse_second(db: Session, character_id: int, attribute_type: str) -> None:
    same = select(CharacterAttribute.id).where(
        CharacterAttribute.character_id == character_id, CharacterAttribute.attribute_type == attribute_type
    )
    if db.scalar(same.limit(1)) is not None:
        raise conflict("/attribute_type", f"It has an attribute {attribute_type} already.", _TAKEN)
