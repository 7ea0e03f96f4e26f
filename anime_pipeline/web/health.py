"""How the house is: asked of the databases alone, so that the answer is quick whatever hangs elsewhere."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Literal

from pydantic import Field
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from anime_pipeline.database import server
from anime_pipeline.database.migrations import head_revision, revision_on
from anime_pipeline.settings import Settings
from anime_pipeline.web.schemas import Model

SILENT_AFTER_SECONDS = 300
"""A daemon of Dagster beats twice a minute; after this long it is taken for dead."""


class DatabaseHealth(Model):
    """The database that answered."""

    revision: str | None = Field(examples=["0012_access"])
    current: bool = Field(description="It has every migration of this version.")


class Daemon(Model):
    """One of Dagster's daemons."""

    name: str = Field(examples=["SENSOR"])
    seconds_since_heartbeat: float = Field(examples=[12.5])
    alive: bool


class DagsterHealth(Model):
    """Dagster by the heartbeats in its storage. ``not_running`` is no fault: nothing runs unattended."""

    state: Literal["running", "silent", "not_running", "unreachable"]
    daemons: list[Daemon]


class ServerHealth(Model):
    """A render server as the fleet last saw it."""

    url: str = Field(examples=["http://gpu-1:8188"])
    state: str = Field(examples=["active"])
    kind: str | None = Field(examples=["comfyui"])
    failures: int = Field(description="Failures running.")
    in_flight: int = Field(description="Takes leased to it.")
    last_error: str | None
    seen_at: datetime | None


class QueueDepth(Model):
    """How many takes wait, are being rendered, and have failed."""

    queued: int
    processing: int
    failed: int


class Health(Model):
    """``degraded``: something in ``problems`` wants a look; the API works all the same."""

    status: Literal["ok", "degraded"]
    problems: list[str]
    database: DatabaseHealth
    dagster: DagsterHealth
    servers: list[ServerHealth]
    queue: QueueDepth


def health_of(session: Session, settings: Settings) -> Health:
    """Ask the database, Dagster's storage and the fleet's table."""
    revision = revision_on(session.connection())
    database = DatabaseHealth(revision=revision, current=revision == head_revision())
    dagster, servers, queue = _dagster(settings), _servers(session), _queue(session)
    problems = [] if database.current else ["the database lacks migrations: anime-pipeline db migrate"]
    if dagster.state in ("silent", "unreachable"):
        problems.append(f"Dagster is {dagster.state}: anime-pipeline dev")
    problems += [f"{one.url} is {one.state}: {one.last_error}" for one in servers if one.state == "blocked"]
    if queue.failed:
        problems.append(f"{queue.failed} takes have failed: anime-pipeline queue list --state failed")
    return Health(
        status="degraded" if problems else "ok", problems=problems, database=database, dagster=dagster,
        servers=servers, queue=queue,
    )  # fmt: skip


def _dagster(settings: Settings) -> DagsterHealth:
    engine = create_engine(
        server.dagster_database_url(settings), poolclass=NullPool, connect_args={"connect_timeout": 3}
    )
    try:
        with engine.connect() as connection:
            rows = connection.execute(
                text("SELECT daemon_type, timestamp FROM daemon_heartbeats ORDER BY 1")
            ).all()
    except ProgrammingError:  # no daemon has ever run: Dagster makes its tables when it starts
        return DagsterHealth(state="not_running", daemons=[])
    except OperationalError as error:
        missing = "does not exist" in str(error.orig)
        return DagsterHealth(state="not_running" if missing else "unreachable", daemons=[])
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    ages = [(row.daemon_type, (now - row.timestamp).total_seconds()) for row in rows]
    daemons = [
        Daemon(name=name, seconds_since_heartbeat=age, alive=age < SILENT_AFTER_SECONDS) for name, age in ages
    ]
    if not daemons:
        return DagsterHealth(state="not_running", daemons=[])
    alive = any(daemon.alive for daemon in daemons)
    return DagsterHealth(state="running" if alive else "silent", daemons=daemons)


def _servers(session: Session) -> list[ServerHealth]:
    rows = session.execute(
        text("""
            SELECT url, state, kind, failures, last_error, seen_at,
                   (SELECT count(*) FROM studio.render_leases l WHERE l.server_url = s.url) AS in_flight
            FROM studio.render_servers s ORDER BY url
        """)
    )
    return [ServerHealth.model_validate(row) for row in rows]


def _queue(session: Session) -> QueueDepth:
    rows = session.execute(
        text("""
            SELECT count(*) FILTER (WHERE status = 'queued') AS queued,
                   count(*) FILTER (WHERE status = 'processing') AS processing,
                   count(*) FILTER (WHERE status = 'failed') AS failed
            FROM render_queue WHERE status IN ('queued', 'processing', 'failed')
        """)
    )
    return QueueDepth.model_validate(rows.one())
