"""Which folders are mount points: now, and as the machine is set up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_MOUNTED = Path("/proc/self/mountinfo")
_SET_UP = Path("/etc/fstab")
_MOUNTED_PLACE, _SET_UP_PLACE = 4, 1
# Where desktops and administrators mount what comes and goes; an empty folder there says nothing.
_VOLUMES = tuple(map(Path, ("/media", "/mnt", "/run/media", "/Volumes", "/net")))


def mount_point_of(folder: Path) -> Path:
    """The mount point that an existing folder's volume is mounted at, ``/`` for the root's."""
    real = folder.resolve()
    return next(path for path in (real, *real.parents) if is_mounted(path))


def is_mounted(folder: Path) -> bool:
    """Whether something is mounted at ``folder``, a bind mount as well where the kernel tells of them."""
    if folder == Path("/"):
        return True
    return folder in _mounted() or os.path.ismount(folder)


def set_up_above(missing: Path) -> Path | None:
    """A mount point above a path that the machine is set up to have and does not have now."""
    above = {missing, *missing.parents}
    return next(
        (one for one in _places(_SET_UP, _SET_UP_PLACE) if one in above and not is_mounted(one)), None
    )


def may_be_unmounted(missing: Path) -> bool:
    """Whether a path that isn't there could lie on a volume that is not mounted, by what is left of the way.

    The nearest folder that is there is empty, as a mount point is then, or one that volumes are mounted in.
    """
    existing = next(path for path in missing.parents if path.exists())
    return existing in _VOLUMES or existing.parent in _VOLUMES or not any(existing.iterdir())


def _mounted() -> set[Path]:
    return set(_places(_MOUNTED, _MOUNTED_PLACE))


def _places(table: Path, column: int) -> Iterator[Path]:
    """The mount points of a table, the kernel's or the administrator's; none where there is no such file."""
    try:
        lines = table.read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > column and not line.startswith("#") and fields[column].startswith("/"):
            yield Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[column]))
