"""A backup on disk: its folder, its files, and the manifest that says what they hold."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from anime_pipeline.database.adoption.connections import Which
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.fingerprints import Fingerprint
from anime_pipeline.settings import Settings

MANIFEST = "manifest.json"
DUMP = "database.dump"
SCHEMA = "schema.sql"
TABLE_LIST = "tables.txt"
NAME_FORMAT = "%Y%m%dT%H%M%SZ"
FORMAT = 1
Purpose = Literal["migration", "nightly", "manual"]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class BackedUpFile:
    """A file of a backup as it was written."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, all from one snapshot; ``tables`` maps ``schema.table`` to its content."""

    taken_at: datetime
    purpose: Purpose
    database: str
    server_version: str
    tool_version: str
    product_version: str
    revision: str | None
    tables: dict[str, Fingerprint]
    files: dict[str, BackedUpFile]
    seconds: dict[str, float]
    tested_on: str

    def as_json(self) -> dict[str, Any]:
        """The manifest as the file says it."""
        return {"format": FORMAT, **asdict(self), "taken_at": self.taken_at.isoformat()}


@dataclass(frozen=True)
class Backup:
    """A backup that counts: it was written whole and restored once."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Its folder's name: the UTC time, ``20261122T134500Z``."""
        return self.folder.name

    @property
    def dump(self) -> Path:
        """The custom-format dump."""
        return self.folder / DUMP


def backups_folder(settings: Settings, which: Which = "studio") -> Path:
    """Where the backups of a home's database lie, ``backups`` or ``backups/dagster``; for its owner alone."""
    folder = settings.home / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if which == "dagster":
        folder = folder / which
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def list_backups(settings: Settings, which: Which = "studio") -> list[Backup]:
    """All backups that count, oldest first; a folder whose manifest can't be read is left out."""
    found = []
    for path in sorted(backups_folder(settings, which).glob("[0-9]*Z*")):
        try:
            found.append(_read(path))
        except AdoptionError:
            continue
    return found


def find_backup(settings: Settings, name: str | None = None, which: Which = "studio") -> Backup:
    """The backup of that name, or the newest one; AdoptionError where there is none."""
    place = backups_folder(settings, which)
    if name is None:
        held = list_backups(settings, which)
        if not held:
            raise AdoptionError(f"There is no backup in {place}.", "Make one: `anime-pipeline db backup`.")
        return held[-1]
    folder = place / name
    if Path(name).name != name or not folder.is_dir():
        known = ", ".join(backup.name for backup in list_backups(settings, which))
        remedy = f"Name one of: {known}." if known else "Make one: `anime-pipeline db backup`."
        raise AdoptionError(f"There is no backup {name!r}.", remedy)
    return _read(folder)


def check_files(backup: Backup) -> None:
    """Raise AdoptionError where a file is missing or is not what was written."""
    for name, written in backup.manifest.files.items():
        path = backup.folder / name
        if not path.exists():
            raise AdoptionError(f"The backup {backup.name} lacks its file {name}.", _OTHER_BACKUP)
        if path.stat().st_size != written.bytes or sha256_of(path) != written.sha256:
            raise AdoptionError(
                f"The backup {backup.name} is corrupted: {name} is not what was written.", _OTHER_BACKUP
            )


_OTHER_BACKUP = "Use another backup (`anime-pipeline db status` lists them), and check the disk."


def write_private(path: Path, content: str) -> None:
    """Write a text file for its owner alone, on disk before this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def describe_file(path: Path) -> BackedUpFile:
    """Size and hash of a file, once it is safely on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return BackedUpFile(sha256_of(path), path.stat().st_size)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def _read(folder: Path) -> Backup:
    try:
        held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if held.pop("format") != FORMAT:
            raise ValueError("it is of another version")
        held["taken_at"] = datetime.fromisoformat(held["taken_at"])
        held["tables"] = {name: Fingerprint(**value) for name, value in held["tables"].items()}
        held["files"] = {name: BackedUpFile(**value) for name, value in held["files"].items()}
        return Backup(folder, Manifest(**held))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AdoptionError(
            f"The manifest of the backup {folder.name} can't be read: {error}.", _OTHER_BACKUP
        ) from error
