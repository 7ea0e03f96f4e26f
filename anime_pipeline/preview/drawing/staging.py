"""Who stands where: framing and positions become scales, places in the frame and the way a figure faces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.shot import Shot, ShotFigure
from anime_pipeline.preview.drawing.vocabulary import (
    POSITIONS,
    Camera,
    Framing,
    deeds_of,
    first_meaning,
    says,
)

# Height of a head, and of the eye line of a grown figure, as shares of the frame's height.
_HEADS: dict[Framing, tuple[float, float]] = {
    "wide": (0.132, 0.465), "full": (0.168, 0.19), "two_shot": (0.225, 0.36), "medium": (0.285, 0.36),
    "close": (0.56, 0.47), "extreme": (1.05, 0.45),
}  # fmt: skip
_GROWN = 3.37
_SLOTS: dict[str, float] = {"far_left": 0.13, "left": 0.29, "center": 0.5, "right": 0.71, "far_right": 0.87}
_SPREADS: dict[int, tuple[float, ...]] = {1: (0.5,), 2: (0.31, 0.69), 3: (0.22, 0.5, 0.78)}


@dataclass(frozen=True)
class Spot:
    """A figure's place: ground point and head height in frame heights, facing, depth, deeds."""

    x: float
    ground: float
    head: float
    turn: float
    depth: float
    back: bool
    deeds: frozenset[str]


def stage(shot: Shot, looks: Sequence[Look], camera: Camera) -> list[Spot]:
    """A spot for each figure, in the shot's order; ``x`` and the rest in shares of the frame's height."""
    if not looks:
        return []
    aspect = shot.width / shot.height
    head, eye_line = _HEADS[camera.framing]
    if len(looks) >= 3 and camera.framing in ("medium", "close"):
        head, eye_line = head * 0.84, eye_line + 0.03
    if camera.framing in ("close", "extreme") and len(looks) == 2:
        head *= 0.8
    # A narrow frame can't hold the heads of a wide one.
    head *= min(1.0, aspect / (0.55 * len(looks) + 0.3))
    xs = _across([figure.position or "" for figure in shot.figures], camera)
    focus = _focus(shot)
    spots = []
    for index, (figure, look) in enumerate(zip(shot.figures, looks, strict=True)):
        depth = _depth(figure)
        size = head * {-1: 1.3, 0: 1.0, 1: 0.72}[depth]
        ground = (
            eye_line
            + _GROWN * head
            + (0.10 * head * _GROWN if depth < 0 else -0.12 * head * _GROWN * (depth > 0))
        )
        deeds = deeds_of(figure.name, shot.action, len(looks) == 1)
        spot = Spot(
            xs[index] * aspect, ground, size, _turn(xs, index, camera), depth,
            says(figure.position or "", "from behind|back to camera|back turned|facing away"), deeds,
        )  # fmt: skip
        if "sit" in deeds:
            look = replace(look, legs=look.legs * 0.55)
        spots.append(spot)
    spots = _lifted(spots, looks, camera, eye_line, focus)
    return _over_shoulder(spots, focus, aspect) if camera.over_shoulder and len(spots) > 1 else spots


def _across(positions: Sequence[str], camera: Camera) -> list[float]:
    """Places across the frame, left to right 0 … 1: the words' where given, the free ones shared out."""
    count = len(positions)
    even = _SPREADS.get(count) or tuple((i + 0.5) / count for i in range(count))
    named = [first_meaning(text, POSITIONS) for text in positions]
    if count == 1:
        only = _SLOTS[named[0]] if named[0] else 0.5
        calm = {"close": 0.45, "extreme": 0.15}.get(camera.framing, 0.8)
        return [0.5 + (only - 0.5) * calm]
    rank = {"far_left": 0.0, "left": 1.0, None: 2.0, "center": 2.0, "right": 3.0, "far_right": 4.0}
    order = sorted(range(count), key=lambda i: (rank[named[i]], i))
    xs = [0.5] * count
    for place, index in enumerate(order):
        name = named[index]
        xs[index] = even[place] if name is None else 0.5 * even[place] + 0.5 * _SLOTS[name]
    gap = 0.8 / count * 0.62
    for before, after in itertools.pairwise(order):
        xs[after] = max(xs[after], xs[before] + gap)
    shift = (min(xs) + max(xs)) / 2 - 0.5 if max(xs) > 0.9 else 0.0
    return [x - shift for x in xs]


def _focus(shot: Shot) -> int:
    """The figure that the camera cares for: the first speaker, else the first figure."""
    names = [figure.name for figure in shot.figures]
    return next((names.index(line.speaker) for line in shot.lines if line.speaker in names), 0)


def _depth(figure: ShotFigure) -> int:
    words = figure.position or ""
    if says(words, "foreground|front|near"):
        return -1
    return 1 if says(words, "background|behind|far|distance|back") else 0


def _turn(xs: Sequence[float], index: int, camera: Camera) -> float:
    x = xs[index]
    inward = 1.0 if x < 0.5 else -1.0
    if camera.profile:
        return 0.95 * inward
    if len(xs) == 1:
        return 0.22 * inward if abs(x - 0.5) > 0.02 else 0.18
    middle = sorted(xs)[len(xs) // 2] == x and len(xs) % 2 == 1
    return 0.0 if middle else 0.5 * inward


def _lifted(
    spots: list[Spot], looks: Sequence[Look], camera: Camera, eye_line: float, focus: int
) -> list[Spot]:
    """Moves all figures together so that heads are well in the frame, whatever their height."""
    if camera.framing == "wide":
        return spots
    ears = [0.30 if look.accessories & {"fox_ears", "cat_ears"} else 0.0 for look in looks]
    tops = [spot.ground - (look.torso + look.legs + 0.6) * spot.head for spot, look in zip(spots, looks,
        strict=True)]  # fmt: skip
    if camera.framing in ("close", "extreme"):
        shift = eye_line - (tops[focus] * 0.75 + 0.25 * sum(tops) / len(tops))
        if camera.framing == "close":
            shift += 0.4 * ears[focus] * spots[focus].head
    else:
        shift = eye_line - sum(tops) / len(tops)
        highest = min(top - (0.62 + ear) * spot.head for top, spot, ear in zip(tops, spots, ears,
            strict=True))  # fmt: skip
        shift = max(shift, 0.03 - highest)
    shift += (0.04 if camera.low else 0.0) - (0.03 if camera.high else 0.0)
    return [replace(spot, ground=spot.ground + shift) for spot in spots]


def _over_shoulder(spots: list[Spot], focus: int, aspect: float) -> list[Spot]:
    """The first figure that isn't the focus becomes a dark shoulder in front of the camera."""
    front = next(i for i in range(len(spots)) if i != focus)
    result = []
    for index, spot in enumerate(spots):
        if index == front:
            left = spots[front].x <= spots[focus].x
            head = spot.head * 1.6
            x = aspect * (0.15 if left else 0.85)
            result.append(replace(spot, x=x, head=head, ground=0.36 + head * 3.4, depth=-2, back=True,
                turn=0.0))  # fmt: skip
        elif index == focus:
            away = spots[front].x <= spot.x
            result.append(replace(spot, x=aspect * (0.6 if away else 0.4), turn=-0.35 if away else 0.35))
        else:
            result.append(spot)
    return result
