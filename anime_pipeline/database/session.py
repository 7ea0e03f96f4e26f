"""Engines and sessions: one engine per database URL and process, one transaction per session scope."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from anime_pipeline.database.server import database_url
from anime_pipeline.settings import Settings


@lru_cache(maxsize=32)
def _engine(url: str) -> Engine:
    return _made(url)


def _made(url: str, **pool: int) -> Engine:
    # A server that was stopped and started again must not fail the next query: pool_pre_ping. Columns of type
    # TIMESTAMP take their default from the session's time zone: UTC, whatever the server is set to.
    # A server that vanished without a word (a power cut, a cable) is given up after a minute: TCP would wait
    # for a quarter of an hour, or two hours when nothing is being sent, and a heartbeat with it.
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "application_name": "anime_pipeline",
            "options": "-c timezone=UTC",
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
        },
        **pool,
    )


def make_engine(settings: Settings, pool_size: int, max_overflow: int) -> Engine:
    """An engine with a pool of its own, for a server of many threads; the caller disposes of it."""
    return _made(database_url(settings), pool_size=pool_size, max_overflow=max_overflow)


def engine_for(settings: Settings) -> Engine:
    """The engine of the domain database; cached per URL. The server must run: see ``ensure_server``."""
    return _engine(database_url(settings))


@contextmanager
def session_scope(settings: Settings) -> Iterator[Session]:
    """A session that commits at the end and rolls back where an exception leaves it.

    Objects stay readable after a commit, without a further query. Committing in between is allowed.
    """
    with Session(engine_for(settings), expire_on_commit=False) as session:
        yield session  # leaving by an exception closes the session, which rolls back
        session.commit()
