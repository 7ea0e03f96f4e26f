"""Files that appear whole or not at all, whenever the writer is killed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(final: Path, temporary_folder: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; what was written there gets the name ``final`` once it is safe on the disk.

    The temporary name ends like ``final``, so that encoders recognise the format. ``temporary_folder`` must
    lie in the same filesystem; by default it is the folder of ``final``. If the body raises, ``final`` stays
    as it was. Missing folders are made.
    """
    make_folder(final.parent)
    folder = temporary_folder or final.parent
    make_folder(folder)
    temporary = folder / f".{uuid.uuid4().hex}.part{final.suffix}"
    try:
        yield temporary
        sync_file(temporary)
        temporary.replace(final)
        sync_folder(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents so that a power cut does not lose them."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
