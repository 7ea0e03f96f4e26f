"""Media: films, frames, thumbnails and contact sheets of the store, by hash, job or scope."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import Annotated

from fastapi import Path, Query, Request, Response
from PIL import Image
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery, Measurement, MediaFile, PhaseMetric
from anime_pipeline.delivery.sheets import build_contact_sheet
from anime_pipeline.media.errors import MissingMediaError
from anime_pipeline.media.film import Frame, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.job_quality import quality_of
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.rendering.takes import TakeFile, take_files
from anime_pipeline.settings import Settings
from anime_pipeline.story.keys import parse_scope
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.job_views import show_job
from anime_pipeline.web.media_answers import RESPONSES, bytes_answer, file_answer
from anime_pipeline.web.problems import ProblemError, not_found, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Model, PathId
from anime_pipeline.web.state import Db, RequestOf, SettingsOf

router = api_router("media")

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", examples=["0" * 64])]
ScopeKey = Annotated[str, Path(min_length=1, max_length=120, examples=["lantern-post.e01"])]
_FILE = {**RESPONSES, **problems(404, 410, 416)}
_PNG = {
    200: {
        "description": "A PNG picture.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    **problems(404, 410),
}


class SheetView(Model):
    """A contact sheet that was drawn, or found because it shows the same."""

    scope_key: str
    sha256: str
    url: str = Field(examples=["/api/anime/media/…"])


@router.head("/media/{sha256}", include_in_schema=False)
@router.get("/media/{sha256}", response_class=Response, responses=_FILE)
@requires("viewer")
def read_media(sha256: Sha256, request: RequestOf, db: Db, settings: SettingsOf) -> Response:
    """A file of the media store, whole or a single range of it (also a suffix: `bytes=-500`)."""
    file = db.get(MediaFile, sha256)
    if file is None:
        raise not_found("media file", sha256)
    return file_answer(request, MediaStore.of(settings), file, is_named_by_hash=True)


@router.head("/jobs/{job_id}/film", include_in_schema=False)
@router.get("/jobs/{job_id}/film", response_class=Response, responses=_FILE)
@requires("viewer")
def read_film(job_id: PathId, request: RequestOf, db: Db, settings: SettingsOf) -> Response:
    """A take's film, or the picture of a still."""
    return _of_role(job_id, ("film", "frame"), request, db, settings)


@router.head("/jobs/{job_id}/thumbnail", include_in_schema=False)
@router.get("/jobs/{job_id}/thumbnail", response_class=Response, responses=_FILE)
@requires("viewer")
def read_thumbnail(job_id: PathId, request: RequestOf, db: Db, settings: SettingsOf) -> Response:
    """A take's thumbnail: up to four of its frames side by side, WebP."""
    return _of_role(job_id, ("thumbnail",), request, db, settings)


@router.get("/jobs/{job_id}/frames/{frame}", response_class=Response, responses=_PNG)
@requires("viewer")
def read_frame(
    job_id: PathId,
    frame: Annotated[int, Path(ge=0, le=100_000)],
    request: RequestOf,
    db: Db,
    settings: SettingsOf,
) -> Response:
    """One frame of a take, counted from 0, as PNG."""
    return _frame(job_id, frame, request, db, settings)


@router.get("/jobs/{job_id}/worst-frame", response_class=Response, responses=_PNG)
@requires("viewer")
def read_worst_frame(
    job_id: PathId,
    request: RequestOf,
    db: Db,
    settings: SettingsOf,
    metric: Annotated[
        str | None,
        Query(pattern=r"^[a-z0-9_]{1,100}$", description="Unset: the first that the take failed."),
    ] = None,
) -> Response:
    """The frame in which a metric is worst, as PNG; X-Frame has its number, from 0."""
    show_job(db, job_id)
    number = _failed_frame(db, job_id) if metric is None else _worst_frame(db, job_id, metric)
    if number is None:
        what = "failed metric with values of frames" if metric is None else f"{metric} of frames"
        remedy = "Name a metric that was measured per frame."
        raise ProblemError(404, f"Job {job_id} has no {what}.", remedy)
    answer = _frame(job_id, number, request, db, settings)
    answer.headers["X-Frame"] = str(number)
    return answer


@router.head("/contact-sheets/{scope_key}", include_in_schema=False)
@router.get("/contact-sheets/{scope_key}", response_class=Response, responses=_FILE)
@requires("viewer")
def read_contact_sheet(scope_key: ScopeKey, request: RequestOf, db: Db, settings: SettingsOf) -> Response:
    """The newest contact sheet of a project, episode, scene or cut that was drawn."""
    file = db.scalars(
        select(MediaFile)
        .join(Delivery, Delivery.sha256 == MediaFile.sha256)
        .where(Delivery.scope_key == _scope(scope_key), Delivery.kind == "contact_sheet")
        .order_by(Delivery.id.desc())
        .limit(1)
    ).first()
    if file is None:
        raise not_found("contact sheet of", scope_key, "POST to the same path draws one.")
    return file_answer(request, MediaStore.of(settings), file)


@router.post("/contact-sheets/{scope_key}", status_code=201)
@requires("artist")
def draw_contact_sheet(
    scope_key: ScopeKey,
    change: ChangeOf,
    phase: Annotated[
        str, Query(pattern=f"^({'|'.join(PHASES)})$", description="Whose verdicts it shows.")
    ] = "phase_0_animatic",
) -> SheetView:
    """Draw the contact sheet of a project, an episode, a scene or a cut as it stands now."""
    built = build_contact_sheet(change.session, change.settings, _scope(scope_key), phase)
    shown = SheetView(scope_key=scope_key, sha256=built.sha256, url=f"/api/anime/media/{built.sha256}")
    return change.made("contact sheet", scope_key, shown)


def _scope(key: str) -> str:
    try:
        parse_scope(key)
    except StoryError as error:
        raise unprocessable("/scope_key", str(error), error.remedy, "path") from error
    return key


def _of_role(
    job_id: int, roles: tuple[str, ...], request: Request, session: Session, settings: Settings
) -> Response:
    files = _files(session, job_id, roles)
    file = session.get_one(MediaFile, files[0].sha256)
    return file_answer(request, MediaStore.of(settings), file)


def _files(session: Session, job_id: int, roles: tuple[str, ...]) -> list[TakeFile]:
    job = show_job(session, job_id)
    files = [file for file in take_files(session, [job_id]).get(job_id, []) if file.role in roles]
    if not files and job.status == "completed":
        raise ProblemError(404, f"Job {job_id} has no {roles[0]}.")
    if not files:
        raise ProblemError(
            404, f"Job {job_id} has no media: it is {job.status}.", "Wait until it is completed."
        )
    return files


def _frame(job_id: int, number: int, request: Request, session: Session, settings: Settings) -> Response:
    files = _files(session, job_id, ("film", "frame"))
    count = sum(file.frame_count or 1 for file in files)
    if number >= count:
        raise ProblemError(404, f"Job {job_id} has {count} frames.", f"Ask for 0 to {count - 1}.")
    tag = f'"{files[0].sha256}-{number}"'
    session.close()  # decoding takes a while, and needs no connection
    name = f"{job_id}-{number}.png"
    if request.headers.get("if-none-match") == tag:
        return bytes_answer(request, b"", tag, "image/png", name)
    try:
        picture = next(islice(_frames(MediaStore.of(settings), files), number, None), None)
    except MissingMediaError as error:
        raise ProblemError(410, "The film is no longer in the media store.", error.remedy) from error
    if picture is None:
        raise ProblemError(404, f"Frame {number} of job {job_id} cannot be decoded.")
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return bytes_answer(request, out.getvalue(), tag, "image/png", name)


def _frames(store: MediaStore, files: list[TakeFile]) -> Iterator[Frame]:
    for file in files:
        yield from iter_frames(store.local_path(file.sha256, file.suffix))


def _failed_frame(session: Session, job_id: int) -> int | None:
    """The worst frame of the first metric that the take fails as its phase asks now, and that has one."""
    quality = quality_of(session, [job_id]).get(job_id)
    failing = quality.judgement.failing if quality and quality.judgement else ()
    return next((one.worst_frame for one in failing if one.worst_frame is not None), None)


def _worst_frame(session: Session, job_id: int, metric: str) -> int | None:
    row = session.get(Measurement, (job_id, metric))
    if row is None:
        return None
    comparison = session.scalar(
        select(PhaseMetric.comparison).where(PhaseMetric.metric_name == metric).order_by(PhaseMetric.phase)
    )
    worst = row.details.get("lowest" if comparison == "at_least" else "highest")
    return int(worst["frame"]) if worst else None
