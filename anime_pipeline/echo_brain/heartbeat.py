"""Registration and heartbeat: we keep known to the supervisor, and tell it the truth every 30 seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from anime_pipeline.database.models import EchoWorker
from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.backoff import wait_after
from anime_pipeline.echo_brain.client import SupervisorClient
from anime_pipeline.echo_brain.configuration import Clock, Link, require_link, supervisor_link, utc_now
from anime_pipeline.echo_brain.errors import SupervisorError
from anime_pipeline.echo_brain.identity import change, note_supervisor, own_row
from anime_pipeline.echo_brain.status import WorkerStatus, worker_status
from anime_pipeline.settings import Settings

Done = Literal["off", "left", "waiting", "unreachable", "registered", "told"]


@dataclass(frozen=True)
class Beat:
    """What a heartbeat came to.

    off: there is no supervisor. left: a person has unregistered us. waiting: a registration failed and is
    tried again later. unreachable: this try failed. registered: (again) known, and told. told: as ever.
    """

    done: Done
    said: str
    status: WorkerStatus | None = None


def beat(settings: Settings, clock: Clock = utc_now) -> Beat:
    """Register where the supervisor does not know us, then tell it how we are.

    A supervisor that has forgotten us is registered with in the same breath. No transaction is open while
    the supervisor is spoken to. Raises :class:`~anime_pipeline.errors.UserError` for settings of no use.
    """
    link = supervisor_link(settings)
    if link is None:
        return Beat("off", "No supervisor is configured (ANIME_ECHO_BRAIN_URL).")
    with session_scope(settings) as session:
        row = note_supervisor(session, link.url, clock())
        if not row.wanted:
            return Beat("left", "This worker was unregistered; anime-pipeline echo register brings it back.")
    if row.registered_at is None and row.retry_at is not None and row.retry_at > clock():
        when = f"{row.retry_at:%H:%M:%S} UTC"
        return Beat("waiting", f"Registration is tried again at {when}: {row.last_error}")
    with session_scope(settings) as session:
        status = worker_status(session, settings)
    try:
        return _tell(settings, link, row, status, clock)
    except SupervisorError as error:
        _note_failure(settings, error, clock())
        return Beat("unreachable", str(error), status)


def register(settings: Settings, clock: Clock = utc_now) -> Beat:
    """Register now, whatever failed before, also after :func:`unregister`. Raises SupervisorError."""
    link = require_link(settings)
    with session_scope(settings) as session:
        own_row(session)
        change(session, wanted=True, registered_at=None, failures=0, retry_at=None)
        row = note_supervisor(session, link.url, clock())
    with session_scope(settings) as session:
        status = worker_status(session, settings)
    return _tell(settings, link, row, status, clock)


def unregister(settings: Settings, clock: Clock = utc_now) -> None:
    """Leave the supervisor until :func:`register`: no heartbeat, no events from here on.

    Events that wait are kept. What a person wants is noted first, so that it holds also where the
    supervisor cannot be reached; then SupervisorError is raised.
    """
    link = require_link(settings)
    with session_scope(settings) as session:
        worker_id = own_row(session).worker_id
        change(session, wanted=False, supervisor_url=None, registered_at=None, registered_as=None)
    with SupervisorClient(link, worker_id, clock) as client:
        try:
            client.unregister()
        except SupervisorError as error:
            if error.trouble != "forgotten":  # then it has us out of its list already
                raise


def _tell(settings: Settings, link: Link, row: EchoWorker, status: WorkerStatus, clock: Clock) -> Beat:
    wanted = status.registration(link.callback_url)
    # The word changes all the time and goes with each heartbeat; the rest has to be registered anew.
    known = row.registered_at is not None and _lasting(row.registered_as) == _lasting(wanted)
    with SupervisorClient(link, row.worker_id, clock) as client:
        if known:
            try:
                client.heartbeat(status.heartbeat())
            except SupervisorError as error:
                if error.trouble != "forgotten":
                    raise
                known = False
        if not known:
            client.register(wanted)
            with session_scope(settings) as session:
                change(
                    session, registered_at=clock(), registered_as=wanted, failures=0, retry_at=None,
                    last_error=None,
                )  # fmt: skip
            client.heartbeat(status.heartbeat())
        with session_scope(settings) as session:
            change(session, heartbeat_at=clock(), told=status.heartbeat(), failures=0, last_error=None)
    said = f"{row.worker_id} is {status.status}" + "".join(f"; {reason}" for reason in status.reasons)
    return Beat("told" if row.registered_at is not None and known else "registered", said, status)


def _lasting(registration: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (registration or {}).items() if name != "status"}


def _note_failure(settings: Settings, error: SupervisorError, now: datetime) -> None:
    with session_scope(settings) as session:
        row = own_row(session, lock=True)
        failures = row.failures + 1
        values: dict[str, Any] = {"failures": failures, "last_error": str(error)}
        if row.registered_at is None:
            values["retry_at"] = now + wait_after(failures)
        if error.trouble == "forgotten":
            values["registered_at"] = None
        change(session, **values)
