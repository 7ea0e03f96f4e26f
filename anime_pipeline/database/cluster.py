"""Where a home's database files lie, and how they are made.

``<home>/postgres/cluster`` is the data folder, or a symbolic link to it where root's account can't enter
the home. Its file ``anime.json`` holds password and port. The cluster appears whole, by one rename, or not
at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from anime_pipeline.database.account import Account, account_for_new_cluster
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.installation import Installation, installation_for, shared_root

SUPERUSER = "anime"
HOST = "127.0.0.1"
_SECRETS = "anime.json"
# For a small machine. fsync stays on: this is the only copy of what a studio made.
_CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    # Dagster's storage opens a connection for nearly every query. More rounds protect passwords that people
    # choose; this one is long and random, and they would double what a connection costs.
    "scram_iterations": "1",
}


@dataclass(frozen=True)
class Secrets:
    """What a client needs besides the host."""

    password: str
    port: int


def cluster_folder(home: Path) -> Path:
    """The name of the data folder; it may be a link, and may not exist yet."""
    return home / "postgres" / "cluster"


def log_file(home: Path) -> Path:
    """What the server says."""
    return home / "postgres" / "server.log"


def read_secrets(cluster: Path) -> Secrets:
    """Password and port of an existing cluster."""
    try:
        return Secrets(**json.loads((cluster / _SECRETS).read_text()))
    except FileNotFoundError as error:
        raise DatabaseError(
            f"The embedded database of {cluster.parents[1]} was never started.",
            "Any command of anime-pipeline starts it, for example `anime-pipeline status`.",
        ) from error
    except PermissionError as error:
        raise DatabaseError(
            f"The database in {cluster} belongs to another account.",
            "Run as that account, or set ANIME_HOME to a folder of your own.",
        ) from error


def write_secrets(cluster: Path, values: Secrets) -> None:
    """Replace password and port as one; readable by their owner alone."""
    temporary = cluster / f"{_SECRETS}.new"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(values), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(cluster / _SECRETS)


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def create_cluster(home: Path) -> Path:
    """Make the cluster of a home that has none; returns the data folder.

    What a killed try left is cleared away. No other process may do the same now (``UsersLock.starting``).
    """
    cluster = cluster_folder(home)
    cluster.parent.mkdir(parents=True, exist_ok=True)
    account = account_for_new_cluster(home)
    if account.can_enter(cluster.parent):
        for earlier in cluster.parent.glob("new-*"):
            shutil.rmtree(earlier, ignore_errors=True)
        staging = cluster.with_name(f"new-{secrets.token_hex(4)}")
        made = _initialise(staging, account)
        made.rename(cluster)
        shutil.rmtree(staging)
    else:
        made = _initialise(_place_outside(home), account)
        cluster.unlink(missing_ok=True)  # a link to a cluster that somebody removed
        cluster.symlink_to(made)
    return cluster.resolve()


def _place_outside(home: Path) -> Path:
    """A new folder for this home in the shared root; half-made ones of the same home are removed.

    The name is never used again: a home that was removed and made anew must not find its old database.
    """
    prefix = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    root = shared_root()
    for earlier in root.glob(f"{prefix}-*"):
        if not (earlier / "cluster" / _SECRETS).exists():
            shutil.rmtree(earlier, ignore_errors=True)
    return root / f"{prefix}-{secrets.token_hex(4)}"


def _initialise(place: Path, account: Account) -> Path:
    """Make ``place`` for ``account`` and the cluster in it."""
    account.owns_new(place)
    cluster = place / "cluster"
    account.owns_new(cluster)
    values = Secrets(secrets.token_urlsafe(24), free_port())
    password_file = place / "password"
    password_file.write_text(values.password)
    if account.uid is not None:
        os.chown(password_file, account.uid, -1)
    try:
        _run_initdb(cluster, password_file, account)
    finally:
        password_file.unlink()
    write_secrets(cluster, values)
    return cluster


def _run_initdb(cluster: Path, password_file: Path, account: Account) -> None:
    installation = installation_for(account)
    command = [str(installation.program("initdb")), "-D", str(cluster), "-U", SUPERUSER]
    command += [
        "--pwfile",
        str(password_file),
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-instructions",
    ]
    command += _locale(installation)
    for name, value in _CONFIGURATION.items():
        command += ["-c", f"{name}={value}"]
    done = subprocess.run(
        command, cwd="/", capture_output=True, text=True, check=False, **account.command_options
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise DatabaseError(
            f"The database can't be made in {cluster}: {said[-1] if said else 'initdb said nothing'}",
            "Check the free space and the owner of that folder, or set ANIME_DATABASE_URL.",
        )


def _locale(installation: Installation) -> list[str]:
    """Sorting by code point and Unicode's upper and lower case, whatever locales the machine has."""
    if int(installation.major) < 17:
        return ["--locale=C"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
