"""How many threads a render server on this machine computes with: ComfyUI itself does not tell.

On a CPU another number of threads changes some values by one, so it belongs to what a take was rendered on.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

_PROC = Path("/proc")
_LOCAL = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}
_LISTENING = "0A"
_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def threads_of(url: str) -> str | None:
    """``4 CPUs, OMP_NUM_THREADS=2`` for a server of this machine and account; else None."""
    address = urlsplit(url)
    if address.hostname not in _LOCAL or address.port is None:
        return None
    try:
        process = _listener(address.port)
        return _said_of(process) if process is not None else None
    except OSError:
        return None


def _listener(port: int) -> Path | None:
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not sockets:
        return None
    for process in _PROC.glob("[0-9]*"):
        try:
            if any(str(file.readlink()) in sockets for file in (process / "fd").iterdir()):
                return process
        except OSError:
            continue  # another account's, or gone by now
    return None


def _inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        path = _PROC / "net" / table
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.append(fields[9])
    return found


def _said_of(process: Path) -> str:
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    ranges = [one.split("-") for one in status.get("Cpus_allowed_list", "").strip().split(",") if one]
    cpus = sum(int(one[-1]) - int(one[0]) + 1 for one in ranges)
    entries = (process / "environ").read_bytes().decode(errors="replace").split("\0")
    environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    chosen = [f"{name}={environment[name]}" for name in _SETTINGS if environment.get(name)]
    return ", ".join([f"{cpus} CPUs", *chosen])
