"""Which home a cluster outside all homes belongs to, noted beside it: the link leads only the other way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from anime_pipeline.database.mounts import mount_point_of

_FILE = "home"


@dataclass(frozen=True)
class NotedHome:
    """A home, and where its volume was mounted when the cluster was last started.

    ``mount_point`` None: noted by an earlier version, only when the cluster was made.
    """

    home: Path
    mount_point: Path | None


def note_home(place: Path, home: Path) -> None:
    """Note that ``place`` holds the cluster of ``home``; at each start, since homes are moved and copied."""
    told = json.dumps({"home": str(home), "mount_point": str(mount_point_of(home))}) + "\n"
    file = place / _FILE
    if file.exists() and file.read_text() == told:
        return
    new = file.with_suffix(".new")
    new.write_text(told)
    new.replace(file)


def noted_home(place: Path) -> NotedHome | None:
    """What is noted; None where nothing is, or nothing that can be relied on."""
    try:
        told = (place / _FILE).read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    try:
        noted = json.loads(told) if told.startswith("{") else {"home": told.removesuffix("\n")}
        home, mount_point = Path(noted["home"]), noted.get("mount_point")
    except (ValueError, KeyError, TypeError):
        return None
    if not home.is_absolute() or "\n" in told.removesuffix("\n"):
        return None
    return NotedHome(home, Path(mount_point) if mount_point else None)
