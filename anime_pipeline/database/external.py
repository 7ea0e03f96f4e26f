"""URLs of databases, and a PostgreSQL server that somebody else runs (``ANIME_DATABASE_URL``)."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from anime_pipeline.database.errors import DatabaseError

DRIVER = "postgresql+psycopg2"
OLDEST_MAJOR = 13  # the first with DROP DATABASE … WITH (FORCE) and trusted extensions
_KNOWN_DRIVERS = frozenset({"postgres", "postgresql", DRIVER})


def parse_url(text: str, name: str) -> URL:
    """A PostgreSQL URL with the driver written out; ``name`` is the setting that it came from."""
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            f"{name} is not a database URL.",
            "It looks like postgresql://user:password@host:5432/database; special characters of the password "
            "are percent-encoded.",
        ) from error
    if url.drivername not in _KNOWN_DRIVERS:
        raise DatabaseError(
            f"{name} names a {url.drivername} database; anime_pipeline needs PostgreSQL.",
            f"Write it as {DRIVER}://user:password@host:5432/database.",
        )
    if not url.database:
        raise DatabaseError(f"{name} names no database.", "Add its name at the end: …/anime")
    return url.set(drivername=DRIVER)


def render(url: URL) -> str:
    """The URL as text, password included and special characters encoded."""
    return url.render_as_string(hide_password=False)


def connect(url: URL) -> psycopg2.extensions.connection:
    """A plain connection in autocommit mode, for what a transaction can't do."""
    _, arguments = url.get_dialect()().create_connect_args(url)
    connection: psycopg2.extensions.connection = psycopg2.connect(**{"connect_timeout": 10, **arguments})
    connection.autocommit = True
    return connection


def check_reachable(url: URL, name: str) -> None:
    """Raise DatabaseError, in words, where no PostgreSQL that is new enough answers at ``url``."""
    shown = url.render_as_string(hide_password=True)
    try:
        connection = connect(url)
        version = connection.server_version
        connection.close()
    except psycopg2.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise DatabaseError(
            f"{name} ({shown}) can't be used: {reason}",
            f"Check host, port, database, user and password, or unset {name} to use the embedded server.",
        ) from error
    if version < OLDEST_MAJOR * 10_000:
        raise DatabaseError(
            f"{name} ({shown}) is PostgreSQL {version // 10_000}; it must be {OLDEST_MAJOR} or newer."
        )


def create_database_if_missing(url: URL, through: URL, name: str) -> bool:
    """Create the database of ``url`` over a connection to ``through``, its server; True if it was missing."""
    connection = connect(through)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (url.database,))
            if cursor.fetchone():
                return False
            statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(url.database or ""))
            cursor.execute(statement)
            return True
    except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation):
        return False  # another machine came first; the second error where both did at once
    except psycopg2.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"The database {url.database} is missing, and user {through.username} may not create it.",
            f'Run as an administrator: CREATE DATABASE "{url.database}" OWNER "{through.username}"; '
            f"or set {name} to a database that exists.",
        ) from error
    finally:
        connection.close()
