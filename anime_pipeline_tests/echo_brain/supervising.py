"""A real reference supervisor over real sockets, and a clock that tests turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.supervisor.app import Supervisor, create_supervisor
from anime_pipeline.echo_brain.supervisor.misbehaviour import Misbehaviour
from anime_pipeline.echo_brain.supervisor.server import bind
from anime_pipeline.settings import Settings

SECRET = "a secret of both sides"


@dataclass
class TurnedClock:
    """Stands still until it is turned."""

    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **units: float) -> None:
        """Let time pass."""
        self.now += timedelta(**units)


@dataclass
class RunningSupervisor:
    """A supervisor that answers at ``url`` while it is up; down and up again it knows what it knew."""

    home: Path
    clock: TurnedClock
    port: int = 0
    supervisor: Supervisor | None = None
    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Any:
        assert self.supervisor is not None
        return self.supervisor.store

    def up(self) -> None:
        """Serve, on the same port as before."""
        listening = bind("127.0.0.1", self.port)
        self.port = listening.getsockname()[1]
        self.supervisor = Supervisor(self.home, SECRET, self.clock, allow_misbehaviour=True, dispatches=False)
        config = uvicorn.Config(
            create_supervisor(self.supervisor), log_level="critical", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Be gone: nobody listens."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(20)
            assert not self._thread.is_alive()
        self._server = self._thread = None

    def misbehave(self, kind: str, times: int | None = 1, seconds: float = 10.0, match: str = "") -> None:
        """Plan a fault."""
        assert self.supervisor is not None
        planned = {"kind": kind, "times": times, "seconds": seconds, "match": match}
        self.supervisor.misbehaviours.plan(Misbehaviour.model_validate(planned))

    def behave(self) -> None:
        """Drop every planned fault."""
        assert self.supervisor is not None
        self.supervisor.misbehaviours.clear()

    def received(self) -> list[dict[str, Any]]:
        """The events as they first came."""
        return [row["event"] for row in self.store.events()]

    def kinds(self, job_id: int) -> list[str]:
        """The types of a job's events, in the order in which they first came."""
        return [event["event_type"] for event in self.received() if event["job_id"] == job_id]


@contextmanager
def running_supervisor(home: Path, clock: TurnedClock) -> Iterator[RunningSupervisor]:
    """A supervisor for the block."""
    running = RunningSupervisor(home, clock)
    running.up()
    try:
        yield running
    finally:
        running.down()


def make_jobs(settings: Settings, count: int) -> list[int]:
    """Jobs that are being rendered; their ids."""
    with session_scope(settings) as session:
        rows = session.scalars(
            text(
                "INSERT INTO jobs (job_type, status) "
                "SELECT 'still_image', 'processing' FROM generate_series(1, :count) RETURNING id"
            ),
            {"count": count},
        )
        return list(rows)


def end_jobs(settings: Settings, job_ids: Sequence[int], status: str = "completed") -> None:
    """Let jobs come to an end, each in a transaction of its own."""
    for job_id in job_ids:
        with session_scope(settings) as session:
            session.execute(
                text("UPDATE jobs SET status = :status WHERE id = :id"), {"status": status, "id": job_id}
            )


def outbox_states(settings: Settings) -> dict[str, int]:
    """How many events are in each state."""
    with session_scope(settings) as session:
        rows = session.execute(text("SELECT state, count(*) AS n FROM studio.outbox GROUP BY state"))
        return {row.state: row.n for row in rows}
