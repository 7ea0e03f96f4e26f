"""Looks whether an installation can be brought over, names each finding, and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, Connection, text

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.connections import domain_url, transaction
from anime_pipeline.database.adoption.errors import AdoptionError, in_words
from anime_pipeline.database.adoption.migrating import find_differences
from anime_pipeline.database.adoption.sessions import lock_holders, other_sessions
from anime_pipeline.database.adoption.shapes import read_shapes
from anime_pipeline.database.adoption.tools import tools_for
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.settings import Settings

Level = Literal["ok", "note", "mended", "warning", "blocks"]
DISK_FACTOR = 3
_LOCAL_HOSTS = {None, "", "localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``mended`` is what the migration completes by itself."""

    subject: str
    level: Level
    message: str
    remedy: str | None = None


@dataclass(frozen=True)
class Environment:
    """All findings; ``fit`` where none stands in the way."""

    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether the migration can start."""
        return not self.blocking

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.findings if finding.level == "blocks")


def verify_environment(settings: Settings) -> Environment:
    """Look at server, tools, rights, encoding, disks, sessions and tables; an error is a finding too."""
    try:
        url = domain_url(settings)
        with in_words("Looking at the database"), transaction(url, read_only=True) as connection:
            # A database in use must not keep this waiting: what is locked is named instead.
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            return Environment(tuple(_findings(settings, url, connection)))
    except DatabaseError as error:
        return Environment((Finding("server", "blocks", str(error), error.remedy),))


def require_fit(environment: Environment) -> None:
    """Raise AdoptionError with what stands in the way."""
    if not environment.fit:
        listed = tuple(
            f"{finding.subject}: {finding.message} {finding.remedy or ''}".strip()
            for finding in environment.blocking
        )
        raise AdoptionError(
            "The database can't be brought over as it is; nothing was changed.",
            "Do what each line says, then run the command again.",
            listed,
        )


def _findings(settings: Settings, url: URL, connection: Connection) -> Iterable[Finding]:
    number = connection.scalar(text("SELECT current_setting('server_version_num')::integer")) or 0
    yield Finding("server", "ok", f"PostgreSQL {connection.scalar(text('SHOW server_version'))} answers")
    yield _tools(number // 10_000, url)
    yield from _writable(connection)
    yield from _rights(connection)
    yield _encoding(connection)
    yield from _disks(settings, url, connection)
    yield from _sessions(connection)
    yield from _tables(connection)
    for one in find_differences(connection):
        yield Finding(one.table, one.severity, one.message, one.remedy)
    yield from _nameless_projects(connection)


def _tools(major: int, url: URL) -> Finding:
    try:
        tools = tools_for(major, url)
    except AdoptionError as error:
        return Finding("client tools", "blocks", str(error), error.remedy)
    return Finding("client tools", "ok", f"pg_dump and pg_restore {tools.version} in {tools.folder}")


def _writable(connection: Connection) -> Iterable[Finding]:
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        yield Finding(
            "server", "blocks", "It is a standby, which can't be written.", "Name the primary server."
        )
    elif connection.scalar(text("SHOW default_transaction_read_only")) == "on":
        remedy = "ALTER ROLE … SET default_transaction_read_only = off, or use another account."
        yield Finding("rights", "blocks", "The account or database is read-only.", remedy)


def _rights(connection: Connection) -> Iterable[Finding]:
    row = connection.execute(
        text("""
            SELECT current_user AS name, current_database() AS database,
                   has_schema_privilege('public', 'CREATE') AS schema_create,
                   has_database_privilege(current_database(), 'CREATE') AS database_create,
                   (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user)
                       AS may_create""")
    ).one()
    grants = {
        "in schema public": (row.schema_create, f'GRANT CREATE ON SCHEMA public TO "{row.name}";'),
        f"schemas in {row.database}": (
            row.database_create, f'GRANT CREATE ON DATABASE "{row.database}" TO "{row.name}";'
        ),
    }  # fmt: skip
    for what, (held, remedy) in grants.items():
        if held:
            yield Finding("rights", "ok", f"{row.name} may create {what}")
        else:
            yield Finding(
                "rights", "blocks", f"{row.name} may not create {what}.", f"As administrator: {remedy}"
            )
    foreign = connection.scalars(
        text("""
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relname = ANY(:names) AND NOT pg_has_role(c.relowner, 'USAGE')
            ORDER BY 1"""),
        {"names": list(expected.PUBLIC)},
    ).all()
    if foreign:
        remedy = f'As administrator, for each: ALTER TABLE public.… OWNER TO "{row.name}";'
        yield Finding("rights", "blocks", f"{row.name} doesn't own {', '.join(foreign)}.", remedy)
    if not row.may_create:
        yield Finding(
            "rights", "note",
            f"{row.name} may not create databases: trials run on the embedded server; rollback needs it",
            f'For rollback, as administrator: ALTER ROLE "{row.name}" CREATEDB;',
        )  # fmt: skip


def _encoding(connection: Connection) -> Finding:
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding == "UTF8":
        return Finding("encoding", "ok", "UTF8")
    return Finding(
        "encoding", "blocks", f"The database is {encoding}; names and texts need UTF8.",
        "Dump it, create a database with ENCODING 'UTF8' TEMPLATE template0, and restore it there.",
    )  # fmt: skip


def _disks(settings: Settings, url: URL, connection: Connection) -> Iterable[Finding]:
    size = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
    yield _disk("disk of the backups", _existing(settings.home), size)
    folder = _server_folder(url, connection)
    if folder is None:
        message = f"unknown from here; it needs {_megabytes(DISK_FACTOR * size)} free"
        yield Finding("disk of the server", "note", message)
    else:
        yield _disk("disk of the server", folder, size)


def _disk(subject: str, folder: Path, size: int) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{_megabytes(free)} free in {folder}, the database is {_megabytes(size)}"
    if free >= DISK_FACTOR * size:
        return Finding(subject, "ok", said)
    return Finding(
        subject, "blocks", f"{said}; {DISK_FACTOR} times its size is needed.",
        "Free space there, or set ANIME_HOME to a bigger disk.",
    )  # fmt: skip


def _server_folder(url: URL, connection: Connection) -> Path | None:
    """The server's data folder, where the server is on this machine and tells."""
    if url.host not in _LOCAL_HOSTS and not str(url.host).startswith("/"):
        return None
    told = connection.scalar(
        text("SELECT current_setting('data_directory') WHERE pg_has_role('pg_read_all_settings', 'MEMBER')")
    )
    try:
        return Path(told) if told and (Path(told) / "PG_VERSION").exists() else None
    except PermissionError:
        return None


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"


def _sessions(connection: Connection) -> Iterable[Finding]:
    for session in other_sessions(connection):
        yield Finding("sessions", "note", session)
    for holder in lock_holders(connection, expected.PUBLIC):
        remedy = "Let it end, or end it: SELECT pg_terminate_backend(<its number>);"
        yield Finding("locks", "warning", f"{holder}; the migration gives up on a table in use", remedy)


def _tables(connection: Connection) -> Iterable[Finding]:
    held = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
    for label, tables in (("v1", expected.V1), ("v2.0", expected.V2)):
        missing = sorted(set(tables) - held)
        said = f"{len(tables) - len(missing)} of {len(tables)} tables of {label}"
        if missing:
            said += f"; to be made: {', '.join(missing)}" if len(missing) < len(tables) else ""
        yield Finding("tables", "ok", said)
    other = sorted(held - set(expected.PUBLIC))
    if other:
        yield Finding("tables", "note", f"tables of your own, kept as they are: {', '.join(other)}")
    revision = migrations.revision_on(connection)
    yield Finding("revision", "ok", f"{revision or 'none yet'}; newest is {migrations.head_revision()}")


def _nameless_projects(connection: Connection) -> Iterable[Finding]:
    """Characters of v1 name projects by number, with no table behind it."""
    shapes = read_shapes(connection, "public", ("characters", "projects"))
    columns = shapes["characters"].columns if "characters" in shapes else {}
    if "project_id" not in columns:
        return
    known = "AND NOT EXISTS (SELECT FROM public.projects p WHERE p.id::text = c.project_id::text)"
    numbers = connection.scalars(
        text(f"""
            SELECT DISTINCT project_id::text FROM public.characters c
            WHERE project_id IS NOT NULL {known if "projects" in shapes else ""} ORDER BY 1 LIMIT 10""")
    ).all()
    if numbers:
        message = (
            f"characters name projects that no table holds: {', '.join(numbers)}; they keep their numbers"
        )
        yield Finding("characters", "warning", message, "Make the projects, or set project_id to NULL first.")
