"""Time within a shot. All motion asks the clock, so that a loop closes whatever moves in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from anime_pipeline.preview.drawing.shot import ShotKind


@dataclass(frozen=True)
class Clock:
    """The moment of one frame. In a loop every rhythm is bent to a whole number of turns."""

    frame: int
    frames: int
    fps: int
    kind: ShotKind

    @property
    def still(self) -> bool:
        return self.kind == "still" or self.frames == 1

    @property
    def seconds(self) -> float:
        return self.frame / self.fps

    def turns(self, hertz: float) -> float:
        """Turns done since the first frame by something that turns ``hertz`` times a second."""
        if self.kind == "loop":
            return self.cycles(hertz) * self.frame / self.frames
        return hertz * self.seconds

    def cycles(self, hertz: float) -> int:
        """Whole turns that a loop gives to a rhythm."""
        return max(1, round(hertz * self.frames / self.fps))

    def wave(self, hertz: float, phase: float = 0.0) -> float:
        """A sine, -1 … 1; gentler where a loop forces it to run faster than asked. ``phase`` in turns."""
        if self.still:
            return 0.0
        calm = 1.0
        if self.kind == "loop":
            calm = min(1.0, hertz * self.frames / self.fps / self.cycles(hertz)) ** 0.5
        return calm * math.sin(2 * math.pi * (self.turns(hertz) + phase))

    @property
    def progress(self) -> float:
        """0 … 1 through the shot with soft ends; there and back again in a loop; 0.5 in a still."""
        if self.still:
            return 0.5
        if self.kind == "loop":
            return 0.5 - 0.5 * math.cos(2 * math.pi * self.frame / self.frames)
        return ease(self.frame / (self.frames - 1))


def ease(value: float) -> float:
    """Smoothstep mixed with a straight line: soft ends, but never quite at rest. Clamped to 0 … 1."""
    value = max(0.0, min(1.0, value))
    return 0.45 * value + 0.55 * value * value * (3 - 2 * value)
