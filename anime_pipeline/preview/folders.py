"""The preview server's three folders, and every rule about which path a request may name."""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

FolderType = Literal["output", "input", "temp"]


class OutsideFolderError(Exception):
    """A name that would leave its folder."""


@dataclass(frozen=True)
class OutputName:
    """A free name for an output: ``folder / filename`` on disk, ``subfolder`` as clients see it."""

    folder: Path
    filename: str
    subfolder: str

    @property
    def path(self) -> Path:
        return self.folder / self.filename

    def as_output(self) -> dict[str, str]:
        """The entry of a node's outputs that clients fetch with /view."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": "output"}


@dataclass(frozen=True)
class Folders:
    """``output``, ``input`` and ``temp`` under one root folder."""

    root: Path
    _counters: dict[Path, int] = field(default_factory=dict)
    _naming: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for kind in get_args(FolderType):
            (self.root / kind).mkdir(parents=True, exist_ok=True)

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def input(self) -> Path:
        return self.root / "input"

    def inside(self, kind: FolderType, *parts: str) -> Path:
        """The path of ``parts`` below a folder; OutsideFolderError where it would leave the folder."""
        base = os.path.normpath(self.root / kind)
        path = os.path.normpath(os.path.join(base, *parts))  # noqa: PTH118 - an absolute part must not win unseen
        if path != base and not path.startswith(base + os.sep):
            raise OutsideFolderError(f"{path} is outside the folder {base}")
        return Path(path)

    def next_output(self, prefix: str, suffix: str, width: int, height: int) -> OutputName:
        """A name ``<prefix>_00001_<suffix>`` that no file has, counting upwards per prefix.

        ``prefix`` may hold a subfolder, ``%width%`` and ``%height%``. Raises OutsideFolderError.
        """
        prefix = prefix.replace("%width%", str(width)).replace("%height%", str(height))
        base = self.inside("output", prefix)
        if base == self.output:
            raise OutsideFolderError(f"{prefix!r} names no file in the folder {self.output}")
        base.parent.mkdir(parents=True, exist_ok=True)
        subfolder = "" if base.parent == self.output else base.parent.relative_to(self.output).as_posix()
        with self._naming:
            number = self._counters.get(base, 0) + 1
            while (path := base.with_name(f"{base.name}_{number:05}_{suffix}")).exists():
                number += 1
            self._counters[base] = number
        return OutputName(path.parent, path.name, subfolder)

    def inputs(self) -> list[str]:
        """Names of the uploaded pictures at the top of the input folder, sorted."""
        with os.scandir(self.input) as entries:
            return sorted(
                entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")
            )

    def serve(self) -> int:
        """Claim the folders for a running server; returns the descriptor to close at its end.

        History is in memory, so what an earlier server rendered is lost to its clients: the first server of a
        folder starts by removing such outputs. A second server beside it leaves them alone.
        """
        descriptor = os.open(self.root / ".serving", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            for kind in ("output", "temp"):
                remove_files(self.root / kind)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return descriptor


def remove_files(folder: Path) -> None:
    """Remove every file below ``folder`` and the folders that this leaves empty."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            Path(place, name).unlink(missing_ok=True)
        if Path(place) != folder:
            Path(place).rmdir()
