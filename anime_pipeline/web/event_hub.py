"""Events of jobs for any number of clients: one look at the database a moment, shared by all of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from anime_pipeline.database.job_events import (
    Position,
    StoredEvent,
    events_after,
    forget_old_events,
    newest_position,
)
from anime_pipeline.web.job_views import ENDED, progress_of

LOOK_SECONDS = 0.25
_FAILURE_SECONDS = 2.0
_TIDY_SECONDS = 3600.0
_PAGE = 1000
_LONGEST_QUEUE = 2000
_log = logging.getLogger(__name__)

EventType = Literal["progress", "complete", "error"]


class TooSlowError(Exception):
    """A client reads more slowly than things happen: it is let go, and may resume from its last event."""


@dataclass(frozen=True)
class Wanted:
    """What a client wants to hear of: one job, one project, or everything."""

    job_id: int | None = None
    project_id: int | None = None

    def fits(self, event: StoredEvent) -> bool:
        """Whether the client hears of this event."""
        return self.job_id in (None, event.job_id) and self.project_id in (None, event.project_id)


@dataclass(eq=False)
class _Client:
    wanted: Wanted
    queue: asyncio.Queue[StoredEvent | None] = field(default_factory=lambda: asyncio.Queue(_LONGEST_QUEUE))
    too_slow: bool = False


class EventHub:
    """Reads events while somebody listens, and hands each to those who want it. One per application."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clients: set[_Client] = set()
        self._task: asyncio.Task[None] | None = None
        self._position = Position(0, 0)
        self._tidied = 0.0
        self._starting = asyncio.Lock()

    @property
    def listeners(self) -> int:
        """How many clients listen now."""
        return len(self._clients)

    @asynccontextmanager
    async def listen(
        self, wanted: Wanted, after: Position | None
    ) -> AsyncIterator[AsyncIterator[StoredEvent]]:
        """The events after a position (None: from now on), those that are stored first, without a gap.

        The iterator raises :class:`TooSlowError` where the client does not keep up, and ends with the server.
        """
        client = _Client(wanted)
        async with self._starting:
            if self._task is None or self._task.done():
                self._position = await run_in_threadpool(self._newest)
                self._task = asyncio.create_task(self._watch())
            # From here on the hub hands over whatever comes after its position; before it, the client reads.
            self._clients.add(client)
            joined = self._position
        try:
            yield self._events(client, joined if after is None else after, joined)
        finally:
            self._clients.discard(client)

    def end_streams(self) -> None:
        """Let every client go: the server stops, and would wait for streams that last an hour."""
        for client in self._clients:
            self._put(client, None)

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _events(self, client: _Client, after: Position, joined: Position) -> AsyncIterator[StoredEvent]:
        heard = after
        while after < joined:
            page = await run_in_threadpool(self._read, after, client.wanted)
            for event in page:
                if event.position <= joined:
                    yield event
            if len(page) < _PAGE:
                break
            after = page[-1].position
        while True:
            new = await client.queue.get()
            if client.too_slow:
                raise TooSlowError
            if new is None:
                return
            if new.position > heard:  # a position that another process gave may be ahead of this one
                yield new

    async def _watch(self) -> None:
        while self._clients:
            try:
                page = await run_in_threadpool(self._read, self._position, Wanted())
                self._hand_out(page)
                if time.monotonic() - self._tidied > _TIDY_SECONDS or not self._tidied:
                    self._tidied = time.monotonic()
                    await run_in_threadpool(self._tidy)
                await asyncio.sleep(0 if len(page) == _PAGE else LOOK_SECONDS)
            except SQLAlchemyError as error:
                _log.warning("events of jobs cannot be read now: %s", error)
                await asyncio.sleep(_FAILURE_SECONDS)

    def _hand_out(self, page: list[StoredEvent]) -> None:
        for event in page:
            self._position = event.position
            for client in self._clients:
                if client.wanted.fits(event) and not client.too_slow:
                    self._put(client, event)

    def _put(self, client: _Client, event: StoredEvent | None) -> None:
        try:
            client.queue.put_nowait(event)
        except asyncio.QueueFull:
            client.too_slow = True

    def _newest(self) -> Position:
        with self._engine.connect() as connection:
            return newest_position(connection)

    def _read(self, after: Position, wanted: Wanted) -> list[StoredEvent]:
        with self._engine.connect() as connection:
            return events_after(connection, after, _PAGE, wanted.job_id, wanted.project_id)

    def _tidy(self) -> None:
        with self._engine.begin() as connection:
            forget_old_events(connection)


def type_of(status: str) -> EventType:
    """progress while a job goes on; complete or error at its end."""
    if status not in ENDED:
        return "progress"
    return "complete" if status == "completed" else "error"


def as_json(event: StoredEvent) -> dict[str, Any]:
    """What a client is told; ``event_id`` is what it resumes from."""
    return {
        "event_id": str(event.position),
        "type": type_of(event.status),
        "job_id": event.job_id,
        "project_id": event.project_id,
        "cut_key": event.cut_key,
        "job_type": event.job_type,
        "status": event.status,
        "progress": progress_of(event.status, event.current_frame, event.total_frames),
        "current_frame": event.current_frame,
        "total_frames": event.total_frames,
        "message": event.message,
        "timestamp": event.created_at.isoformat(),
    }
