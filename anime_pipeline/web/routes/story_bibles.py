"""Story bibles: an edit is a new version, and the old ones stay."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import select

from anime_pipeline.database.models import Project, StoryBible
from anime_pipeline.story.editing import add_bible, newest_bible
from anime_pipeline.story.lock import lock_story
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.problems import not_found, problems
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import LARGEST_ID, PathId
from anime_pipeline.web.shapes.projects import Bible, BibleShown
from anime_pipeline.web.state import Db

router = api_router("story bibles", prefix="/api/anime/projects/{project_id}/story-bible")


@router.get("", responses=problems(404))
@requires("viewer")
def read_story_bible(
    project_id: PathId,
    db: Db,
    version: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Unset: the newest.")] = None,
) -> BibleShown:
    """A project's story bible."""
    found(db, Project, project_id, "project")
    if version is None:
        bible = newest_bible(db, project_id)
    else:
        query = select(StoryBible).where(StoryBible.project_id == project_id)
        bible = db.scalars(query.where(StoryBible.version == version)).first()
    if bible is None:
        raise not_found("story bible", version or f"of project {project_id}", "POST one.")
    return BibleShown.of(bible)


@router.get("/versions", responses=problems(404))
@requires("viewer")
def list_story_bibles(project_id: PathId, db: Db, page: PageOf) -> Listing[BibleShown]:
    """Every version of a project's story bible."""
    found(db, Project, project_id, "project")
    query = select(StoryBible).where(StoryBible.project_id == project_id)
    return listed(db, query, StoryBible, page, lambda rows: [BibleShown.of(row) for row in rows])


@router.post("", status_code=201, responses=problems(404))
@requires("artist")
def create_story_bible(project_id: PathId, body: Bible, db: Db, change: ChangeOf) -> BibleShown:
    """Write a whole new version: fields that are not sent are empty."""
    lock_story(db)
    project = found(db, Project, project_id, "project")
    after = BibleShown.of(add_bible(db, project, body.model_dump()))
    return change.made("story_bible", after.id, after)


@router.put("", responses=problems(404, 412, 428))
@requires("artist")
def update_story_bible(project_id: PathId, body: Bible, db: Db, change: ChangeOf) -> BibleShown:
    """Write a new version in which the fields that are sent are changed; without a change there is none."""
    lock_story(db)
    project = found(db, Project, project_id, "project")
    newest = newest_bible(db, project_id)
    if newest is None:
        change.check(None)
        first = BibleShown.of(add_bible(db, project, body.model_dump()))
        return change.made("story_bible", first.id, first)
    before = BibleShown.of(newest)
    change.check(before)
    values = _values(before)
    changed = {**values, **body.model_dump(include=body.model_fields_set)}
    if changed == values:
        return before
    after = BibleShown.of(add_bible(db, project, changed))
    return change.changed("story_bible", after.id, before, after)


def _values(bible: BibleShown) -> dict[str, object]:
    """A shown bible as it would be sent; what an earlier system left empty is empty text."""
    empty = Bible().model_dump()
    shown = bible.model_dump(include=set(empty))
    return {name: empty[name] if value is None else value for name, value in shown.items()}
