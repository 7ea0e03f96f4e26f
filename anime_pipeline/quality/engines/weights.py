"""The weights that learned engines read: where they lie, and whether they are what they should be.

Nothing here loads a model. A file is used only after its sha256 is that of this catalogue or, where the
publisher states none, that of the folder's manifest, which the first fetch wrote; so an offline copy is the
folder with it. A copy that the user installed himself is his to vouch for: its sha256 goes into each score.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from anime_pipeline.errors import UserError
from anime_pipeline.quality.engines.weights_catalogue import CATALOGUE as CATALOGUE
from anime_pipeline.quality.engines.weights_catalogue import Weights
from anime_pipeline.settings import get_settings

MANIFEST = "manifest.json"

FileState = Literal["verified", "own copy", "absent", "damaged", "unverified"]


class WeightsError(UserError):
    """Weights that are absent, damaged, unknown or not to be had without consent."""


@dataclass(frozen=True)
class FileCheck:
    """What became of verifying one file."""

    path: Path
    state: FileState
    message: str

    @property
    def usable(self) -> bool:
        """Whether an engine may load the file."""
        return self.state in ("verified", "own copy")


def catalogue() -> tuple[Weights, ...]:
    """All weights that an engine can use."""
    return CATALOGUE


def weights_named(name: str) -> Weights:
    """The catalogue's entry. Raises :class:`WeightsError` with the nearest name."""
    by_name = {entry.name: entry for entry in CATALOGUE}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise WeightsError(f"no weights are called {name}{guess}", "anime-pipeline models list")


def locate(name: str, models_dir: Path) -> tuple[Path, ...]:
    """Where the files of these weights lie, or would."""
    entry = weights_named(name)
    folder = _folder(entry, models_dir)
    return tuple(folder / file.file for file in entry.files)


def remedy(name: str) -> str:
    """What brings these weights here."""
    own_copy = weights_named(name).own_copy
    return own_copy.how if own_copy else f"anime-pipeline models fetch {name}"


def missing_files(name: str, models_dir: Path) -> tuple[Path, ...]:
    """The files of these weights that are not there or hidden; empty when all are there. Reads no file."""
    # Path.is_file raises where a folder may not be looked into
    return tuple(path for path in locate(name, models_dir) if not os.path.isfile(path))  # noqa: PTH113


def verify(name: str, models_dir: Path) -> tuple[FileCheck, ...]:
    """Hash each file of these weights and compare."""
    return tuple(_verified_files(weights_named(name), models_dir))


def verified_paths(name: str, models_dir: Path) -> tuple[Path, ...]:
    """The files of these weights, safe to load. Raises :class:`WeightsError` naming the first that is not."""
    checks = verify(name, models_dir)
    for check in checks:
        if not check.usable:
            raise WeightsError(check.message, remedy(name))
    return tuple(check.path for check in checks)


def weights_sha256(names: tuple[str, ...], models_dir: Path) -> str | None:
    """One hash for all files of these weights, None for no weights: the weights' part of a provenance."""
    paths = [path for name in names for path in verified_paths(name, models_dir)]
    if len(paths) < 2:
        return file_sha256(paths[0]) if paths else None
    return hashlib.sha256("".join(file_sha256(path) for path in paths).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file, remembered for as long as its size and time stay the same."""
    state = path.stat()
    return _sha256_of(path, state.st_size, state.st_mtime_ns)


def manifest_hashes(models_dir: Path) -> dict[str, str]:
    """sha256 by file from the folder's manifest; empty where there is none."""
    path = models_dir / MANIFEST
    try:
        return {str(file): str(sha256) for file, sha256 in json.loads(path.read_text())["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise WeightsError(
            f"{path} is not a manifest of weights: {error}", f"delete {path} and fetch again"
        ) from None


@lru_cache(maxsize=256)
def _sha256_of(path: Path, size: int, changed_at: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _folder(entry: Weights, models_dir: Path) -> Path:
    if entry.own_copy is None:
        return models_dir
    folder: Path | None = getattr(get_settings(), entry.own_copy.setting)
    return folder or Path(f"${entry.own_copy.variable}")  # a message then says where it should have been


def _verified_files(entry: Weights, models_dir: Path) -> Iterator[FileCheck]:
    recorded = manifest_hashes(models_dir)
    for file, path in zip(entry.files, locate(entry.name, models_dir), strict=True):
        try:
            yield _checked(entry, path, file.sha256 or recorded.get(file.file))
        except OSError as error:
            yield FileCheck(path, "damaged", f"{path} cannot be read: {error.strerror or error}")


def _checked(entry: Weights, path: Path, expected: str | None) -> FileCheck:
    if not path.is_file():
        return FileCheck(path, "absent", f"{path} is not there")
    if entry.own_copy:
        return FileCheck(path, "own copy", f"{path}: sha256 {file_sha256(path)[:12]}…, yours to vouch for")
    if expected is None:
        message = f"{path}: neither publisher nor {MANIFEST} states its sha256"
        return FileCheck(path, "unverified", message)
    found = file_sha256(path)
    if found != expected:
        message = f"{path} is damaged or another file: sha256 {found[:12]}… instead of {expected[:12]}…"
        return FileCheck(path, "damaged", message)
    return FileCheck(path, "verified", f"{path}: sha256 {found[:12]}…")
