"""A background process that all commands of one home share: who uses it, who starts it, who stops it.

Users hold a shared file lock that the kernel drops when a process dies, even by SIGKILL; so nobody counts,
and the last one out is whoever can turn its shared lock into an exclusive one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UsersLock:
    """The users of one shared process, as a lock on ``<run_dir>/<name>.users``."""

    def __init__(self, run_dir: Path, name: str) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self._users = run_dir / f"{name}.users"
        self._starting = run_dir / f"{name}.starting"
        self._descriptor: int | None = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Only one process at a time looks whether the shared process runs, and starts or stops it."""
        with self._starting.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def enter(self) -> None:
        """Become a user until this process ends or calls :meth:`leave`."""
        if self._descriptor is None:
            self._descriptor = os.open(self._users, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop being a user; True when nobody else is one. Call it within :meth:`starting`."""
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    def in_use(self) -> bool:
        """Whether another process is a user; for the shared process itself, which ends when none is left."""
        with self._users.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
