"""What the artist is asked for: one shot, as plain values. The pixels follow from these values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

ShotKind = Literal["still", "loop", "video"]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ShotFigure:
    """A character in a shot.

    ``attributes`` maps a type (hair_style, eye_color, accessory …) to free text or a colour. ``outfit`` and
    ``expression`` win over the attributes of the same name. ``picture`` (height × width × 4, uint8, straight
    alpha) is drawn in place of the stylised figure.
    """

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    outfit: str | None = None
    expression: str | None = None
    position: str | None = None
    picture: Pixels | None = None


@dataclass(frozen=True, eq=False)
class ShotLine:
    """A spoken line: frames from ``start_frame`` (inclusive) to ``end_frame`` (exclusive)."""

    speaker: str
    text: str
    start_frame: int
    end_frame: int


@dataclass(frozen=True, eq=False)
class Shot:
    """One shot; width and height in pixels, length in frames.

    ``palette`` maps a name to ``#rrggbb``. ``background`` (height × width × 3, uint8) replaces the drawn
    backdrop. Raises ValueError for a size, length or rate below 1.
    """

    kind: ShotKind
    width: int
    height: int
    frames: int
    fps: int
    seed: int
    location: str
    time_of_day: str
    mood: str = ""
    palette: dict[str, str] = field(default_factory=dict)
    camera_angle: str = ""
    action: str = ""
    figures: tuple[ShotFigure, ...] = ()
    lines: tuple[ShotLine, ...] = ()
    background: Pixels | None = None
    slate: str | None = None
    timecode: bool = False
    subtitles: bool = False

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.frames, self.fps) < 1:
            raise ValueError("a shot's width, height, frames and fps are at least 1")
