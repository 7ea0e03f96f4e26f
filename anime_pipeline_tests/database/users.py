"""Real processes that use a home's embedded server, for the tests of sharing and of permissions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Everything is imported before the account changes: a studio's Python may lie where `nobody` can't go.
_PROGRAM = """
import os, sys
from pathlib import Path
import sqlalchemy.dialects.postgresql.psycopg2
from anime_pipeline.database import migrations, postmaster, revision_runs, server
from anime_pipeline.database.cluster import cluster_folder
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.settings import Settings
home, uid, keep = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "keep"
if uid != os.getuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
settings = Settings(home=home)
try:
    server.ensure_server(settings)
    migrations.upgrade(settings)
except DatabaseError as error:
    print(f"error: {error}", flush=True)
    sys.exit(1)
if keep:
    server.keep_running(settings)
found = postmaster.running(cluster_folder(home).resolve())
print(found.pid if found else "no server", flush=True)
sys.stdin.read()
"""


@contextmanager
def user_of(home: Path, uid: int | None = None, keep: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the server of ``home`` until the block is left, in a session of its own."""
    arguments = [str(home), str(os.getuid() if uid is None else uid), "keep" if keep else "share"]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        # Leaving closes its input, which ends it, and waits.


def answer(process: subprocess.Popen[str]) -> str:
    """What the process says once it is a user: the number of the server's process, or an error."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
