"""Brings a recipe file into a studio: as a finished take that can be rendered again, outside any story."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Cut,
    CutProfile,
    Episode,
    GenerationParams,
    Job,
    MediaFile,
    Project,
    ProjectProfile,
    Recipe,
    RenderAttempt,
    Scene,
    Take,
    TakeMedia,
)
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.enqueue import JOB_TYPES
from anime_pipeline.rendering.environment import keep_environment
from anime_pipeline.rendering.extraction.parameters import extract
from anime_pipeline.rendering.generation_params import graph_params
from anime_pipeline.rendering.recipe_files import Manifest, ReadRecipe
from anime_pipeline.settings import Settings
from anime_pipeline.story.keys import CutKey

SLUG, NAME = "imported-recipes", "Imported recipes"


def import_recipe(session: Session, settings: Settings, read: ReadRecipe) -> int:
    """Store a recipe and its take; the take's job id. What was imported before is found again.

    The take belongs to a cut of the project ``imported-recipes`` that counts as omitted: nothing plans,
    measures or delivers it.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.import_recipe'))"))
    manifest = read.manifest
    known = session.scalar(
        select(Take.job_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .join(ProjectProfile, ProjectProfile.project_id == CutProfile.project_id)
        .where(
            ProjectProfile.slug == SLUG,
            Take.recipe_hash == manifest.recipe_hash,
            Take.pixels_sha256 == manifest.pixels_sha256,
            Take.reproduces_job_id.is_(None),
        )
    )
    store = MediaStore.of(settings)
    for file in manifest.files:
        stored = read.put_into(store, file)
        row = {
            **file.model_dump(exclude={"role", "position"}),
            "bytes": stored.bytes,
            "location": stored.location,
        }
        session.execute(insert(MediaFile).values(row).on_conflict_do_nothing())
    if known is not None:
        return known
    session.execute(insert(Recipe).values(_recipe_row(read)).on_conflict_do_nothing())
    return _take(session, read, _cut(session, manifest))


def _recipe_row(read: ReadRecipe) -> dict[str, Any]:
    fields = {"recipe_hash", "inputs", "models", "versions", "template_name", "template_sha256"}
    return {
        **read.manifest.model_dump(include=fields),
        "workflow": read.workflow,
        "parameters": extract(read.workflow).as_json(),
    }


def _cut(session: Session, manifest: Manifest) -> CutProfile:
    project = session.scalars(select(ProjectProfile).where(ProjectProfile.slug == SLUG)).one_or_none()
    if project is None:
        owner = Project(name=NAME, type="anime", description="Recipes that were brought from elsewhere.")
        session.add(owner)
        session.flush()
        project = ProjectProfile(
            project_id=owner.id, slug=SLUG, width=manifest.width, height=manifest.height, fps=manifest.fps
        )
        episode = Episode(project_id=owner.id, episode_number=0, title=NAME)
        session.add_all([project, episode])
        session.flush()
        session.add(Scene(episode_id=episode.id, scene_number=0, name=NAME))
        session.flush()
    scene_id = session.scalars(
        select(Scene.id).join(Episode).where(Episode.project_id == project.project_id).order_by(Scene.id)
    ).first()
    number = (session.scalar(select(func.max(Cut.cut_number)).where(Cut.scene_id == scene_id)) or 0) + 1
    cut = Cut(
        scene_id=scene_id,
        cut_number=number,
        description=f"{manifest.cut_key}, take {manifest.take_number}",
        duration_frames=manifest.duration_frames,
        status="omitted",
    )
    session.add(cut)
    session.flush()
    profile = CutProfile(
        cut_id=cut.id,
        project_id=project.project_id,
        cut_key=str(CutKey(SLUG, 0, 0, number)),
        kind=manifest.kind,
        fps=manifest.fps,
        workflow=manifest.template_name,
        omitted_at=datetime.now(),
    )
    session.add(profile)
    session.flush()
    return profile


def _take(session: Session, read: ReadRecipe, cut: CutProfile) -> int:
    manifest = read.manifest
    job = Job(
        project_id=cut.project_id,
        job_type=JOB_TYPES[manifest.kind],
        status="completed",
        prompt=manifest.prompt,
        negative_prompt=manifest.negative_prompt,
        cut_id=cut.cut_id,
        metadata_={"cut_key": manifest.cut_key, "take_number": manifest.take_number, "imported": True},
        completed_at=datetime.now(),
    )
    session.add(job)
    session.flush()
    session.add(
        Take(
            job_id=job.id,
            cut_id=cut.cut_id,
            take_number=1,
            recipe_hash=manifest.recipe_hash,
            ingredients=manifest.ingredients,
            server_kind=manifest.server_kind,
            pixels_sha256=manifest.pixels_sha256,
        )
    )
    session.flush()
    session.add_all(
        TakeMedia(job_id=job.id, role=file.role, position=file.position, sha256=file.sha256)
        for file in manifest.files
        if file.role != "input"
    )
    params = graph_params(read.workflow, extract(read.workflow))
    asked = {"width": manifest.width, "height": manifest.height, "fps": manifest.fps}
    session.add(GenerationParams(job_id=job.id, **{**params, **asked, "positive_prompt": manifest.prompt}))
    if manifest.environment is not None:
        session.add(
            RenderAttempt(
                job_id=job.id,
                server_url="imported",
                server_kind=manifest.server_kind or "comfyui",
                prompt_id=uuid.uuid4(),
                token=0,
                finished_at=func.now(),
                outcome="succeeded",
                environment_hash=keep_environment(session, manifest.environment),
            )
        )
    session.flush()
    return job.id
