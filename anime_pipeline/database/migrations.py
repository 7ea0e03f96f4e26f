"""Brings a database to a revision: the numbered SQL files of ``sql/``, run by Alembic in one transaction.

A revision is a pair of files, ``NNNN_name.up.sql`` and ``NNNN_name.down.sql``, and ``NNNN_name`` is its id.
The ledger is ``studio.schema_revisions``. Either all pending files take effect or none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.adoption.expected import PUBLIC, V1
from anime_pipeline.database.errors import MigrationError
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

SQL_FOLDER = Path(__file__).parent / "sql"
LEDGER = {"version_table": "schema_revisions", "version_table_schema": "studio"}
BASE = "base"
MIGRATOR_LOCK = 0x616E696D65  # "anime"
MIGRATOR_LOCK_TIMEOUT = "60s"
TABLE_LOCK_TIMEOUT = "10s"
_LOCK_NOT_AVAILABLE = "55P03"
_REFUSED = "55000"  # object_not_in_prerequisite_state: what our down files raise

Steps = Callable[[Any, MigrationContext], list[Any]]


@dataclass(frozen=True)
class MigrationStatus:
    """Where a database stands; ``current`` is None before the first migration."""

    current: str | None
    head: str
    pending: tuple[str, ...]


def upgrade(settings: Settings) -> list[str]:
    """Apply all pending revisions; returns their ids, oldest first.

    Raises MigrationError for tables of an earlier system: those are adopted, with a backup, by
    ``anime-pipeline db migrate``.
    """
    state = status(settings)
    if not state.pending:
        return []
    with _errors_in_words(), engine_for(settings).begin() as connection:
        _become_the_migrator(connection)
        _refuse_unadopted(connection)
        return upgrade_within(connection)


def upgrade_within(connection: Connection) -> list[str]:
    """Apply all pending revisions in the caller's transaction, which must be the only migrator."""
    scripts = _scripts()
    applied: list[str] = []

    def steps(heads: Any, context: MigrationContext) -> list[Any]:
        pending = _after(scripts, _current(heads, scripts))
        applied.extend(script.revision for script in pending)
        revisions = _linked(scripts)
        return [MigrationStep.upgrade_from_script(revisions, script) for script in pending]

    _run(connection, steps)
    return applied


def earlier_tables(connection: Connection) -> list[str]:
    """Tables that await adoption: v1's with rows, and any of v2's, where our ledger is missing."""
    if revision_on(connection) is not None:
        return []
    found = []
    for name in inspect(connection).get_table_names(schema="public"):
        if name in PUBLIC and (name not in V1 or _holds_rows(connection, name)):
            found.append(name)
    return sorted(found)


def downgrade(settings: Settings, revision: str) -> list[str]:
    """Undo everything after ``revision`` (an id, its number, or ``base``); returns the ids, newest first.

    Raises MigrationError where undoing would lose rows, and then undoes nothing.
    """
    scripts = _scripts()
    target = _find(scripts, revision)
    undone: list[str] = []

    def steps(heads: Any, context: MigrationContext) -> list[Any]:
        current = _current(heads, scripts)
        kept = {script.revision for script in _after(scripts, current)}
        doomed = [script for script in reversed(_after(scripts, target)) if script.revision not in kept]
        undone.extend(script.revision for script in doomed)
        revisions = _linked(scripts)
        return [MigrationStep.downgrade_from_script(revisions, script) for script in doomed]

    with _errors_in_words(), engine_for(settings).begin() as connection:
        _become_the_migrator(connection)
        _run(connection, steps)
    return undone


def status(settings: Settings) -> MigrationStatus:
    """The current revision, the newest one, and what ``upgrade`` would apply."""
    scripts = _scripts()
    with _errors_in_words(), engine_for(settings).connect() as connection:
        current = revision_on(connection)
    pending = tuple(script.revision for script in _after(scripts, current))
    return MigrationStatus(current, scripts[-1].revision, pending)


def revision_on(connection: Connection) -> str | None:
    """The revision of the database that ``connection`` is open on; None before the first migration."""
    heads = MigrationContext.configure(connection, opts=dict(LEDGER)).get_current_heads()
    return _current(heads, _scripts())


def head_revision() -> str:
    """The newest revision that this version knows."""
    return _scripts()[-1].revision


def awaits_adoption(settings: Settings) -> bool:
    """Whether the domain database holds tables of an earlier system: see :func:`upgrade`."""
    with _errors_in_words(), engine_for(settings).connect() as connection:
        return bool(earlier_tables(connection))


def _scripts() -> list[Script]:
    """One Alembic script per pair of SQL files, oldest first; each follows the one before it."""
    ups = sorted(SQL_FOLDER.glob("*.up.sql"))
    if not ups:
        raise MigrationError(
            f"The SQL files are missing from {SQL_FOLDER}.",
            "Install from the clone with `pip install -e .`, or reinstall the package.",
        )
    scripts: list[Script] = []
    for up in ups:
        name = up.name.removesuffix(".up.sql")
        module = ModuleType(name)
        module.__dict__["down_revision"] = scripts[-1].revision if scripts else None
        module.__dict__["upgrade"] = _runner(up)
        module.__dict__["downgrade"] = _runner(up.with_name(f"{name}.down.sql"))
        scripts.append(Script(module, name, str(up)))
    return scripts


def _runner(file: Path) -> Callable[..., None]:
    def run(connection: Connection) -> None:
        # The driver's own cursor, so that neither `%` nor `:name` in the SQL is taken for a parameter.
        driver = connection.connection.dbapi_connection
        assert driver is not None
        cursor = driver.cursor()
        cursor.execute(file.read_text(encoding="utf-8"))
        cursor.close()

    return run


def _linked(scripts: list[Script]) -> RevisionMap:
    """The scripts as Alembic's chain; reading its heads is what links them."""
    revisions = RevisionMap(lambda: scripts)
    assert revisions.heads == (scripts[-1].revision,)
    return revisions


def _after(scripts: list[Script], revision: str | None) -> list[Script]:
    """The scripts that follow ``revision``, oldest first; all of them after None."""
    if revision is None:
        return list(scripts)
    return scripts[[script.revision for script in scripts].index(revision) + 1 :]


def _find(scripts: list[Script], revision: str) -> str | None:
    if revision == BASE:
        return None
    for script in scripts:
        if revision in (script.revision, script.revision.split("_")[0]):
            return script.revision
    known = ", ".join([BASE, *(script.revision for script in scripts)])
    raise MigrationError(f"There is no revision {revision!r}.", f"Name one of: {known}.")


def _current(heads: tuple[str, ...], scripts: list[Script]) -> str | None:
    current = heads[0] if heads else None
    if current is not None and current not in {script.revision for script in scripts}:
        raise MigrationError(
            f"The database is at revision {current}, which this version of anime_pipeline doesn't know.",
            "Install the version that migrated it, or a newer one.",
        )
    return current


def _holds_rows(connection: Connection, table: str) -> bool:
    return bool(connection.scalar(text(f"SELECT EXISTS (SELECT FROM public.{table})")))


def _run(connection: Connection, steps: Steps) -> None:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS studio"))
    context = MigrationContext.configure(connection, opts={**LEDGER, "fn": steps})
    context.run_migrations(connection=connection)


def _refuse_unadopted(connection: Connection) -> None:
    found = earlier_tables(connection)
    if found:
        raise MigrationError(
            f"This database holds tables of an earlier system: {', '.join(found)}. Nothing was changed.",
            "Run `anime-pipeline db verify` to look at it and `anime-pipeline db migrate` to bring it over.",
        )


def _become_the_migrator(connection: Connection) -> None:
    """Wait for another migrator to end; after that, rather give up than queue behind an open transaction."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATOR_LOCK_TIMEOUT}'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATOR_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_LOCK_TIMEOUT}'"))


@contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        raise _in_words(error.orig if isinstance(error, DBAPIError) else error) from error


def _in_words(error: BaseException | None) -> MigrationError:
    """The driver's error as ours; nothing was changed in any case, since it is one transaction."""
    code = getattr(error, "pgcode", None)
    message = str(error).strip().splitlines()[0] if str(error).strip() else "unknown error"
    if code is None:
        return MigrationError(f"The database can't be reached: {message}", "Start it, then try again.")
    if code == _LOCK_NOT_AVAILABLE:
        return MigrationError(
            "The database is in use: the migration waited for a lock and gave up; nothing was changed.",
            "Let the running command or the other migration end, then try again.",
        )
    if code == _REFUSED:
        return MigrationError(
            f"Not undone, nothing was changed: {message}.", "Back up and remove the rows first."
        )
    return MigrationError(f"The migration failed, nothing was changed: {message}")
