"""The migration itself: one transaction that completes, upgrades and proves, or leaves all as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.carried import Carried, before_migration
from anime_pipeline.database.adoption.connections import autocommit, transaction
from anime_pipeline.database.adoption.difference import Difference
from anime_pipeline.database.adoption.differences import differences_of
from anime_pipeline.database.adoption.errors import UNCHANGED, AdoptionError, in_words
from anime_pipeline.database.adoption.fingerprints import Fingerprint
from anime_pipeline.database.adoption.sequences import lagging_sequences
from anime_pipeline.database.adoption.sessions import lock_holders
from anime_pipeline.database.adoption.shapes import read_shapes
from anime_pipeline.database.adoption.verification import ProductQueries, Verified, verify_migrated

OnEvent = Callable[[str], None]


@dataclass(frozen=True)
class Migration:
    """What a migration did; ``applied`` is empty where there was nothing to do."""

    applied: tuple[str, ...]
    mended: tuple[str, ...]
    kept: tuple[str, ...]
    carried: Carried
    verified: Verified
    seconds: float


def migrate_database(
    url: URL,
    queries: ProductQueries,
    on_event: OnEvent,
    known: Mapping[str, Fingerprint] | None = None,
) -> Migration:
    """Bring the database of ``url`` to the newest revision; proved before it is committed.

    Writers wait while it runs; it gives up where it would have to wait for others itself. Raises
    AdoptionError, and then nothing was changed. Running it again does nothing. ``known`` is what a
    scratch database should hold: see ``before_migration``.
    """
    began = time.perf_counter()
    try:
        with in_words("The migration"), transaction(url) as connection:
            on_event("locking")
            _become_the_migrator(connection)
            _lock_tables(connection)
            on_event("counting before")
            carried = before_migration(connection, known)
            on_event("completing")
            found = find_differences(connection)
            _refuse(found)
            mended = _mend(connection, found)
            on_event("upgrading")
            applied = migrations.upgrade_within(connection)
            mended += _mend(connection, find_differences(connection))
            on_event("verifying")
            try:
                verified = verify_migrated(connection, carried, queries)
            except AdoptionError as error:
                raise AdoptionError(f"{error}\nIt was rolled back. {UNCHANGED}", error.remedy) from error
            on_event("committing")
    except AdoptionError as error:
        raise _with_lock_holders(url, error) from error
    kept = tuple(one.message for one in found if one.severity in ("warning", "note"))
    return Migration(
        tuple(applied), tuple(mended), kept, carried, verified, round(time.perf_counter() - began, 3)
    )


def find_differences(connection: Connection) -> list[Difference]:
    """How the tables of ``public`` differ from what the upgrade relies on, and what else is in its way."""
    tables = expected.PUBLIC
    shapes = read_shapes(connection, "public", tables)
    found = differences_of(connection, tables, shapes)
    found += lagging_sequences(connection, tables, shapes)
    if migrations.revision_on(connection) is None:
        taken = read_shapes(connection, "studio", expected.STUDIO)
        found += [
            Difference(
                f"studio.{name}", "blocks", f"studio.{name} exists, but the ledger of revisions doesn't",
                "Keep it under another name: ALTER SCHEMA studio RENAME TO studio_before_v2;",
            )
            for name in sorted(taken)
        ]  # fmt: skip
    return found


def _refuse(found: list[Difference]) -> None:
    blocking = tuple(
        f"{one.message}. {one.remedy or ''}".strip() for one in found if one.severity == "blocks"
    )
    if blocking:
        raise AdoptionError(
            f"The database can't be brought over as it is. {UNCHANGED} In its way:",
            "Do what each line says, then run the command again.",
            blocking,
        )


def _mend(connection: Connection, found: list[Difference]) -> list[str]:
    """Complete what can be completed without touching a row; returns what was, in words."""
    mended = []
    for difference in found:
        if difference.severity == "mended":
            for statement in difference.mend:
                connection.execute(text(statement.replace(":", "\\:")))
            mended.append(difference.message)
    return mended


def _become_the_migrator(connection: Connection) -> None:
    alone = connection.scalar(
        text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": migrations.MIGRATOR_LOCK}
    )
    if not alone:
        raise AdoptionError(
            f"Another migration of this database is running. {UNCHANGED}",
            "Wait for its end; then `anime-pipeline db status` says what it did.",
        )


def _lock_tables(connection: Connection) -> None:
    """Keep writers out, readers in; in one order, so that two migrators could not block each other."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{migrations.TABLE_LOCK_TIMEOUT}'"))
    shapes = read_shapes(connection, "public", expected.PUBLIC)
    held = [f"public.{name}" for name, shape in sorted(shapes.items()) if shape.is_table]
    if held:
        connection.execute(text(f"LOCK TABLE {', '.join(held)} IN SHARE ROW EXCLUSIVE MODE"))


def _with_lock_holders(url: URL, error: AdoptionError) -> AdoptionError:
    """Say who holds the lock that the migration gave up on."""
    if "lock timeout" not in str(error) and "in use" not in str(error):
        return error
    try:
        with autocommit(url) as connection:
            holders = lock_holders(connection, expected.PUBLIC)
    except DBAPIError:
        return error
    if not holders:
        return error
    return AdoptionError(str(error), error.remedy, tuple(holders))
