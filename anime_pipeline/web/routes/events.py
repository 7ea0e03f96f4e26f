"""Events of jobs: server-sent events and a WebSocket, both resumable, and tickets for browsers."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import delete
from sqlalchemy.orm import Session

from anime_pipeline.database.api_keys import sha256_of
from anime_pipeline.database.job_events import Position, StoredEvent
from anime_pipeline.database.models import EventTicket
from anime_pipeline.web.access import CallerOf, admit, refuse_foreign_pages, requires
from anime_pipeline.web.event_hub import EventHub, TooSlowError, Wanted, as_json, type_of
from anime_pipeline.web.job_views import JobView, show_job
from anime_pipeline.web.problems import ProblemError, escaped, problem_response, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import LARGEST_ID, Model, Utc
from anime_pipeline.web.state import Db, state_of

router = api_router("events")

TICKET_SECONDS = 60
STREAM_SECONDS = 3600.0
"""A stream ends after an hour; its client comes back with the last event's id, and shows its key again."""
HEARTBEAT_SECONDS = 15.0
MOST_LISTENERS = 1000

_RESUME = "An event's id: what came after it comes first. Unset: from now on."
JobId = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Only this job.")]
ProjectId = Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Only jobs of this project.")]
Resume = Annotated[str | None, Query(max_length=40, description=_RESUME, examples=["831-12"])]


class Ticket(Model):
    """A pass for one stream, to be used within a minute: `?ticket=…`."""

    ticket: str = Field(examples=["Zk2pXr0mVb8hQ1sJ5tYw"])
    expires_at: Utc


@router.post("/events/ticket", status_code=201)
@requires("viewer")
def make_ticket(caller: CallerOf, session: Db) -> Ticket:
    """A ticket for browsers, whose EventSource and WebSocket send no Authorization header. Valid once."""
    ticket = secrets.token_urlsafe(24)
    now = datetime.now(timezone.utc)
    session.execute(delete(EventTicket).where(EventTicket.expires_at < now))
    expires_at = now + timedelta(seconds=TICKET_SECONDS)
    session.add(
        EventTicket(
            ticket_sha256=sha256_of(ticket), actor=caller.name, role=caller.role, expires_at=expires_at
        )
    )
    return Ticket(ticket=ticket, expires_at=expires_at)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A stream of events: `progress`, `complete`, `error`.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": 'id: 831-12\nevent: complete\ndata: {"job_id": 12, "status": "completed"}\n\n',
                }
            },
        },
        **problems(404),
    },
)
@requires("viewer")
async def stream(
    request: Request,
    job_id: JobId = None,
    project_id: ProjectId = None,
    last_event_id: Resume = None,
    resumed_from: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=40, description=_RESUME)
    ] = None,
    ticket: Annotated[str | None, Query(max_length=100, description="In place of a key.")] = None,
) -> Response:
    """Follow jobs as server-sent events. With `job_id` the job's present state comes first.

    The stream says nothing else for up to 15 seconds (then a comment), and ends after an hour: come back
    with Last-Event-ID, which browsers do by themselves.
    """
    hub = state_of(request).events
    after = _position(resumed_from or last_event_id)
    first = None if job_id is None else await _present(request, job_id)
    _require_room(hub)
    frames = _frames(hub, Wanted(job_id, project_id), after, first)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def _frames(
    hub: EventHub, wanted: Wanted, after: Position | None, first: JobView | None
) -> AsyncIterator[str]:
    ends = time.monotonic() + STREAM_SECONDS
    yield "retry: 2000\n\n"
    async with hub.listen(wanted, after) as events:
        if first is not None and after is None:
            yield f"event: {type_of(first.status)}\ndata: {json.dumps(_told(first))}\n\n"
        pending: asyncio.Task[StoredEvent] | None = None
        try:
            while time.monotonic() < ends:
                pending = pending or asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait({pending}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    yield ": still here\n\n"
                    continue
                try:
                    event = pending.result()
                except (TooSlowError, StopAsyncIteration):
                    return
                pending = None
                told = as_json(event)
                yield f"id: {event.position}\nevent: {told['type']}\ndata: {json.dumps(told)}\n\n"
        finally:
            if pending is not None:
                pending.cancel()


@router.websocket("/ws")
@router.websocket("/ws/{job_id}")
async def follow(websocket: WebSocket) -> None:
    """Events as JSON, one a message. For one job: its present state first, and closed after its end."""
    try:
        await admit(websocket, "viewer")
        refuse_foreign_pages(websocket, state_of(websocket).settings)  # whoever their visitor is
        wanted, after = _asked(websocket)
        first = None if wanted.job_id is None else await _present(websocket, wanted.job_id)
        hub = state_of(websocket).events
        _require_room(hub)
    except ProblemError as error:
        await websocket.send_denial_response(problem_response(websocket, error))  # type: ignore[arg-type]
        return
    await websocket.accept()
    with suppress(WebSocketDisconnect, RuntimeError):
        await _tell(websocket, hub, wanted, after, first)


async def _tell(
    websocket: WebSocket, hub: EventHub, wanted: Wanted, after: Position | None, first: JobView | None
) -> None:
    async with hub.listen(wanted, after) as events:
        if first is not None and after is None:
            # Read again, now that nothing can be missed between this look and the first event.
            first = await _present(websocket, first.id)
            await websocket.send_json(_told(first))
            if type_of(first.status) != "progress":
                await websocket.close()
                return
        gone = asyncio.ensure_future(_until_gone(websocket))
        pending: asyncio.Task[StoredEvent] | None = None
        ends = time.monotonic() + STREAM_SECONDS
        try:
            while (left := ends - time.monotonic()) > 0:
                pending = pending or asyncio.ensure_future(anext(events))
                await asyncio.wait({pending, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() or not pending.done():
                    break
                try:
                    event = pending.result()
                except TooSlowError:
                    await websocket.close(1013, "too slow: come back with last_event_id")
                    return
                except StopAsyncIteration:
                    break
                pending = None
                await websocket.send_json(as_json(event))
                if wanted.job_id is not None and type_of(event.status) != "progress":
                    break
            if not gone.done():
                await websocket.close()
        finally:
            gone.cancel()
            if pending is not None:
                pending.cancel()


async def _until_gone(websocket: WebSocket) -> None:
    """What a client sends is read and dropped, so that its leaving is noticed."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return


def _asked(websocket: WebSocket) -> tuple[Wanted, Position | None]:
    # Read by hand: FastAPI would refuse a wrong number without a word about it.
    query = {**websocket.query_params, **websocket.path_params}
    unknown = sorted(query.keys() - {"job_id", "project_id", "last_event_id", "ticket"})
    if unknown:
        raise unprocessable(f"/{escaped(unknown[0])}", "There is no such parameter.", where="query")
    numbers: dict[str, int | None] = {"job_id": None, "project_id": None}
    for name in numbers:
        written = query.get(name)
        if written is not None:
            if not (written.isdecimal() and 1 <= int(written[:11]) <= LARGEST_ID):
                raise unprocessable(f"/{name}", "It is no id.", where="query")
            numbers[name] = int(written)
    return Wanted(**numbers), _position(query.get("last_event_id"))


def _position(written: str | None) -> Position | None:
    if not written:
        return None
    found = Position.parse(written)
    if found is None:
        raise unprocessable(
            "/last_event_id", "It is no event's id.", "Leave it out to start from now.", "query"
        )
    return found


def _require_room(hub: EventHub) -> None:
    if hub.listeners >= MOST_LISTENERS:
        raise ProblemError(
            503,
            f"{MOST_LISTENERS} clients listen already.",
            "Try again later.",
            headers={"Retry-After": "30"},
        )


async def _present(connection: Request | WebSocket, job_id: int) -> JobView:
    def read() -> JobView:
        with Session(state_of(connection).engine) as session:
            return show_job(session, job_id)

    return await run_in_threadpool(read)


def _told(job: JobView) -> dict[str, Any]:
    return {
        "event_id": None,
        "type": type_of(job.status),
        "job_id": job.id,
        "project_id": job.project_id,
        "cut_key": job.cut_key,
        "job_type": job.job_type,
        "status": job.status,
        "progress": job.progress,
        "current_frame": job.current_frame,
        "total_frames": job.total_frames,
        "message": job.error_message,
        "timestamp": datetime.now(timezone.utc).isoformat(),
    }
