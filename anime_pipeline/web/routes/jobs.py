"""Jobs: asking for takes, following them, rendering them again, cancelling and retrying them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import BackgroundTasks, Query
from pydantic import Field, model_validator
from sqlalchemy import select

from anime_pipeline.database.models import Character, GenerationParams, Job, JobCallback
from anime_pipeline.echo_brain.callbacks import CallbackError, want_callback
from anime_pipeline.quality.requests import request_measuring
from anime_pipeline.rendering import queue_admin
from anime_pipeline.rendering.modified_takes import queue_modified_take
from anime_pipeline.rendering.requests import (
    JobType,
    RequestError,
    ShotRequest,
    mark_requested,
    request_cut,
    request_shot,
)
from anime_pipeline.story.unscripted import CastMember
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import Change, ChangeOf
from anime_pipeline.web.job_views import JobView, show_job, show_jobs
from anime_pipeline.web.pagination import Listing, PageOf, listed
from anime_pipeline.web.problems import ProblemError, conflict, not_found, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Body, Model, Name, PathId, QueryId, RowId, Short, Storable, Text, Utc
from anime_pipeline.web.state import Db

router = api_router("jobs")

Seed = Annotated[int, Field(ge=0, le=2**64 - 1, examples=[18446744073709551615])]
Side = Annotated[int, Field(ge=16, le=8192, multiple_of=2)]
_STATUSES = "pending|queued|processing|quality_check|completed|failed|timeout|cancelled"
_OF_THE_CUT = frozenset({"cut_id", "priority", "callback_url"})


class GenerateRequest(Body):
    """A take to be rendered: of a cut (`cut_id`), or free (`prompt`, and a project or character).

    A cut's take is what the story says, so only `priority` goes with `cut_id`. A free take gets an unscripted
    cut of its own, which no film shows; it is measured and reproducible as any other.
    """

    cut_id: RowId | None = None
    prompt: Text | None = Field(None, examples=["a lantern on a rainy pier"])
    negative_prompt: Text = ""
    project_id: RowId | None = Field(None, description="Unset: the character's project.")
    character_id: RowId | None = None
    variation: Name | None = Field(None, description="What the character wears: one of its variations.")
    expression: Short | None = Field(None, description="What the character feels.")
    job_type: JobType = "still_image"
    frames: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Unset: 1 for stills, 16 for loops, 120 for videos."
    )
    fps: Annotated[int, Field(ge=1, le=240)] | None = Field(None, description="Unset: the project's.")
    width: Side | None = Field(None, description="Pixels, even. Unset: the project's.")
    height: Side | None = Field(None, description="Pixels, even. Unset: the project's.")
    seed: Seed | None = Field(None, description="Unset: drawn from the cut's key.")
    workflow: Short | None = Field(None, description="A workflow template; unset: the project's.")
    priority: int = Field(0, ge=-1000, le=1000, description="The higher goes first.")
    callback_url: Annotated[str, Field(min_length=1, max_length=2000), Storable] | None = Field(
        None, description="Where the job's end is posted to; an operator allows hosts."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> GenerateRequest:
        if self.cut_id is not None and (extra := sorted(self.model_fields_set - _OF_THE_CUT)):
            raise ValueError(f"a take of a cut is as the story says: leave {', '.join(extra)} out, or cut_id")
        if self.cut_id is None and not (self.prompt and self.prompt.strip()):
            raise ValueError("a take without a cut needs a prompt")
        return self


class ParamsView(Model):
    """What a job was rendered with. Seeds go to 2^64-1; `seed_text` is for clients that count in doubles."""

    job_id: int
    positive_prompt: str
    negative_prompt: str | None
    seed: int = Field(examples=[18446744073709551615])
    seed_text: str = Field(examples=["18446744073709551615"])
    subseed: int | None
    model_name: str
    model_hash: str | None
    vae_name: str | None
    sampler_name: str | None
    scheduler: str | None
    steps: int | None
    cfg_scale: float | None
    width: int | None
    height: int | None
    frame_count: int | None
    fps: int | None
    batch_size: int | None
    n_iter: int | None
    lora_models: list[Any] | None
    controlnet_configs: list[Any] | None
    ipadapter_refs: list[Any] | None
    comfyui_workflow: dict[str, Any] | None
    created_at: Utc | None


class Modifications(Body):
    """Values of the recipe to change. A workflow without a place for one of them refuses it."""

    prompt: Annotated[Text, Field(min_length=1)] | None = None
    negative_prompt: Text | None = None
    seed: Seed | None = None
    width: Side | None = None
    height: Side | None = None
    frames: Annotated[int, Field(ge=1, le=100_000)] | None = None
    fps: Annotated[int, Field(ge=1, le=240)] | None = None


class ReproduceRequest(Body):
    """Render a finished take's stored recipe again; without modifications the pixels should be the same."""

    modifications: Modifications = Modifications()


class Attempt(Model):
    """One try at rendering a take on one server."""

    attempt_id: int
    server_url: str
    server_kind: str
    prompt_id: str
    token: int
    started_at: Utc
    finished_at: Utc | None
    gpu_seconds: float | None
    outcome: str | None
    error_class: str | None
    message: str | None


class Attempts(Model):
    """Every attempt at a take, oldest first."""

    items: list[Attempt]


class _CallbackWanted(Model):
    callback_url: str


@router.post("/generate", status_code=202, responses=problems(404))
@requires("artist")
def generate(asked: GenerateRequest, change: ChangeOf) -> JobView:
    """Queue a take; follow it at `GET /api/anime/jobs/{id}` or as events.

    The sensor `render_backlog` renders it. A cut whose take is finished already answers with that.
    """
    session, settings, who = change.session, change.settings, change.actor.name
    try:
        if asked.cut_id is not None:
            planned = request_cut(session, settings, asked.cut_id, who, asked.priority)[-1]
            job_id, is_finished = planned.job_id or 0, planned.state == "current"
        else:
            is_finished = False
            job_id = request_shot(session, settings, _shot(asked, change), who)
            request_measuring(session, [job_id], who)
    except RequestError as error:
        raise unprocessable(f"/{error.field}" if error.field else "", str(error), error.remedy) from error
    if asked.callback_url is not None:
        _want_callback(change, job_id, asked.callback_url)
    shown = show_job(session, job_id)
    return shown if is_finished else change.made("job", job_id, shown)


@router.get("/jobs")
@requires("viewer")
def list_jobs(
    session: Db,
    page: PageOf,
    status: Annotated[str | None, Query(pattern=f"^({_STATUSES})$")] = None,
    job_type: JobType | None = None,
    project_id: QueryId = None,
    character_id: QueryId = None,
    cut_id: QueryId = None,
) -> Listing[JobView]:
    """Jobs, oldest first unless `order` says otherwise."""
    query = select(Job)
    wanted = {
        Job.status: status,
        Job.job_type: job_type,
        Job.project_id: project_id,
        Job.character_id: character_id,
        Job.cut_id: cut_id,
    }
    for column, value in wanted.items():
        query = query if value is None else query.where(column == value)
    return listed(session, query, Job, page, lambda jobs: show_jobs(session, jobs))


@router.get("/jobs/{job_id}", responses=problems(404))
@requires("viewer")
def read_job(job_id: PathId, session: Db) -> JobView:
    """A job with its progress, its media and, for a take that renders another one again, the verdict."""
    return show_job(session, job_id)


@router.get("/jobs/{job_id}/params", responses=problems(404))
@requires("viewer")
def read_params(job_id: PathId, session: Db) -> ParamsView:
    """What a job was rendered with; the seed comes back exactly."""
    show_job(session, job_id)
    params = session.scalars(
        select(GenerationParams).where(GenerationParams.job_id == job_id).order_by(GenerationParams.id.desc())
    ).first()
    if params is None:
        raise not_found("record of parameters of job", job_id)
    names = [name for name in ParamsView.model_fields if name not in ("job_id", "seed_text")]
    return ParamsView(
        job_id=job_id, seed_text=str(params.seed), **{name: getattr(params, name) for name in names}
    )


@router.get("/jobs/{job_id}/attempts", responses=problems(404))
@requires("viewer")
def read_attempts(job_id: PathId, session: Db) -> Attempts:
    """Every attempt at a take: where, when, and how it ended."""
    show_job(session, job_id)
    return Attempts(items=[Attempt.model_validate(one) for one in queue_admin.attempts_of(session, job_id)])


@router.post("/jobs/{job_id}/reproduce", status_code=202, responses=problems(404))
@requires("artist")
def reproduce(job_id: PathId, asked: ReproduceRequest, change: ChangeOf) -> JobView:
    """Queue a second rendering of a finished take's recipe; the job to follow carries the verdict.

    It never stands for its cut. With modifications, the verdict says what of the recipe has changed.
    """
    show_job(change.session, job_id)
    wanted = asked.modifications.model_dump(exclude_none=True)
    new_id = queue_modified_take(change.session, change.settings, job_id, wanted)
    mark_requested(change.session, [new_id], change.actor.name)
    return change.made("job", new_id, show_job(change.session, new_id))


@router.post("/jobs/{job_id}/cancel", responses=problems(404))
@requires("artist")
def cancel(job_id: PathId, change: ChangeOf, later: BackgroundTasks) -> JobView:
    """Cancel a job that waits or is being rendered; its prompt is taken off the server afterwards."""
    before = _require_status(change, job_id, "queued", "processing")
    takes = queue_admin.cancel(change.session, str(job_id))
    attempts = queue_admin.close_attempts(change.session, takes)
    later.add_task(queue_admin.take_off_servers, attempts)
    after = show_job(change.session, job_id)
    change.done("cancel", "job", job_id, after, before)
    return after


@router.post("/jobs/{job_id}/retry", status_code=202, responses=problems(404))
@requires("artist")
def retry(job_id: PathId, change: ChangeOf) -> JobView:
    """Queue a failed or cancelled job again, with all its attempts."""
    before = _require_status(change, job_id, "failed", "cancelled", "timeout")
    queue_admin.retry(change.session, str(job_id))
    mark_requested(change.session, [job_id], change.actor.name)
    after = show_job(change.session, job_id)
    change.done("retry", "job", job_id, after, before)
    return after


def _want_callback(change: Change, job_id: int, url: str) -> None:
    wanted = change.session.get(JobCallback, job_id)
    if wanted is not None and wanted.url != url:
        detail = f"The end of job {job_id} is posted to another URL already."
        raise conflict("/callback_url", detail, "Follow it as events.")
    if wanted is not None:
        return
    try:
        want_callback(change.session, change.settings, job_id, url)
    except CallbackError as error:
        raise unprocessable("/callback_url", str(error), error.remedy) from error
    change.done("want a callback", "job", job_id, _CallbackWanted(callback_url=url))


def _shot(asked: GenerateRequest, change: ChangeOf) -> ShotRequest:
    project_id = asked.project_id
    if asked.character_id is not None:
        character = change.session.get(Character, asked.character_id)
        if character is None:
            raise unprocessable("/character_id", f"There is no character {asked.character_id}.")
        project_id = project_id or character.project_id
        if character.project_id != project_id:
            raise unprocessable("/character_id", f"{character.name} is not of project {project_id}.")
    elif asked.variation or asked.expression:
        name = "variation" if asked.variation else "expression"
        raise unprocessable(f"/{name}", "It belongs to a character.", "Name the character_id too.")
    if project_id is None:
        raise unprocessable("/project_id", "A free take needs a project, or a character that has one.")
    cast: tuple[CastMember, ...] = ()
    if asked.character_id is not None:
        cast = (CastMember(asked.character_id, asked.variation, asked.expression),)
    return ShotRequest(
        project_id=project_id,
        job_type=asked.job_type,
        prompt=asked.prompt or "",
        negative_prompt=asked.negative_prompt,
        frames=asked.frames,
        fps=asked.fps,
        width=asked.width,
        height=asked.height,
        seed=asked.seed,
        workflow=asked.workflow,
        priority=asked.priority,
        cast=cast,
    )


def _require_status(change: ChangeOf, job_id: int, *statuses: str) -> JobView:
    """The job as it is. Raises a problem: 404, and 409 where it has none of these statuses."""
    job = show_job(change.session, job_id)
    if job.status not in statuses:
        raise ProblemError(
            409, f"Job {job_id} is {job.status}.", f"This can be done while it is {' or '.join(statuses)}."
        )
    return job
