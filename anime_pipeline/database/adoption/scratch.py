"""Scratch databases: made like the real one, used for a trial, dropped; a killed run's are swept away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.adoption.connections import (
    Which,
    autocommit,
    domain_url,
    literal,
    quoted,
    transaction,
    url_of,
)
from anime_pipeline.database.adoption.errors import in_words
from anime_pipeline.settings import Settings

_MARK = "_scratch_"
_NAME_BYTES = 63


@contextmanager
def scratch_database(settings: Settings, which: Which = "studio") -> Iterator[tuple[URL, str]]:
    """An empty database for a trial, and where it is, in words; dropped afterwards.

    It lies on the real server where the account may create databases, else on the home's embedded one.
    """
    url, where = url_of(settings, which), "the same server"
    with in_words("Looking for a place for the scratch database"), transaction(url, read_only=True) as asking:
        may_create = asking.scalar(
            text("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
        )
    if not may_create:
        url = domain_url(settings.model_copy(update={"database_url": None, "dagster_database_url": None}))
        where = "the embedded server"
    name = beside(url.database or "", f"{_MARK}{secrets.token_hex(4)}")
    with in_words("Making the scratch database"), autocommit(url) as server:
        sweep(server, url, _MARK)
        create_like(server, url.database or "", name)
    try:
        with autocommit(url.set(database=name)):  # a session of ours keeps others from sweeping it away
            yield url.set(database=name), where
    finally:
        with suppress(DBAPIError), autocommit(url) as server:  # the trial's own error says more
            _drop(server, name)


def beside(database: str, suffix: str) -> str:
    """A name for a database beside another one: its name with ``suffix``, cut to PostgreSQL's 63 bytes."""
    room = _NAME_BYTES - len(suffix.encode())
    return database.encode()[:room].decode(errors="ignore") + suffix


def create_like(server: Connection, model: str, name: str) -> None:
    """Create an empty database with the encoding and locale of another one."""
    row = server.execute(
        text(
            "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, to_jsonb(d) AS entry "
            "FROM pg_database d WHERE datname = :model"
        ),
        {"model": model},
    ).one()
    options = [
        f"ENCODING '{row.encoding}'",
        f"LC_COLLATE {literal(row.datcollate)}",
        f"LC_CTYPE {literal(row.datctype)}",
    ]
    provider = row.entry.get("datlocprovider", "c")  # from PostgreSQL 15 on
    locale = row.entry.get("datlocale") or row.entry.get("daticulocale")  # 17 and later; 15 and 16
    if provider == "i":
        options.append(f"LOCALE_PROVIDER icu ICU_LOCALE {literal(locale)}")
    elif provider == "b":
        options.append(f"LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(locale)}")
    server.execute(text(f"CREATE DATABASE {quoted(server, name)} TEMPLATE template0 {' '.join(options)}"))


def sweep(server: Connection, url: URL, mark: str) -> None:
    """Drop what killed runs left beside a database: those named with ``mark`` that no session holds."""
    prefix = beside(url.database or "", mark)
    query = text(
        "SELECT datname FROM pg_database d WHERE starts_with(datname, :prefix) "
        "AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)"
    )
    for name in server.scalars(query, {"prefix": prefix}).all():
        with suppress(DBAPIError):  # somebody came first, or it isn't ours to drop
            server.execute(text(f"DROP DATABASE IF EXISTS {quoted(server, name)}"))


def _drop(server: Connection, name: str) -> None:
    server.execute(text(f"DROP DATABASE IF EXISTS {quoted(server, name)} WITH (FORCE)"))
