"""Folders for work in progress, in ``<home>/tmp``: gone when it ends, swept away when it was killed.

Who works in a folder holds a lock on it, which the kernel drops when the process dies, even by SIGKILL; so no
number of a process is kept, which another process may have by now.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

YOUNG_SECONDS = 3600.0
"""A folder in which something was written since is left alone, locked or not.

It may have been made a moment ago and not be locked yet; or be that of another machine, on a network's disk
that shares files and no locks.
"""


@contextmanager
def scratch_folder(home: Path, prefix: str) -> Iterator[Path]:
    """A new folder for the time of the block."""
    parent = _parent(home)
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name, _opened(Path(name)) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Path(name)


def dead_folders(home: Path) -> list[Path]:
    """The folders of killed processes: nobody holds them, and nothing was written there for an hour."""
    return [folder for folder in _folders(home) if _claim(folder, remove=False)]


def remove_dead_folders(home: Path) -> int:
    """Remove them; how many."""
    return sum(_claim(folder, remove=True) for folder in _folders(home))


def _parent(home: Path) -> Path:
    return home / "tmp"


def _folders(home: Path) -> list[Path]:
    return sorted(path for path in _parent(home).glob("*") if path.is_dir() and not path.is_symlink())


def _claim(folder: Path, remove: bool) -> bool:
    """Whether a folder is dead; removed under its lock, so that two sweepers don't meet in it."""
    try:
        if time.time() - _last_written(folder) < YOUNG_SECONDS:
            return False
        with _opened(folder) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if remove:
                shutil.rmtree(folder, ignore_errors=True)
            return True
    except OSError:  # held, gone meanwhile, or somebody else's: what can't be told dead is left alone
        return False


def _last_written(folder: Path) -> float:
    return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
