"""Clusters outside all homes whose home is gone: found, and removed one by one, by name.

A cluster is the only copy of what a studio made. So whatever speaks for its being needed keeps it: a home
that is there, though it may lead to another cluster by now; one that was moved or copied, wherever it lies; a
server; a volume that may only not be mounted; a home that nobody noted. What is kept can still be removed by
hand, by somebody who knows.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from anime_pipeline.database import installation, postmaster
from anime_pipeline.database.cluster import cluster_folder
from anime_pipeline.database.cluster_home import NotedHome, noted_home
from anime_pipeline.database.errors import DatabaseError
from anime_pipeline.database.mounts import is_mounted, may_be_unmounted, set_up_above

IDLE_SECONDS = 86_400.0
"""A cluster that was written to since is kept: a home that went today may come back today."""
_NAME = re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}")
_LEAVING = "removing-"
_EVERYWHERE = Path("/")
_NO_DISKS = ("/proc", "/sys", "/dev")


@dataclass(frozen=True)
class OutsideCluster:
    """A cluster that lies outside its home.

    ``bytes`` is what it takes on the disk. ``last_written`` is when its server last noted a checkpoint or its
    end, or when it was begun. ``kept`` says why it is not removed; None: it is a stray. ``in_use``: a home or
    a server uses it, beyond doubt.
    """

    place: Path
    home: Path | None
    bytes: int
    last_written: datetime
    kept: str | None
    in_use: bool

    @property
    def name(self) -> str:
        """What it is removed by."""
        return self.place.name


def outside_clusters() -> list[OutsideCluster]:
    """All clusters outside homes, strays and others.

    All that is mounted is searched for homes that lead to them: some seconds for a million files. Raises
    DatabaseError where this account may not look.
    """
    root = installation.SHARED_ROOT
    if not root.is_dir():
        return []
    places = sorted(
        place for place in root.iterdir() if _NAME.fullmatch(place.name) and not place.is_symlink()
    )
    try:
        homes = _homes_everywhere() if places else _Homes()
        return [_look(place, homes) for place in places]
    except PermissionError as error:
        raise DatabaseError(f"{error.filename} can't be looked at.", "Run the command as root.") from error


def find_stray(name: str) -> OutsideCluster:
    """The stray of that name; DatabaseError where there is none, or where it is kept, which says why."""
    found = {cluster.name: cluster for cluster in outside_clusters()}
    if name not in found:
        raise DatabaseError(f"There is no cluster {name!r}.", "`anime-pipeline db strays` lists them.")
    cluster = found[name]
    if cluster.kept is not None:
        by_hand = (
            f"Where you know better, make sure that no server uses it and remove {cluster.place} by hand."
        )
        raise DatabaseError(f"{name} stays: {cluster.kept}.", None if cluster.in_use else by_hand)
    return cluster


def remove_stray(name: str) -> OutsideCluster:
    """Remove the stray of that name; raises DatabaseError as :func:`find_stray` does."""
    stray = find_stray(name)
    # Renamed first: a cluster that is half removed must not look like one.
    leaving = stray.place.rename(stray.place.with_name(f"{_LEAVING}{name}"))
    for left in leaving.parent.glob(f"{_LEAVING}*"):  # of a removal that was killed, too
        shutil.rmtree(left)
    return stray


@dataclass
class _Homes:
    """The homes that lead to clusters outside, by cluster; and what could not be searched for more."""

    by_cluster: dict[Path, Path] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


def _homes_everywhere() -> _Homes:
    found = _Homes()

    def note(error: OSError) -> None:
        # What root may not enter is a user's own mount. A disk that is away may hold a home.
        if not isinstance(error, PermissionError | FileNotFoundError):
            found.unsearched.append(f"{error.filename} ({error.strerror})")

    for folder, names, _ in os.walk(_EVERYWHERE, onerror=note):
        if folder in _NO_DISKS:
            names.clear()
        elif "postgres" in names and (link := cluster_folder(Path(folder))).is_symlink():
            found.by_cluster[link.resolve()] = Path(folder)
    return found


def _look(place: Path, homes: _Homes) -> OutsideCluster:
    noted = noted_home(place)
    written = _last_written(place)
    used = _used(place / "cluster", homes)
    kept = used or _needed(place / "cluster", noted, homes)
    if kept is None and time.time() - written < IDLE_SECONDS:
        kept = "it was written to within a day"
    return OutsideCluster(
        place,
        noted.home if noted else None,
        sum(map(_bytes, (place, *place.rglob("*")))),
        datetime.fromtimestamp(written, timezone.utc),
        kept,
        used is not None,
    )


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:  # a server that runs removes files all the time
        return 0


def _last_written(place: Path) -> float:
    control = place / "cluster" / "global" / "pg_control"
    return (control if control.exists() else place).stat().st_mtime


def _used(cluster: Path, homes: _Homes) -> str | None:
    """Who uses a cluster."""
    server = postmaster.running(cluster)
    if server is not None:
        return f"its server runs (process {server.pid})"
    user = homes.by_cluster.get(cluster.resolve())
    if user is not None:
        return f"{user} uses it"
    return None


def _needed(cluster: Path, noted: NotedHome | None, homes: _Homes) -> str | None:
    """Why a cluster that nobody is seen to use may be needed."""
    if not (cluster / "postmaster.opts").exists():
        return None  # of a first start that was killed: no server has ever run on it
    if noted is None:
        return "its home is not known; a command in that home would note it"
    if homes.unsearched:
        return f"a home that uses it may lie in {', '.join(homes.unsearched)}"
    return _home_speaks_for_it(noted) or _may_be_served(cluster)


def _home_speaks_for_it(noted: NotedHome) -> str | None:
    home = noted.home
    try:
        if _is_there(home):
            return f"its home {home} is there, though it doesn't lead here"
        unmounted = set_up_above(home)
        if noted.mount_point is not None and not is_mounted(noted.mount_point):
            unmounted = noted.mount_point
        if unmounted is not None:
            return f"its home {home} lies on the volume of {unmounted}, which is not mounted"
        if noted.mount_point is None and may_be_unmounted(home):
            return f"its home {home} may lie on a volume that is not mounted"
    except OSError as error:  # a network's disk that is away, a folder that may not be entered
        return f"its home {home} can't be looked at ({error.strerror})"
    return None


def _is_there(home: Path) -> bool:
    """Whether anything is at ``home``, and whether a link above it leads nowhere, as to a volume."""
    return any(path.is_symlink() and not path.exists() for path in (home, *home.parents)) or home.exists()


def _may_be_served(cluster: Path) -> str | None:
    """A server that was killed leaves its number; one in another container shows no process here."""
    if (cluster / "postmaster.pid").exists():
        return "its server was not shut down, or is one of another container (postmaster.pid)"
    return None
