"""Who runs the embedded server: PostgreSQL refuses to run as root, so root lends it an ordinary account.

Nothing here ever changes the mode of a folder that we did not make. Where the account can't get through, the
server's files go elsewhere.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anime_pipeline.database.errors import DatabaseError

NOBODY = "nobody"


@dataclass(frozen=True)
class Account:
    """An account to run the server as; without ids it is the one of this process."""

    uid: int | None = None
    gid: int | None = None

    @property
    def command_options(self) -> dict[str, Any]:
        """Arguments for ``subprocess`` that run a command as this account, with a clean environment."""
        options: dict[str, Any] = {"env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}}
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def owns_new(self, folder: Path) -> None:
        """Make ``folder`` (its parent exists) for this account alone."""
        folder.mkdir(mode=0o700)
        if self.uid is not None:
            os.chown(folder, self.uid, self.gid if self.gid is not None else -1)

    def can_enter(self, folder: Path) -> bool:
        """Whether this account gets into ``folder``; asked of the kernel, so that ACLs and mounts count."""
        return self._succeeds("sh", "-c", 'cd -- "$1"', "sh", str(folder))

    def can_run(self, program: Path) -> bool:
        """Whether this account can run ``program`` (which understands ``--version``)."""
        return self._succeeds(str(program), "--version")

    def _succeeds(self, *command: str) -> bool:
        try:
            done = subprocess.run(command, cwd="/", capture_output=True, check=False, **self.command_options)
        except PermissionError:
            return False
        return done.returncode == 0


def account_for_new_cluster(home: Path) -> Account:
    """This account; for root the home's owner, or ``nobody`` where that is root as well."""
    if os.geteuid() != 0:
        return Account()
    owner = home.stat().st_uid
    try:
        entry = pwd.getpwuid(owner) if owner != 0 else pwd.getpwnam(NOBODY)
        return Account(entry.pw_uid, entry.pw_gid)
    except KeyError:
        return _nobody()


def account_of_cluster(cluster: Path) -> Account:
    """The account that an existing cluster belongs to."""
    held = cluster.stat()
    if held.st_uid == os.geteuid():
        return Account()
    if os.geteuid() == 0:
        return Account(held.st_uid, held.st_gid)
    raise DatabaseError(
        f"The database in {cluster} belongs to another account (uid {held.st_uid}).",
        "Run as that account, or set ANIME_HOME to a folder of your own.",
    )


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam(NOBODY)
    except KeyError as error:
        raise DatabaseError(
            "PostgreSQL refuses to run as root, and this machine has no account `nobody` to run it as.",
            "Run as an ordinary user, or set ANIME_DATABASE_URL to a server that runs elsewhere.",
        ) from error
    return Account(entry.pw_uid, entry.pw_gid)
