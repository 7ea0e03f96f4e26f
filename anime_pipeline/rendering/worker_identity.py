"""Who holds a lease, so that a worker on the same machine can tell at once that its owner is dead."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from functools import lru_cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


def new_worker_id() -> str:
    """``host:pid:start:nonce``; start tells this process from a later one with the same pid."""
    return f"{_host()}:{os.getpid()}:{_start_of(os.getpid())}:{secrets.token_hex(4)}"


def is_dead(worker_id: str) -> bool:
    """True when the worker ran on this machine and its process is gone; False when that cannot be told."""
    parts = worker_id.split(":")
    if len(parts) != 4 or parts[0] != _host() or not parts[1].isdigit():
        return False
    return _start_of(int(parts[1])) != parts[2]


@lru_cache(maxsize=1)
def _host() -> str:
    boot = _BOOT_ID.read_text().strip()[:8] if _BOOT_ID.exists() else ""
    # Containers may share name and boot, and count their processes each from 1.
    processes = "".join(filter(str.isdigit, str(_PIDS.readlink()))) if _PIDS.is_symlink() else ""
    return f"{socket.gethostname()[:60]}/{boot}{processes}".replace(":", "_")


def _start_of(pid: int) -> str:
    """When a process started, in any unit; empty when there is none or it is a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The command's name is in brackets and may itself hold brackets and spaces.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "".join(shown.stdout.split()).replace(":", "")
