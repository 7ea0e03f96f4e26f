"""The camera: where it looks in each frame. All drifts are slow, so that films stay smooth."""

from __future__ import annotations

from dataclasses import dataclass

from anime_pipeline.preview.drawing.clock import Clock
from anime_pipeline.preview.drawing.vocabulary import Camera

# How far a move goes, as a share of the frame; layers are drawn with a margin that covers it.
PAN = 0.075
TILT = 0.06
ZOOM = 0.13
MARGIN = 0.17


@dataclass(frozen=True)
class View:
    """The camera of one frame: shifts as shares of the frame's height (right and down), and zoom."""

    x: float
    y: float
    zoom: float

    def for_depth(self, parallax: float) -> View:
        """What a layer sees of the move: 0 for what is infinitely far, 1 for the plane of the figures."""
        return View(self.x * parallax, self.y * parallax, 1 + (self.zoom - 1) * (0.35 + 0.65 * parallax))


def largest_zoom(camera: Camera) -> float:
    """The most that a shot zooms in."""
    return 1 + (ZOOM if camera.moves & {"push_in", "pull_out"} else 0.04)


def view_of(camera: Camera, clock: Clock, aspect: float) -> View:
    """The camera at a moment. Every shot floats a little: a locked picture reads as a frozen one."""
    if clock.still:
        return View(0.0, 0.0, 1.0)
    travel = 2 * clock.progress - 1
    moves = camera.moves
    float_size = 0.009 if camera.static else 0.012
    x = float_size * clock.wave(0.5) + 0.3 * float_size * clock.wave(0.23, 0.3)
    y = 0.75 * float_size * clock.wave(0.5, 0.25)
    zoom = 1.015
    x += aspect * PAN * travel * (("pan_right" in moves or "track" in moves) - ("pan_left" in moves))
    y += TILT * travel * (("tilt_down" in moves) - ("tilt_up" in moves))
    zoom += ZOOM * (clock.progress * ("push_in" in moves) + (1 - clock.progress) * ("pull_out" in moves))
    if "shake" in moves:
        x += 0.004 * clock.wave(2.1, 0.1) + 0.0025 * clock.wave(3.4, 0.6)
        y += 0.004 * clock.wave(2.6, 0.4) + 0.002 * clock.wave(3.9, 0.8)
    if not moves and not camera.static and clock.kind == "video":
        # Without a word about moves a film still leans in slowly.
        zoom += 0.035 * clock.progress
    return View(x, y, zoom)
