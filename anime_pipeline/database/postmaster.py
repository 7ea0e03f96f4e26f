"""The server process of a cluster: whether it runs, starting it, stopping it.

PostgreSQL's own ``postmaster.pid`` says who serves a cluster; we believe it only where that process really is
the server of this cluster, since after a crash the number may belong to anybody.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from anime_pipeline.database.account import account_of_cluster
from anime_pipeline.database.cluster import free_port, read_secrets, write_secrets
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.installation import installation_for
from anime_pipeline.database.server_log import ServerLog

START_SECONDS = 60.0  # recovery after a crash may take a while on a slow disk
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02
_READY = "ready"
_PID_LINE, _START_LINE, _PORT_LINE, _STATUS_LINE = 0, 2, 3, 7

# The servers that this process started: its children, to be reaped by it. A fork has them too, but no claim.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Postmaster:
    """A running server; ``identity`` tells it from a later one with the same number."""

    pid: int
    identity: str
    port: int
    ready: bool


def running(cluster: Path) -> Postmaster | None:
    """The server of ``cluster`` (a resolved path), if one runs."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[_PID_LINE]), int(lines[_PORT_LINE])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    if not _serves(pid, cluster):
        return None
    ready = len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == _READY
    return Postmaster(pid, f"{pid} {lines[_START_LINE]}", port, ready)


def start(cluster: Path, log: ServerLog) -> Postmaster:
    """Have the server of ``cluster`` running and taking connections; one that is on its way is waited for.

    It gets its own session, so that a signal to a command's process group doesn't reach it. Two troubles pass
    by themselves and are tried again: a port that somebody took, and a killed server whose last workers are
    still going.
    """
    deadline = time.monotonic() + START_SECONDS
    process: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        found = running(cluster)
        if found is not None and found.ready:
            return found
        if process is not None and process.poll() is not None:
            _mend_or_raise(cluster, log)
            process = None
        if process is None and found is None:
            log.begin()
            process = _launch(cluster, log)
        time.sleep(_POLL_SECONDS)
    raise log.error(f"The database did not get ready within {START_SECONDS:.0f} seconds")


def stop(cluster: Path) -> None:
    """Stop the server of ``cluster``, if one runs; open connections are ended, nothing committed is lost."""
    found = running(cluster)
    if found is None:
        return
    try:
        os.kill(found.pid, signal.SIGINT)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + STOP_SECONDS
    while running(cluster) is not None:
        if time.monotonic() > deadline:
            raise DatabaseError(
                f"The database (process {found.pid}) did not stop within {STOP_SECONDS:.0f} seconds."
            )
        time.sleep(_POLL_SECONDS)


def _launch(cluster: Path, log: ServerLog) -> subprocess.Popen[bytes]:
    account = account_of_cluster(cluster)
    postgres = installation_for(account, (cluster / "PG_VERSION").read_text().strip()).program("postgres")
    _disown_stale_pid(cluster)
    command = [str(postgres), "-D", str(cluster), "-p", str(read_secrets(cluster).port)]
    with log.path.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **account.command_options,
        )
    _children[process.pid] = process
    return process


def _mend_or_raise(cluster: Path, log: ServerLog) -> None:
    """After a start that failed: return where the next one can go better."""
    if log.says_port_taken():
        write_secrets(cluster, replace(read_secrets(cluster), port=free_port()))
    elif not log.says_still_in_use():
        raise log.error("The database did not start")


def _disown_stale_pid(cluster: Path) -> None:
    """Make a dead server's number, now another process of the same account, no reason to refuse a start.

    The file must not go, since it also guards against workers that outlived their server. So its number is
    replaced by ours: PostgreSQL never takes its own parent for a rival, and checks the rest as ever.
    """
    file = cluster / "postmaster.pid"
    try:
        first, *rest = file.read_text().splitlines(keepends=True)
        pid = int(first)
    except (FileNotFoundError, ValueError):
        return
    if _is_alive(pid) and not _serves(pid, cluster):
        with file.open("r+") as stale:
            stale.write("".join([f"{os.getpid()}\n", *rest]))
            stale.truncate()


def _serves(pid: int, cluster: Path) -> bool:
    """Whether process ``pid`` is the server of ``cluster``, by its command line."""
    child = _children.get(pid)
    if child is not None:
        child.poll()  # reap it, if it has ended
    return f" {cluster} " in f" {_command_line(pid)} "


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command_line(pid: int) -> str:
    """The command line of a process; empty for one that has ended, also where nobody has reaped it yet."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout
