"""Acting: breath, blinks, sway, lip-flap and deeds become a pose for every frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from anime_pipeline.preview.drawing.clock import Clock, ease
from anime_pipeline.preview.drawing.figures.body import ArmPose
from anime_pipeline.preview.drawing.figures.face import Lids, Mouth
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.figures.puppet import Pose, Stance
from anime_pipeline.preview.drawing.seeds import generator
from anime_pipeline.preview.drawing.shot import Shot, ShotLine
from anime_pipeline.preview.drawing.staging import Spot
from anime_pipeline.preview.drawing.vocabulary import item_in_hand

_FLAPS: tuple[Mouth, ...] = ("small", "wide", "middle", "rest", "middle", "wide", "small", "middle")
_FLAP_HERTZ = 8.0


@dataclass(frozen=True)
class Actor:
    """What one figure does in a shot; asked for a pose at every moment."""

    look: Look
    spot: Spot
    lines: tuple[ShotLine, ...]
    blinks: tuple[int, ...]
    phase: float
    windy: float
    heading: float

    def pose(self, clock: Clock) -> Pose:
        """The pose of a frame."""
        deeds, phase = self.spot.deeds, self.phase
        breath = clock.wave(0.32, phase)
        sway = clock.wave(0.42, phase + 0.2) * 0.6 + clock.wave(0.9, phase) * 0.25
        speaking = self._line(clock.frame) is not None
        nod = clock.wave(1.1, phase) if speaking else 0.0
        stride = clock.wave(1.0 if "walk" in deeds else 1.6, phase) if deeds & {"walk", "run"} else 0.0
        reach = 11.0 if "walk" in deeds else 20.0
        hop = self._hop(clock)
        bow = math.sin(math.pi * clock.progress) ** 2 if "bow" in deeds else 0.0
        return Pose(
            dx=self._travel(clock),
            dy=-abs(stride) * (0.05 if "walk" in deeds else 0.10) - hop,
            lean=self.heading * (7.0 if "run" in deeds else 0.0) + 0.5 * clock.wave(0.21, phase) + 3.0 * bow,
            stretch=1 + 0.005 * breath + 0.02 * hop,
            head_angle=1.3 * clock.wave(0.27, phase + 0.4) + 1.4 * nod + self._tilt(),
            head_dx=0.01 * clock.wave(0.27, phase + 0.1),
            head_dy=0.006 * breath + 0.012 * nod + 0.17 * bow,
            hair_sway=(0.03 + 0.07 * self.windy) * sway + 0.05 * self.windy + 0.05 * stride,
            cloth_sway=(0.018 + 0.05 * self.windy) * clock.wave(0.5,
            phase + 0.35) + 0.03 * self.windy + 0.03 * stride,
            arm_left=1.5 * breath + reach * stride + self._gesture(clock, "left"),
            arm_right=-1.5 * breath - reach * stride + self._gesture(clock, "right"),
            leg_left=-reach * stride, leg_right=reach * stride,
            tail=7.0 * clock.wave(0.5, phase + 0.15),
            turn=self._turn(clock), lids=self._lids(clock, bow), mouth=self._mouth(clock),
        )  # fmt: skip

    def _line(self, frame: int) -> ShotLine | None:
        return next((line for line in self.lines if line.start_frame <= frame < line.end_frame), None)

    def _mouth(self, clock: Clock) -> Mouth:
        line = self._line(clock.frame)
        if line is None or clock.still:
            return "rest"
        step = int((clock.frame - line.start_frame) * _FLAP_HERTZ / clock.fps)
        start = int(generator("flap", self.look.name, line.text).integers(len(_FLAPS)))
        # The first flap is always an open mouth: a short line shows too.
        return _FLAPS[(step + start) % len(_FLAPS)] if step else "middle"

    def _lids(self, clock: Clock, bow: float) -> Lids:
        if bow > 0.6:
            return "closed"
        unit = max(1, round(clock.fps / 24))
        for blink in self.blinks:
            age = (clock.frame - blink) // unit
            if age in (0, 3):
                return "half"
            if age in (1, 2):
                return "closed"
        return "open"

    def _turn(self, clock: Clock) -> float:
        base = self.spot.turn
        if "turn" not in self.spot.deeds or clock.still:
            return base
        away = -base if abs(base) > 0.3 else base + 0.6
        return base + (away - base) * (0.5 - 0.5 * math.cos(math.pi * ease(1.4 * clock.progress)))

    def _tilt(self) -> float:
        if "look_up" in self.spot.deeds:
            return -5.0 if self.spot.turn >= 0 else 5.0
        return 4.0 if "look_down" in self.spot.deeds else 57.0 * self.look.slant

    def _travel(self, clock: Clock) -> float:
        """Walking crosses part of the frame in a film; in a loop one walks on the spot."""
        if clock.kind != "video" or not self.spot.deeds & {"walk", "run"}:
            return 0.0
        reach = (0.9 if "walk" in self.spot.deeds else 1.6) * self.heading
        return reach * (clock.progress - 0.6)

    def _hop(self, clock: Clock) -> float:
        if "jump" not in self.spot.deeds:
            return 0.0
        return 0.35 * abs(math.sin(math.pi * clock.turns(1.2))) if not clock.still else 0.3

    def _gesture(self, clock: Clock, side: str) -> float:
        if side != busy_side(self.spot):
            return 0.0
        if "wave" in self.spot.deeds:
            return 13.0 * clock.wave(1.3)
        if "give" in self.spot.deeds and clock.kind == "video":
            sign = 1 if side == "right" else -1
            return sign * 34.0 * (1 - ease(2.2 * clock.progress))
        return 1.5 * clock.wave(0.45, 0.3)


def busy_side(spot: Spot) -> str:
    """The arm that acts: the one towards the partner, ``left`` or ``right`` of the picture."""
    return "right" if (spot.turn >= 0) == ("give" in spot.deeds) else "left"


def stance_of(look: Look, spot: Spot, action: str) -> Stance:
    """Arms and things in hand for a whole shot."""
    gaze = (0.0, -0.03) if "look_up" in spot.deeds else ((0.0,
        0.035) if "look_down" in spot.deeds else (0.0, 0.0))  # fmt: skip
    seated = "sit" in spot.deeds
    if spot.back:
        return Stance(back=True, seated=seated)
    arms: dict[str, ArmPose] = {"left": "rest", "right": "rest"}
    items: dict[str, str | None] = {"left": None, "right": None}
    busy = busy_side(spot)
    item = item_in_hand(action)
    if "give" in spot.deeds:
        arms[busy], items[busy] = "give", item or "letter"
    elif "wave" in spot.deeds:
        arms[busy] = "wave"
    elif "hold" in spot.deeds and "hold_up" not in spot.deeds:
        arms[busy], items[busy] = "hold", item
    elif "hold_up" in spot.deeds:
        arms[busy], items[busy] = "raise", item
    elif seated:
        arms = {"left": "lap", "right": "lap"}
    if "lantern" in look.accessories and "lantern" not in items.values():
        free = "left" if busy == "right" else "right"
        arms[free], items[free] = "hold", "lantern"
    return Stance(arms["left"], arms["right"], items["left"], items["right"], False, gaze, seated)


def actor_of(shot: Shot, look: Look, spot: Spot, weather: frozenset[str]) -> Actor:
    """The actor for a figure. Its rhythm follows from seed and name."""
    rng = generator("actor", shot.seed, look.name)
    windy = 1.0 if weather & {"wind", "lightning"} else 0.0
    heading = 1.0 if spot.turn >= 0 else -1.0
    phase = float(rng.uniform())
    return Actor(
        look, spot, tuple(line for line in shot.lines if line.speaker == look.name),
        _blinks(shot, rng.uniform(0.2, 0.8), rng.uniform(2.2, 3.4)), phase, windy, heading,
    )  # fmt: skip


def _blinks(shot: Shot, first: float, every: float) -> tuple[int, ...]:
    if shot.kind == "still" or shot.frames < 10:
        return ()
    length = 4 * max(1, round(shot.fps / 24))
    if shot.kind == "loop":
        return (round(first * (shot.frames - length)),) if shot.frames >= 3 * length else ()
    starts: Sequence[float] = [first + every * i for i in range(1 + int(shot.frames / shot.fps / every))]
    return tuple(round((start + 0.4) * shot.fps) for start in starts)
