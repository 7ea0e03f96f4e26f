"""Who this installation is to its supervisor: one row, made once, kept for good."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import EchoWorker
from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.configuration import utc_now
from anime_pipeline.settings import Settings


def own_row(session: Session, lock: bool = False) -> EchoWorker:
    """The installation's row; the first caller makes it, with the id ``anime-worker-<8 hex>``."""
    session.execute(
        insert(EchoWorker).values(worker_id=f"anime-worker-{secrets.token_hex(4)}").on_conflict_do_nothing()
    )
    query = select(EchoWorker).execution_options(populate_existing=True)
    return session.scalars(query.with_for_update() if lock else query).one()


def note_supervisor(session: Session, url: str, now: datetime) -> EchoWorker:
    """Note that a process has a supervisor in its settings: from here on events are written for it.

    Another supervisor than before has to be registered with anew. Nothing is noted where a person has
    unregistered this installation.
    """
    row = own_row(session)
    if not row.wanted:
        return row
    url = url.rstrip("/")  # however it is written, it is the same supervisor
    values: dict[str, Any] = {"supervisor_url": url, "seen_at": now}
    if row.supervisor_url not in (None, url):
        values |= {"registered_at": None, "failures": 0, "retry_at": None, "outages": 0, "deliver_at": None}
    change(session, **values)
    return own_row(session)


def change(session: Session, **values: Any) -> None:
    """Write columns of the row."""
    session.execute(update(EchoWorker).values(**values))


def greet(settings: Settings) -> None:
    """Have the database know of the supervisor that the settings name, if they name one.

    Called where a command opens its house, so that not even the first event of an installation is missed.
    """
    if settings.echo_brain_url is not None:
        with session_scope(settings) as session:
            note_supervisor(session, settings.echo_brain_url, utc_now())
