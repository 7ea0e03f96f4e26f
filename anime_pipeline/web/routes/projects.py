"""Projects: list, create, read, change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Project, ProjectProfile
from anime_pipeline.story.editing import slug_for
from anime_pipeline.story.lock import lock_story
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.problems import conflict, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import PathId, Storable
from anime_pipeline.web.shapes.projects import ProjectCreate, ProjectShown, ProjectUpdate
from anime_pipeline.web.state import Db

router = api_router("projects")
_COLUMNS = ("name", "description", "type", "status")


@router.get("/projects")
@requires("viewer")
def list_projects(
    db: Db,
    page: PageOf,
    status: Annotated[str | None, Query(max_length=50), Storable] = None,
    name: Annotated[str | None, Query(max_length=255, description="The whole name."), Storable] = None,
) -> Listing[ProjectShown]:
    """Every project."""
    query = select(Project)
    if status is not None:
        query = query.where(Project.status == status)
    if name is not None:
        query = query.where(Project.name == name)
    return listed(db, query, Project, page, lambda rows: _shown(db, rows))


@router.post("/projects", status_code=201)
@requires("artist")
def create_project(body: ProjectCreate, db: Db, change: ChangeOf) -> ProjectShown:
    """Make a project, ready for characters, episodes and cuts."""
    lock_story(db)
    _refuse_taken_name(db, body.name)
    if body.slug is not None:
        _refuse_taken_slug(db, body.slug)
    project = Project(**{name: getattr(body, name) for name in _COLUMNS}, metadata_=body.metadata)
    db.add(project)
    db.flush()
    profile = ProjectProfile(project_id=project.id, slug=body.slug or slug_for(db, body.name))
    _write_formats(profile, body, ProjectCreate.model_fields.keys())
    db.add(profile)
    db.flush()
    db.refresh(project)
    return change.made("project", project.id, ProjectShown.of(project, profile))


@router.get("/projects/{project_id}", responses=problems(404))
@requires("viewer")
def read_project(project_id: PathId, db: Db) -> ProjectShown:
    """A project with its formats."""
    return ProjectShown.of(found(db, Project, project_id, "project"), db.get(ProjectProfile, project_id))


@router.put("/projects/{project_id}", responses=problems(404, 412, 428))
@router.patch("/projects/{project_id}", responses=problems(404, 412, 428))
@requires("artist")
def update_project(project_id: PathId, body: ProjectUpdate, db: Db, change: ChangeOf) -> ProjectShown:
    """Change a project. Cuts keep their frame rate; another resolution makes takes stale."""
    lock_story(db)
    project = found(db, Project, project_id, "project", lock=True)
    profile = db.get(ProjectProfile, project_id)
    before = ProjectShown.of(project, profile)
    change.check(before)
    sent = body.model_fields_set
    if "name" in sent and body.name != project.name:
        _refuse_taken_name(db, body.name)
    profile = _profile_for(db, project, profile, body)
    for name in sent & set(_COLUMNS):
        setattr(project, name, getattr(body, name))
    if "metadata" in sent:
        project.metadata_ = body.metadata
    if profile is not None:
        _write_formats(profile, body, sent)
    if db.dirty or db.new:
        project.updated_at = func.now()
    db.flush()
    db.refresh(project)
    return change.changed("project", project_id, before, ProjectShown.of(project, profile))


def _profile_for(
    db: Session, project: Project, profile: ProjectProfile | None, body: ProjectUpdate
) -> ProjectProfile | None:
    """The project's formats; one that an earlier system made gets them with its slug."""
    sent = body.model_fields_set
    if "slug" in sent and profile is not None and body.slug != profile.slug:
        detail = f"The project is {profile.slug} in the keys of its cuts, which stay."
        raise unprocessable("/slug", detail, "Make a new project under the new slug.")
    if profile is None and "slug" in sent:
        _refuse_taken_slug(db, body.slug)
        profile = ProjectProfile(project_id=project.id, slug=body.slug)
        _write_formats(profile, ProjectCreate(name=project.name), ProjectCreate.model_fields.keys())
        db.add(profile)
    formats = sorted(sent & {"resolution", "fps", "workflows", "models", "identity_backend"})
    if profile is None and formats:
        raise unprocessable(f"/{formats[0]}", "The project has no slug yet.", "Send slug with it.")
    return profile


def _write_formats(profile: ProjectProfile, body: ProjectCreate | ProjectUpdate, names: Any) -> None:
    if "resolution" in names:
        profile.width, profile.height = map(int, body.resolution.split("x"))
    for name in ("workflows", "models"):
        if name in names:
            setattr(profile, name, getattr(body, name).model_dump(exclude_none=True))
    for name in ("fps", "identity_backend"):
        if name in names:
            setattr(profile, name, getattr(body, name))


def _refuse_taken_name(db: Session, name: str) -> None:
    if db.scalar(select(Project.id).where(Project.name == name)) is not None:
        raise conflict("/name", f"A project is called {name} already.", "Choose another name.")


def _refuse_taken_slug(db: Session, slug: str) -> None:
    if db.scalar(select(ProjectProfile.project_id).where(ProjectProfile.slug == slug)) is not None:
        raise conflict("/slug", f"The slug {slug} belongs to another project.", "Choose another slug.")


def _shown(db: Session, projects: Sequence[Project]) -> list[ProjectShown]:
    ids = [project.id for project in projects]
    rows = db.scalars(select(ProjectProfile).where(ProjectProfile.project_id.in_(ids)))
    profiles = {profile.project_id: profile for profile in rows}
    return [ProjectShown.of(project, profiles.get(project.id)) for project in projects]
