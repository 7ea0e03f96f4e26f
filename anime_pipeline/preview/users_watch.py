"""The shared preview server of a home: says where it is, and ends when no process of the home needs it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from anime_pipeline.shared_process import UsersLock

LOCK_NAME = "preview"
IDLE_SECONDS = 5.0
_LOOK_SECONDS = 1.0


def run_dir(home: Path) -> Path:
    """Folder of the locks and of the address file."""
    return home / "run"


def address_file(home: Path) -> Path:
    """The file that says where the home's shared server is: JSON with url, pid and instance."""
    return run_dir(home) / "preview.json"


def write_address(home: Path, url: str, instance: str) -> None:
    """Say where the server is, in one step."""
    path = address_file(home)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps({"url": url, "pid": os.getpid(), "instance": instance}))
    part.replace(path)


def remove_address(home: Path, instance: str) -> None:
    """Take the address down, unless it is another server's by now."""
    try:
        if json.loads(address_file(home).read_text())["instance"] == instance:
            address_file(home).unlink()
    except (OSError, ValueError, KeyError):
        return


class UsersWatch:
    """A thread that calls ``end`` once the users' lock has been free for ``IDLE_SECONDS``.

    The kernel frees the lock of a process that dies, by SIGKILL too. Deciding to end happens under the
    starting lock, so no process can find the address of a server that is about to go.
    """

    def __init__(self, home: Path, instance: str, end: Callable[[], object]) -> None:
        self._home = home
        self._instance = instance
        self._end = end
        self._lock = UsersLock(run_dir(home), LOCK_NAME)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="preview-users", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _watch(self) -> None:
        last_used = time.monotonic()
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                if self._lock.in_use():
                    last_used = time.monotonic()
                elif time.monotonic() - last_used >= IDLE_SECONDS and self._retire():
                    break
            except FileNotFoundError:
                break  # the home was removed, so that nobody finds this server any more
        else:
            return
        self._end()

    def _retire(self) -> bool:
        with self._lock.starting():
            if self._lock.in_use():
                return False
            remove_address(self._home, self._instance)
            return True
