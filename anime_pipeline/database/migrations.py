"""Brings a database to a revision: the numbered SQL files of ``sql/``, run in one transaction.

A revision is a pair of files, ``NNNN_name.up.sql`` and ``NNNN_name.down.sql``, and ``NNNN_name`` is its id.
The ledger is ``studio.schema_revisions``. Either all pending files take effect or none does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.adoption.expected import PUBLIC, V1
from anime_pipeline.database.errors import MigrationError
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

SQL_FOLDER = Path(__file__).parent / "sql"
LEDGER = "studio.schema_revisions"
BASE = "base"
MIGRATOR_LOCK = 0x616E696D65  # "anime"
MIGRATOR_LOCK_TIMEOUT = "60s"
TABLE_LOCK_TIMEOUT = "10s"
_LOCK_NOT_AVAILABLE = "55P03"
_REFUSED = "55000"  # object_not_in_prerequisite_state: what our down files raise


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
    pending = _after(_revisions(), revision_on(connection))
    _run(connection, pending, upwards=True)
    return pending


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
    revisions = _revisions()
    target = _find(revisions, revision)
    with _errors_in_words(), engine_for(settings).begin() as connection:
        _become_the_migrator(connection)
        kept = set(_after(revisions, revision_on(connection)))
        undone = [name for name in reversed(_after(revisions, target)) if name not in kept]
        _run(connection, undone, upwards=False)
    return undone


def status(settings: Settings) -> MigrationStatus:
    """The current revision, the newest one, and what ``upgrade`` would apply."""
    with _errors_in_words(), engine_for(settings).connect() as connection:
        current = revision_on(connection)
    return MigrationStatus(current, head_revision(), tuple(_after(_revisions(), current)))


def revision_on(connection: Connection) -> str | None:
    """The revision of the database that ``connection`` is open on; None before the first migration."""
    if connection.scalar(text(f"SELECT to_regclass('{LEDGER}')")) is None:
        return None
    current: str | None = connection.scalar(text(f"SELECT version_num FROM {LEDGER}"))
    if current is not None and current not in _revisions():
        raise MigrationError(
            f"The database is at revision {current}, which this version of anime_pipeline doesn't know.",
            "Install the version that migrated it, or a newer one.",
        )
    return current


def head_revision() -> str:
    """The newest revision that this version knows."""
    return _revisions()[-1]


def awaits_adoption(settings: Settings) -> bool:
    """Whether the domain database holds tables of an earlier system: see :func:`upgrade`."""
    with _errors_in_words(), engine_for(settings).connect() as connection:
        return bool(earlier_tables(connection))


def _up_files() -> list[Path]:
    """The up files, oldest first."""
    files = sorted(SQL_FOLDER.glob("*.up.sql"))
    if not files:
        raise MigrationError(
            f"The SQL files are missing from {SQL_FOLDER}.",
            "Install from the clone with `pip install -e .`, or reinstall the package.",
        )
    return files


def _revisions() -> list[str]:
    return [file.name.removesuffix(".up.sql") for file in _up_files()]


def _run(connection: Connection, revisions: Sequence[str], upwards: bool) -> None:
    from anime_pipeline.database.revision_runs import run_revisions  # with Alembic, which few commands need

    run_revisions(connection, _up_files(), revisions, upwards)


def _after(revisions: list[str], revision: str | None) -> list[str]:
    """The revisions that follow ``revision``, oldest first; all of them after None."""
    return revisions if revision is None else revisions[revisions.index(revision) + 1 :]


def _find(revisions: list[str], revision: str) -> str | None:
    if revision == BASE:
        return None
    for name in revisions:
        if revision in (name, name.split("_")[0]):
            return name
    known = ", ".join([BASE, *revisions])
    raise MigrationError(f"There is no revision {revision!r}.", f"Name one of: {known}.")


def _holds_rows(connection: Connection, table: str) -> bool:
    return bool(connection.scalar(text(f"SELECT EXISTS (SELECT FROM public.{table})")))


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
