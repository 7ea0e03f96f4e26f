"""The way as a whole, and each of its steps for those who run them one by one."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import URL

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption.backup import OnEvent, back_up, ignore_event
from anime_pipeline.database.adoption.carried import Carried
from anime_pipeline.database.adoption.connections import domain_url, transaction
from anime_pipeline.database.adoption.environment import Environment, require_fit, verify_environment
from anime_pipeline.database.adoption.errors import AdoptionError, in_words
from anime_pipeline.database.adoption.fingerprints import Fingerprint, Part
from anime_pipeline.database.adoption.manifest import Backup, check_files, find_backup, utc_now, write_private
from anime_pipeline.database.adoption.migrating import Migration, migrate_database
from anime_pipeline.database.adoption.restoring import restore_into
from anime_pipeline.database.adoption.scratch import scratch_database
from anime_pipeline.database.adoption.verification import ProductQueries, Verified, verify_migrated
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

REHEARSAL = "rehearsal.json"
RECORD = "migration.json"


@dataclass(frozen=True)
class Adoption:
    """What the whole way did; ``migration`` is None where the database was at the newest revision already."""

    environment: Environment
    backup: Backup | None
    rehearsal: Migration | None
    migration: Migration | None
    verified: Verified
    seconds: float


def adopt(settings: Settings, queries: ProductQueries, on_event: OnEvent = ignore_event) -> Adoption:
    """verify_environment → back_up → rehearse → migrate → verify; AdoptionError at the first that fails."""
    began = time.perf_counter()
    on_event("looking at the database")
    environment = verify_environment(settings)
    require_fit(environment)
    if is_newest(settings):
        verified = verify(settings, queries)
        return Adoption(environment, None, None, None, verified, time.perf_counter() - began)
    backup, rehearsal = _back_up_and_rehearse(settings, queries, on_event)
    migration = migrate(settings, backup.name, queries, lambda event: on_event(f"migration: {event}"))
    on_event("verifying what was committed")
    verified = verify(settings, queries, backup.name)
    return Adoption(environment, backup, rehearsal, migration, verified, time.perf_counter() - began)


def _back_up_and_rehearse(
    settings: Settings, queries: ProductQueries, on_event: OnEvent
) -> tuple[Backup, Migration]:
    """Both on one restored copy. A rehearsal that fails says nothing against the backup, which is kept."""
    outcome: list[Migration | AdoptionError] = []

    def trial(scratch: URL, held: dict[str, Fingerprint]) -> None:
        try:
            outcome.append(
                migrate_database(scratch, queries, lambda event: on_event(f"rehearsal: {event}"), held)
            )
        except AdoptionError as error:
            outcome.append(error)

    backup = back_up(settings, "migration", lambda event: on_event(f"backup: {event}"), trial)
    (rehearsal,) = outcome
    if isinstance(rehearsal, AdoptionError):
        raise AdoptionError(
            f"The rehearsal failed on a copy; the real database was not touched. {rehearsal}",
            rehearsal.remedy,
        )
    _record(backup, REHEARSAL, rehearsal)
    return backup, rehearsal


def is_newest(settings: Settings) -> bool:
    """Whether the domain database is at the newest revision."""
    with in_words("Looking at the revision"), transaction(domain_url(settings), read_only=True) as connection:
        return migrations.revision_on(connection) == migrations.head_revision()


def rehearse(
    settings: Settings, backup_name: str, queries: ProductQueries, on_event: OnEvent = ignore_event
) -> Migration:
    """Restore a backup into a scratch database, migrate it there, and compare it with the manifest."""
    backup = find_backup(settings, backup_name)
    check_files(backup)
    with scratch_database(settings) as (scratch, where):
        on_event(f"restoring {backup.name} on {where}")
        restore_into(scratch, backup.dump, keep_owners=False)
        # What the migration leaves is compared with the manifest, so a fault of this restore shows there.
        migration = migrate_database(scratch, queries, on_event, backup.manifest.tables)
    _record(backup, REHEARSAL, migration)
    return migration


def migrate(
    settings: Settings, backup_name: str, queries: ProductQueries, on_event: OnEvent = ignore_event
) -> Migration:
    """Migrate the real database, once a rehearsal of that backup went well."""
    backup = find_backup(settings, backup_name)
    if not (backup.folder / REHEARSAL).exists():
        raise AdoptionError(
            f"The backup {backup.name} was never rehearsed.", "Run `anime-pipeline db migrate` as a whole."
        )
    migration = migrate_database(domain_url(settings), queries, on_event)
    engine_for(settings).dispose()  # what it knows of types may be out of date
    if migration.applied:
        _record(backup, RECORD, migration)
    return migration


def verify(settings: Settings, queries: ProductQueries, backup_name: str | None = None) -> Verified:
    """Prove the committed database from a new connection; with a backup, its rows against the migration's."""
    carried = _recorded(find_backup(settings, backup_name)) if backup_name else None
    with in_words("The verification", "The database was only read."), transaction(
        domain_url(settings), read_only=True
    ) as connection:  # fmt: skip
        return verify_migrated(connection, carried, queries)


def _record(backup: Backup, name: str, migration: Migration) -> None:
    """Keep what was done beside the backup that undoes it."""
    record: dict[str, Any] = {
        "at": utc_now().isoformat(),
        "applied": migration.applied,
        "mended": migration.mended,
        "kept": migration.kept,
        "carried": migration.carried.as_json(),
        "verified": asdict(migration.verified),
        "seconds": migration.seconds,
    }
    write_private(backup.folder / name, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _recorded(backup: Backup) -> Carried | None:
    path = backup.folder / RECORD
    if not path.exists():
        return None
    held = json.loads(path.read_text(encoding="utf-8"))["carried"]
    parts, fingerprints = {}, {}
    for table, value in held.items():
        only = value["only"] and (value["only"][0], tuple(value["only"][1]))
        parts[table] = Part(tuple(value["columns"]), only)
        fingerprints[table] = Fingerprint(value["rows"], value["checksum"], value["max_id"])
    return Carried(parts, fingerprints)
