"""Characters: list, create, read, change; and the prompt that one of them gives."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, CharacterAttribute, CharacterVariation, Project
from anime_pipeline.story.context import Variation
from anime_pipeline.story.editing import is_cast, with_marks
from anime_pipeline.story.figures import load_characters, worn_figure
from anime_pipeline.story.lock import lock_story
from anime_pipeline.story.prompts import compose_figure_prompt
from anime_pipeline.story.stored import DEFAULT_PROJECT
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.problems import conflict, not_found, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import PathId, QueryId, Storable
from anime_pipeline.web.shapes.characters import (
    CharacterCreate,
    CharacterListed,
    CharacterShown,
    CharacterStatus,
    CharacterUpdate,
    PartShown,
    PromptShown,
)
from anime_pipeline.web.state import Db

router = api_router("characters")
_ONE = "/characters/{character_id:int}"  # a number, so that /characters/variations is another path


@router.get("/characters")
@requires("viewer")
def list_characters(
    db: Db,
    page: PageOf,
    project_id: QueryId = None,
    status: Annotated[CharacterStatus | None, Query()] = None,
    name: Annotated[str | None, Query(max_length=255, description="The whole name."), Storable] = None,
) -> Listing[CharacterListed]:
    """Characters of all projects, or of one."""
    query = select(Character)
    for column, value in (
        (Character.project_id, project_id),
        (Character.status, status),
        (Character.name, name),
    ):
        if value is not None:
            query = query.where(column == value)
    return listed(
        db,
        query,
        Character,
        page,
        lambda rows: [CharacterListed(**CharacterListed.values(row)) for row in rows],
    )


@router.post("/characters", status_code=201)
@requires("artist")
def create_character(body: CharacterCreate, db: Db, change: ChangeOf) -> CharacterShown:
    """Make a character. A production file that is imported later neither changes nor omits it."""
    lock_story(db)
    _refuse_taken_name(db, body.name)
    project_id = body.project_id
    if project_id is None:
        project_id = db.scalar(select(Project.id).where(Project.name == DEFAULT_PROJECT))
    elif db.get(Project, project_id) is None:
        raise unprocessable("/project_id", f"There is no project {project_id}.", "GET /api/anime/projects")
    row = Character(
        **body.model_dump(exclude={"metadata", "project_id"}),
        project_id=project_id,
        metadata_=with_marks(body.metadata, None),
    )
    db.add(row)
    db.flush()
    db.refresh(row)
    return change.made("character", row.id, shown(db, row))


@router.get(_ONE, responses=problems(404))
@requires("viewer")
def read_character(character_id: PathId, db: Db) -> CharacterShown:
    """A character with its attributes and variations."""
    return shown(db, found(db, Character, character_id, "character"))


@router.put(_ONE, responses=problems(404, 412, 428))
@router.patch(_ONE, responses=problems(404, 412, 428))
@requires("artist")
def update_character(character_id: PathId, body: CharacterUpdate, db: Db, change: ChangeOf) -> CharacterShown:
    """Change a character. Cuts that show what changed become stale; all others stay current."""
    lock_story(db)
    row = found(db, Character, character_id, "character", lock=True)
    before = shown(db, row)
    change.check(before)
    values = body.model_dump(include=body.model_fields_set)
    if values.get("name", row.name) != row.name:
        _refuse_taken_name(db, values["name"])
        if is_cast(db, character_id):
            detail = f"{row.name} is in scenes, whose cuts name it."
            raise conflict("/name", detail, "Change the name in the production file, and import that.")
    if "metadata" in values:
        row.metadata_ = with_marks(values.pop("metadata"), row.metadata_)
    for name, value in values.items():
        setattr(row, name, value)
    if db.dirty:
        row.updated_at = func.now()
    db.flush()
    db.refresh(row)
    return change.changed("character", character_id, before, shown(db, row))


@router.get("/characters/{character_id}/prompt", responses=problems(404))
@requires("viewer")
def character_prompt(
    character_id: PathId,
    db: Db,
    variation_id: QueryId = None,
) -> PromptShown:
    """What the character adds to the prompt of a cut, as it is or in one of its variations."""
    found(db, Character, character_id, "character")
    variation = None
    if variation_id is not None:
        row = db.get(CharacterVariation, variation_id)
        if row is None or row.character_id != character_id:
            raise not_found("variation", f"{variation_id} of character {character_id}")
        variation = Variation(
            row.variation_name, row.variation_type or "outfit", dict(row.prompt_modifiers or {})
        )
    figure = worn_figure(load_characters(db, [character_id])[character_id], variation)
    prompt = compose_figure_prompt(figure)
    return PromptShown(
        character_id=character_id,
        variation_id=variation_id,
        positive_prompt=prompt.positive,
        negative_prompt=prompt.negative,
        parts=[PartShown.model_validate(part) for part in prompt.parts],
    )


def shown(db: Session, row: Character) -> CharacterShown:
    """A character as GET shows it."""
    attributes = select(CharacterAttribute).where(CharacterAttribute.character_id == row.id)
    variations = select(CharacterVariation).where(CharacterVariation.character_id == row.id)
    return CharacterShown.of(
        row,
        db.scalars(attributes.order_by(CharacterAttribute.id)).all(),
        db.scalars(variations.order_by(CharacterVariation.id)).all(),
    )


def _refuse_taken_name(db: Session, name: str) -> None:
    if db.scalar(select(Character.id).where(Character.name == name)) is not None:
        raise conflict("/name", f"A character is called {name} already.", "Choose another name.")
