"""Connections of adoption and backups: never pooled, so that none is left when databases are renamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text

from anime_pipeline.database import server
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.external import check_reachable, parse_url
from anime_pipeline.settings import Settings

APPLICATION = "anime_pipeline adoption"
# What is reported as done must outlive a crash, also on a server that is set to answer sooner.
_OPTIONS = "-c timezone=UTC -c synchronous_commit=on"
Isolation = Literal["READ COMMITTED", "REPEATABLE READ"]
Which = Literal["studio", "dagster"]
"""An installation's two databases: the studio's own, and that of Dagster's storage."""


def domain_url(settings: Settings) -> URL:
    """The domain database's URL with its server reachable; starts the embedded one.

    Unlike ``ensure_server`` it makes nothing on a server of one's own, not even Dagster's database.
    """
    if settings.database_url is None:
        server.ensure_server(settings)
    else:
        check_reachable(parse_url(settings.database_url, "ANIME_DATABASE_URL"), "ANIME_DATABASE_URL")
    return parse_url(server.database_url(settings), "ANIME_DATABASE_URL")


def dagster_url(settings: Settings) -> URL | None:
    """The URL of Dagster's database with its server reachable; None where it was never made."""
    domain = domain_url(settings)
    url = parse_url(server.dagster_database_url(settings), "ANIME_DAGSTER_DATABASE_URL")
    if settings.dagster_database_url is None:
        with autocommit(domain) as connection:
            asked = text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
            if not connection.scalar(asked, {"name": url.database}):
                return None
    check_reachable(url, "ANIME_DAGSTER_DATABASE_URL")
    return url


def url_of(settings: Settings, which: Which) -> URL:
    """The URL of one of the two, with its server reachable; DatabaseError where it isn't there."""
    if which == "studio":
        return domain_url(settings)
    url = dagster_url(settings)
    if url is None:
        raise DatabaseError("Dagster has no database yet.", "`anime-pipeline db start` makes it.")
    return url


@contextmanager
def transaction(
    url: URL, *, read_only: bool = False, isolation: Isolation = "READ COMMITTED"
) -> Iterator[Connection]:
    """One connection with one transaction, committed at the end and rolled back by an exception."""
    with _engine(url, isolation).begin() as connection:
        if read_only:
            connection.execute(text("SET TRANSACTION READ ONLY"))
        yield connection


@contextmanager
def autocommit(url: URL) -> Iterator[Connection]:
    """A connection for what a transaction can't do, such as CREATE DATABASE."""
    with _engine(url, "AUTOCOMMIT").connect() as connection:
        yield connection


def quoted(connection: Connection, name: str) -> str:
    """``name`` as an SQL identifier, fit for ``text()``."""
    return connection.dialect.identifier_preparer.quote_identifier(name).replace(":", "\\:")


def literal(value: str) -> str:
    """``value`` as an SQL text, fit for ``text()`` where a statement takes no parameters."""
    doubled = value.replace("'", "''").replace(":", "\\:")
    return f"'{doubled}'"


def _engine(url: URL, isolation: Isolation | Literal["AUTOCOMMIT"]) -> Engine:
    return create_engine(
        url,
        poolclass=NullPool,
        isolation_level=isolation,
        connect_args={"application_name": APPLICATION, "options": _OPTIONS, "connect_timeout": 10},
    )
