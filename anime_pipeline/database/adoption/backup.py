"""Takes a backup from one snapshot, and lets it count only once it was restored and compared."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, text

from anime_pipeline import __version__
from anime_pipeline.database import migrations
from anime_pipeline.database.adoption.connections import Which, transaction, url_of
from anime_pipeline.database.adoption.errors import AdoptionError, in_words
from anime_pipeline.database.adoption.fingerprints import Fingerprint, all_fingerprints
from anime_pipeline.database.adoption.manifest import (
    DUMP,
    MANIFEST,
    NAME_FORMAT,
    SCHEMA,
    TABLE_LIST,
    Backup,
    Manifest,
    Purpose,
    backups_folder,
    check_files,
    describe_file,
    find_backup,
    utc_now,
    write_private,
)
from anime_pipeline.database.adoption.restoring import expect_content, restore_into
from anime_pipeline.database.adoption.scratch import scratch_database
from anime_pipeline.database.adoption.tools import Tools, finish_tool, run_tool, start_tool, tools_for
from anime_pipeline.settings import Settings

OnEvent = Callable[[str], None]
Trial = Callable[[URL, dict[str, Fingerprint]], None]
COMPRESSION = "gzip:1"
_PARTIAL = ".partial-"


def ignore_event(_: str) -> None:
    """The listener of those who don't listen."""


def no_trial(_: URL, __: dict[str, Fingerprint]) -> None:
    """The trial of those who only want the backup."""


def back_up(
    settings: Settings,
    purpose: Purpose = "manual",
    on_event: OnEvent = ignore_event,
    trial: Trial = no_trial,
    which: Which = "studio",
) -> Backup:
    """Back up a database into ``<home>/backups/<UTC time>/`` and restore it once to prove it.

    Dagster's goes to ``<home>/backups/dagster/<UTC time>/``: each stands for itself, so that a server that is
    away keeps only its own database from being backed up. ``trial`` may do as it likes with the restored
    copy, once that was compared. Raises AdoptionError; the folder then doesn't exist, and the database was
    only read.
    """
    url = url_of(settings, which)
    with in_words("The backup"), one_at_a_time(settings, which) as folder:
        _sweep(folder)
        taken_at = utc_now()
        partial = folder / f"{_PARTIAL}{taken_at.strftime(NAME_FORMAT)}"
        partial.mkdir(mode=0o700)
        try:
            manifest = _fill(settings, which, url, partial, taken_at, purpose, on_event, trial)
            write_private(partial / MANIFEST, json.dumps(manifest.as_json(), indent=2) + "\n")
            final = _free_name(folder, taken_at)
            partial.rename(final)
            _sync_folder(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return Backup(final, manifest)


def restore_test(
    settings: Settings,
    name: str | None = None,
    on_event: OnEvent = ignore_event,
    which: Which = "studio",
) -> Backup:
    """Restore a backup (default: the newest) into a scratch database and compare it with its manifest."""
    backup = find_backup(settings, name, which)
    on_event(f"checking the files of {backup.name}")
    check_files(backup)
    _restore_once(settings, which, backup.dump, backup.manifest.tables, on_event)
    return backup


def _fill(
    settings: Settings,
    which: Which,
    url: URL,
    folder: Path,
    taken_at: datetime,
    purpose: Purpose,
    on_event: OnEvent,
    trial: Trial,
) -> Manifest:
    began = time.perf_counter()
    with transaction(url, read_only=True, isolation="REPEATABLE READ") as connection:
        number, version = connection.execute(
            text("SELECT current_setting('server_version_num')::integer, current_setting('server_version')")
        ).one()
        tools = tools_for(number // 10_000, url)
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        command: list[str | Path] = [tools.program("pg_dump"), "--format=custom"]
        command.append(f"--compress={_compression(tools)}")
        on_event("dumping")
        dumping = start_tool([*command, f"--snapshot={snapshot}", f"--file={folder / DUMP}"], url)
        try:
            # While the dump runs, on the same snapshot: this is why they agree while others write.
            tables = all_fingerprints(connection)
        except BaseException:
            dumping.kill()
            dumping.communicate()
            raise
        finish_tool(dumping, "Dumping the database")
        revision = migrations.revision_on(connection)
    dumped = time.perf_counter()
    restore = tools.program("pg_restore")
    listed = run_tool([restore, "--list", folder / DUMP], None, "Listing the dump")
    run_tool(
        [restore, "--schema-only", f"--file={folder / SCHEMA}", folder / DUMP], None, "Writing the schema"
    )
    write_private(folder / TABLE_LIST, "".join(f"{name}\n" for name in sorted(tables)))
    if listed.count(" TABLE DATA ") < len(tables):
        raise AdoptionError("The dump lacks tables that the database has.", "Run the command again.")
    files = {name: describe_file(folder / name) for name in (DUMP, SCHEMA, TABLE_LIST)}
    where = _restore_once(settings, which, folder / DUMP, tables, on_event, trial)
    seconds = {
        "dump": round(dumped - began, 3),
        "restore_test": round(time.perf_counter() - dumped, 3),
    }
    return Manifest(
        taken_at, purpose, url.database or "", version, tools.version, __version__, revision, tables, files,
        seconds, where,
    )  # fmt: skip


def _restore_once(
    settings: Settings,
    which: Which,
    dump: Path,
    expected: dict[str, Fingerprint],
    on_event: OnEvent,
    trial: Trial = no_trial,
) -> str:
    with scratch_database(settings, which) as (scratch, where):
        on_event(f"restoring into a scratch database on {where}")
        restore_into(scratch, dump, keep_owners=False)
        on_event("comparing the restored rows")
        expect_content(scratch, expected, "The restored backup")
        trial(scratch, expected)
    return where


def _compression(tools: Tools) -> str:
    """Quick and readable everywhere; names of methods are known from 16 on."""
    return COMPRESSION if tools.major >= 16 else COMPRESSION.split(":")[1]


@contextmanager
def one_at_a_time(settings: Settings, which: Which) -> Iterator[Path]:
    """A database's folder of backups, for the only process of this home that writes or restores one now."""
    folder = backups_folder(settings, which)
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AdoptionError(
                "Another backup or rollback of this home is at work.",
                "Wait for its end, then run the command again.",
            ) from error
        yield folder


def _sweep(folder: Path) -> None:
    """Remove what killed runs left; the lock says that none is at work."""
    for left in folder.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)


def _free_name(folder: Path, taken_at: datetime) -> Path:
    name = taken_at.strftime(NAME_FORMAT)
    number = 1
    while (folder / name).exists():
        number += 1
        name = f"{taken_at.strftime(NAME_FORMAT)}-{number}"
    return folder / name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
