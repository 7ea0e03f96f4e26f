"""Renders stored recipes again and says whether the same pictures came out, and if not, what has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Literal

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Job, Recipe, Reproduction, Take
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.differences import UnlikeFramesError, compare_frames
from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film import Frame, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.environment import (
    EnvironmentChange,
    Facts,
    environment_changes,
    environment_of,
    environment_of_take,
)
from anime_pipeline.rendering.events import OnEvent
from anime_pipeline.rendering.kept_frames import keep_frame
from anime_pipeline.rendering.modified_takes import recipe_changes
from anime_pipeline.rendering.second_takes import came_from_cache, forget_cached_results, queue_second_takes
from anime_pipeline.rendering.servers import render_servers
from anime_pipeline.rendering.takes import restore_pruned, take_files
from anime_pipeline.rendering.worker import drain
from anime_pipeline.settings import Settings

Verdict = Literal["identical", "equal_within_2", "different", "not_rendered"]

TOLERANCE = 2
_TRIES = 3


@dataclass(frozen=True)
class ReproductionReport:
    """What came of rendering take ``job_id`` again as take ``second_job_id``.

    ``max_difference`` is of 255; ``psnr`` in dB; ``difference_sha256`` names the picture of the worst frame
    in the media store. ``environment`` lists what has changed, where the pixels have or nothing was rendered;
    before that, where the second take's recipe was modified, what of it.
    """

    job_id: int
    second_job_id: int
    verdict: Verdict
    reason: str
    max_difference: int | None = None
    changed_share: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    worst_frame: int | None = None
    difference_sha256: str | None = None
    environment: tuple[EnvironmentChange, ...] = field(default_factory=tuple)


def reproduce(
    settings: Settings, job_ids: Collection[int], on_event: OnEvent | None = None
) -> list[ReproductionReport]:
    """Render finished takes again from their stored recipes, compare, and store each verdict.

    The second takes are never selected and never stand for their cuts. Raises
    :class:`~anime_pipeline.rendering.takes.TakeError`, and
    :class:`~anime_pipeline.rendering.comfyui_errors.ComfyError` when no server is to be had.
    """
    waiting = list(dict.fromkeys(job_ids))
    reports: dict[int, ReproductionReport] = {}
    for tries_left in reversed(range(_TRIES)):
        with session_scope(settings) as session:
            second = queue_second_takes(session, waiting)
        found = _rendered_again(settings, second, on_event, keep_cached=not tries_left)
        reports |= {report.job_id: report for report in found}
        waiting = [job_id for job_id in waiting if job_id not in reports]
        if not waiting:
            break
    return [reports[job_id] for job_id in dict.fromkeys(job_ids)]


def unjudged_second_takes(session: Session) -> dict[int, int]:
    """Second takes that someone asked for and that have no verdict yet: job id → the job rendered again."""
    rows = session.execute(
        text("""
            SELECT t.job_id, t.reproduces_job_id FROM studio.takes t
            JOIN jobs j ON j.id = t.job_id AND jsonb_exists(j.metadata, 'requested_by')
            WHERE t.reproduces_job_id IS NOT NULL AND j.status <> 'cancelled'
              AND NOT EXISTS (SELECT FROM studio.reproductions r WHERE r.job_id = t.job_id)
            ORDER BY t.job_id
        """)
    )
    return {row.job_id: row.reproduces_job_id for row in rows}


def serve_second_takes(settings: Settings, on_event: OnEvent | None = None) -> list[ReproductionReport]:
    """Render the second takes that someone asked for, and store each verdict.

    Raises :class:`~anime_pipeline.rendering.comfyui_errors.ComfyError` when no server is to be had.
    """
    with session_scope(settings) as session:
        second = unjudged_second_takes(session)
    return _rendered_again(settings, second, on_event, keep_cached=True) if second else []


def reproduction_of(session: Session, job_id: int) -> Reproduction | None:
    """The verdict on a take that renders another one again, None before there is one."""
    return session.get(Reproduction, job_id, populate_existing=True)


def _rendered_again(
    settings: Settings, second: dict[int, int], on_event: OnEvent | None, keep_cached: bool
) -> list[ReproductionReport]:
    """Render queued second takes and judge them.

    What a server answered from its cache is left out, or with ``keep_cached`` judged as not rendered.
    """
    with session_scope(settings) as session:
        forget_cached_results(session, settings)
    drain(settings, list(second), on_event)
    with session_scope(settings) as session:
        cached = {new for new in second if came_from_cache(session, new)}
    return [
        _judged(settings, new, old, from_cache=new in cached)
        for new, old in second.items()
        if keep_cached or new not in cached
    ]


def _judged(settings: Settings, new: int, old: int, from_cache: bool) -> ReproductionReport:
    """Compare and store, in a transaction of its own: a verdict that was found outlives what comes after."""
    with session_scope(settings) as session:
        report = _compared(session, settings, new, old, from_cache)
        _store(session, report)
    return report


def _store(session: Session, report: ReproductionReport) -> None:
    row = {name: value for name, value in asdict(report).items() if name not in ("job_id", "second_job_id")}
    row["environment"] = [asdict(change) for change in report.environment]
    statement = insert(Reproduction).values(job_id=report.second_job_id, **row)
    session.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=row))


def _compared(
    session: Session, settings: Settings, new: int, old: int, from_cache: bool
) -> ReproductionReport:
    status, error = session.execute(select(Job.status, Job.error_message).where(Job.id == new)).one()
    if status != "completed" or from_cache:
        reason = "the server answered from its cache" if from_cache else error or f"the take is {status}"
        changes = _changes(session, settings, new, old)
        return ReproductionReport(old, new, "not_rendered", reason, environment=changes)
    hashes = select(Take.job_id, Take.pixels_sha256).where(Take.job_id.in_([old, new]))
    pixels = {row.job_id: row.pixels_sha256 for row in session.execute(hashes)}
    if pixels[old] is not None and pixels[old] == pixels[new]:
        restored = restore_pruned(session, old, new)
        same = "every pixel is the same" + ("; its pruned media are back" if restored else "")
        changed = tuple(recipe_changes(session, new, old))
        return ReproductionReport(old, new, "identical", same, max_difference=0, environment=changed)
    changes = _changes(session, settings, new, old)
    if session.scalar(select(Take.pruned_at).where(Take.job_id == old)) is not None:
        reason = (
            "the pixels differ, and the first take's media were pruned, so that nothing tells by how much"
        )
        return ReproductionReport(old, new, "different", reason, environment=changes)
    store = MediaStore.of(settings)
    try:
        found = compare_frames(_frames(session, store, old), _frames(session, store, new))
    except (UnlikeFramesError, MediaError) as problem:
        reason = f"the pixels differ, and cannot be compared: {problem}"
        return ReproductionReport(old, new, "different", reason, environment=changes)
    if not found.max_difference:
        return ReproductionReport(old, new, "identical", "every pixel is the same", max_difference=0)
    within = found.max_difference <= TOLERANCE
    shown = f"{found.changed_share:.2%} of the values differ, by {found.max_difference} of 255 at most"
    picture = None if found.picture is None else keep_frame(session, store, found.picture)
    return ReproductionReport(
        old, new, "equal_within_2" if within else "different", shown, found.max_difference,
        found.changed_share, found.psnr, found.ssim, found.worst_frame, picture, changes,
    )  # fmt: skip


def _changes(session: Session, settings: Settings, new: int, old: int) -> tuple[EnvironmentChange, ...]:
    before, after = environment_of_take(session, old), environment_of_take(session, new)
    surroundings = environment_changes(before, after or _environment_now(session, settings, old))
    return (*recipe_changes(session, new, old), *surroundings)


def _environment_now(session: Session, settings: Settings, job_id: int) -> Facts | None:
    """What the first server that answers would render a take on: for takes that no server would render."""
    graph = session.scalar(select(Recipe.workflow).join(Take).where(Take.job_id == job_id))
    with suppress(ComfyError):
        client = ComfyClient(render_servers(settings)[0].url)
        return environment_of(client, client.object_info(), graph or {})
    return None


def _frames(session: Session, store: MediaStore, job_id: int) -> Iterator[Frame]:
    for file in take_files(session, [job_id]).get(job_id, []):
        if file.role in ("film", "frame"):
            yield from iter_frames(store.local_path(file.sha256, file.suffix))
