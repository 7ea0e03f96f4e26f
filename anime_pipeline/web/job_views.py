"""Jobs as the API shows them: the row of ``jobs`` with its take, its place in the story and its media."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Job, Reproduction, Take, TakeMedia
from anime_pipeline.web.problems import ProblemError, not_found
from anime_pipeline.web.schemas import Model, Utc

ENDED = frozenset({"completed", "failed", "timeout", "cancelled"})


class ChangedFact(Model):
    """A value of the recipe or of the environment that differs between two renderings."""

    field: str = Field(examples=["recipe.Shot (4).seed"])
    before: Any = None
    after: Any = None


class ReproductionView(Model):
    """What came of rendering a take's recipe again; null numbers where there was nothing to compare."""

    verdict: str = Field(
        examples=["identical"], description="identical, equal_within_2, different or not_rendered."
    )
    reason: str = Field(examples=["every pixel is the same"])
    max_difference: int | None = Field(None, description="Of 255.")
    changed_share: float | None = None
    psnr: float | None = Field(None, description="dB.")
    ssim: float | None = None
    worst_frame: int | None = None
    difference_url: str | None = Field(None, description="Picture of the worst frame's difference.")
    environment: list[ChangedFact] = Field(
        [], description="What of the recipe (where it was modified) and of the environment has changed."
    )


class JobView(Model):
    """A job. ``id`` and ``job_id`` are the same number; ``progress`` goes from 0 to 1."""

    id: int = Field(examples=[12])
    job_id: int = Field(examples=[12])
    job_type: str = Field(examples=["still_image"])
    status: str = Field(
        examples=["completed"],
        description="pending, queued, processing, quality_check, completed, failed, timeout or cancelled.",
    )
    progress: float = Field(examples=[1.0])
    project_id: int | None = None
    character_id: int | None = None
    scene_id: int | None = None
    cut_id: int | None = None
    cut_key: str | None = Field(None, examples=["lantern-post.e01.s003.c0040"])
    take_number: int | None = None
    priority: int = 0
    prompt: str | None = None
    negative_prompt: str | None = None
    output_path: str | None = Field(None, description="Where the media store keeps the film or picture.")
    error_message: str | None = None
    total_frames: int | None = None
    current_frame: int | None = None
    recipe_hash: str | None = None
    server_kind: str | None = Field(None, description="comfyui, or preview for an animatic.")
    selected: bool = False
    reproduces_job_id: int | None = None
    reproduction: ReproductionView | None = None
    media: dict[str, str] = Field({}, description="URLs of film or frame, thumbnail.")
    metadata: dict[str, Any] = Field({})
    created_at: Utc | None = None
    started_at: Utc | None = None
    completed_at: Utc | None = None


def show_jobs(session: Session, jobs: Sequence[Job]) -> list[JobView]:
    """Jobs in their order, with three queries for what belongs to them."""
    ids = [job.id for job in jobs]
    takes: dict[int, tuple[Take | None, str | None]] = {
        take.job_id: (take, key)
        for take, key in session.execute(
            select(Take, CutProfile.cut_key)
            .join(CutProfile, CutProfile.cut_id == Take.cut_id)
            .where(Take.job_id.in_(ids)),
            execution_options={"populate_existing": True},
        )
    }
    media: dict[int, dict[str, str]] = {}
    files = select(TakeMedia.job_id, TakeMedia.role).where(TakeMedia.job_id.in_(ids)).distinct()
    for job_id, role in session.execute(files):
        media.setdefault(job_id, {})[role] = f"/api/anime/jobs/{job_id}/{_PATHS.get(role, role)}"
    verdicts = {
        row.job_id: row for row in session.scalars(select(Reproduction).where(Reproduction.job_id.in_(ids)))
    }
    shown = []
    for job in jobs:
        take, key = takes.get(job.id, (None, None))
        shown.append(_view(job, take, key, media.get(job.id, {}), verdicts.get(job.id)))
    return shown


_PATHS = {"frame": "film"}


def show_job(session: Session, job_id: int) -> JobView:
    """One job; a problem, 404, where there is none."""
    session.flush()
    job = session.get(Job, job_id, populate_existing=True)
    if job is None:
        raise no_job(job_id)
    return show_jobs(session, [job])[0]


def no_job(job_id: int) -> ProblemError:
    """404 for a job."""
    return not_found("job", job_id, "GET /api/anime/jobs lists them.")


def progress_of(status: str, current: int | None, total: int | None) -> float:
    """How much of a job is done, 0 to 1: by frames while it is rendered, else by its status."""
    if status in ("completed", "quality_check"):
        return 1.0
    return round(min(1.0, (current or 0) / total), 4) if total else 0.0


def reproduction_view(row: Reproduction) -> ReproductionView:
    """A stored verdict on a second rendering."""
    return ReproductionView(
        verdict=row.verdict,
        reason=row.reason,
        max_difference=row.max_difference,
        changed_share=row.changed_share,
        psnr=row.psnr,
        ssim=row.ssim,
        worst_frame=row.worst_frame,
        difference_url=f"/api/anime/media/{row.difference_sha256}" if row.difference_sha256 else None,
        environment=[ChangedFact(**change) for change in row.environment],
    )


def _view(
    job: Job, take: Take | None, cut_key: str | None, media: dict[str, str], verdict: Reproduction | None
) -> JobView:
    status = job.status or "pending"
    return JobView(
        id=job.id,
        job_id=job.id,
        job_type=job.job_type,
        status=status,
        progress=progress_of(status, job.current_frame, job.total_frames),
        project_id=job.project_id,
        character_id=job.character_id,
        scene_id=job.scene_id,
        cut_id=job.cut_id,
        cut_key=cut_key,
        take_number=take.take_number if take else None,
        priority=job.priority or 0,
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        output_path=job.output_path,
        error_message=job.error_message,
        total_frames=job.total_frames,
        current_frame=job.current_frame,
        recipe_hash=take.recipe_hash if take else None,
        server_kind=take.server_kind if take else None,
        selected=bool(take and take.selected),
        reproduces_job_id=take.reproduces_job_id if take else None,
        reproduction=reproduction_view(verdict) if verdict else None,
        media=media,
        metadata=job.metadata_ or {},
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
    )
