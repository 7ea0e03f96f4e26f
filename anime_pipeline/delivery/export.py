"""Copies of deliveries with names that people know, in ``<home>/deliveries/<episode key>/``."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from anime_pipeline.media.atomic import whole_file
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings


def deliveries_folder(settings: Settings, scope_key: str) -> Path:
    """Where the deliveries of a scope's episode go; those of a whole project go to a folder of its slug."""
    return settings.home / "deliveries" / ".".join(scope_key.split(".")[:2])


def export(
    settings: Settings, store: MediaStore, sha256: str, suffix: str, scope_key: str, name: str
) -> Path:
    """Copy a stored file to the deliveries folder under ``name``; a copy that is there already stays.

    The copy appears whole or not at all, so a player never opens half a film.
    """
    target = deliveries_folder(settings, scope_key) / name
    if not (target.is_file() and _sha256(target) == sha256):
        with whole_file(target) as temporary:
            shutil.copyfile(store.local_path(sha256, suffix), temporary)
    return target


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
