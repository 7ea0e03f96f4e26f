"""Faces: eyes, brows, mouth and blush by expression. Units are heads, origin in the middle of the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anime_pipeline.preview.drawing.colours import Rgb, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet

Lids = Literal["open", "half", "closed"]
Mouth = Literal["rest", "small", "middle", "wide"]

_MOUTH_LINE: Rgb = (112, 48, 52)
_MOUTH_DARK: Rgb = (134, 44, 58)
_TONGUE: Rgb = (226, 112, 120)


@dataclass(frozen=True)
class Mask:
    """An expression: lids 0 … 1.15 (``arc`` draws closed smiling eyes), brows in heads (down is positive)."""

    lids: float = 1.0
    arc: bool = False
    iris: float = 1.0
    brow_inner: float = 0.0
    brow_outer: float = 0.0
    smile: float = 0.3
    gape: float = 0.0
    blush: float = 0.35
    tears: bool = False
    sparkle: bool = False
    sweat: bool = False
    gaze: Point = (0.0, 0.0)


MASKS: dict[str, Mask] = {
    "neutral": Mask(),
    "happy": Mask(lids=0.97, brow_inner=-0.015, brow_outer=0.0, smile=1.0, blush=0.6),
    "laughing": Mask(arc=True, brow_inner=-0.03, brow_outer=-0.005, smile=1.0, gape=0.9, blush=0.75),
    "crying": Mask(lids=0.72, brow_inner=-0.055, brow_outer=0.035, smile=-0.7, gape=0.25, tears=True,
    blush=0.6),
    "angry": Mask(lids=0.86, iris=0.92, brow_inner=0.055, brow_outer=-0.04, smile=-0.7, blush=0.2),
    "surprised": Mask(lids=1.14, iris=0.8, brow_inner=-0.06, brow_outer=-0.05, smile=0.0, gape=0.6),
    "awed": Mask(lids=1.12, iris=1.08, brow_inner=-0.05, brow_outer=-0.025, smile=0.5, gape=0.35,
    sparkle=True,
                 blush=0.6, gaze=(0.0, -0.018)),
    "worried": Mask(lids=0.94, iris=0.93, brow_inner=-0.055, brow_outer=0.03, smile=-0.5, sweat=True),
    "shy": Mask(lids=0.84, brow_inner=-0.035, brow_outer=0.02, smile=0.35, blush=1.0, gaze=(0.025, 0.015)),
    "sleepy": Mask(lids=0.5, brow_inner=-0.02, brow_outer=0.01, smile=0.1, blush=0.3),
    "sad": Mask(lids=0.76, brow_inner=-0.055, brow_outer=0.035, smile=-0.6, gaze=(0.0, 0.02), blush=0.25),
    "determined": Mask(lids=0.93, brow_inner=0.04, brow_outer=-0.035, smile=0.18, blush=0.3),
    "serene": Mask(lids=0.0, brow_inner=-0.02, brow_outer=0.0, smile=0.6, blush=0.5),
    "smirk": Mask(lids=0.84, brow_inner=0.015, brow_outer=-0.03, smile=0.9, blush=0.4, gaze=(0.015, 0.0)),
}  # fmt: skip
_EYE_SIZE = {"child": 1.1, "young": 1.0, "adult": 0.9, "old": 0.66}


def draw_face(
    sheet: Sheet, look: Look, mask: Mask, lids: Lids, mouth: Mouth, turn: float, gaze: Point
) -> None:
    """Draws all features. ``turn`` -1 … 1 turns the face to the left or right of the picture."""
    _blush(sheet, look, mask, turn)
    _nose(sheet, look, turn)
    openness = {"open": mask.lids, "half": mask.lids * 0.5, "closed": 0.0}[lids]
    eye_gaze = (mask.gaze[0] + gaze[0], mask.gaze[1] + gaze[1])
    for side in (-1.0, 1.0):
        _eye(sheet, look, mask, openness, side, turn, eye_gaze)
        _brow(sheet, look, mask, side, turn)
    _mouth(sheet, mask, mouth, turn)
    if look.age == "old":
        _wrinkles(sheet, look, turn)
    if mask.sweat:
        x = 0.33 if turn <= 0 else -0.33
        drop: Points = [(x, -0.13), (x, -0.13), (x + 0.035, -0.05), (x, -0.02), (x - 0.035, -0.05)]
        sheet.area(drop, (190, 224, 246), (92, 128, 170), 0.008)


def across(x: float, turn: float) -> float:
    """Where a feature at x of a frontal face lies on a turned one."""
    return x * (1 - 0.14 * abs(turn)) + 0.13 * turn


def _eye(sheet: Sheet, look: Look, mask: Mask, lids: float, side: float, turn: float, gaze: Point) -> None:
    size = _EYE_SIZE[look.age]
    narrow = 1 - 0.3 * max(0.0, turn * side)
    cx, cy = across(0.192 * side, turn), 0.095
    lash = mix(ink(look.hair), (30, 20, 34), 0.6)

    def at(x: float, y: float) -> Point:
        """Local to the eye: x grows outwards."""
        return cx + side * x * size * narrow, cy + y * size

    if mask.arc and lids > 0.3:
        sheet.stroke(
            [at(-0.105, 0.045), at(-0.05, -0.03), at(0.02, -0.045), at(0.115, 0.04)],
            lash,
            (0.012, 0.036, 0.036, 0.012),
        )
        return
    if lids < 0.2:
        sheet.stroke(
            [at(-0.1, 0.035), at(-0.04, 0.075), at(0.04, 0.075), at(0.12, 0.02)],
            lash,
            (0.01, 0.03, 0.036, 0.014),
        )
        sheet.stroke([at(0.085, 0.055), at(0.115, 0.075)], lash, (0.014, 0.006))
        return
    top = -0.13 * lids + 0.03 * (1 - min(lids, 1.0))
    white = [at(-0.098, 0.03), at(-0.075, top * 0.62), at(-0.01, top), at(0.065, top * 0.8), at(0.11, -0.01),
             at(0.085, 0.085), at(0.01, 0.118), at(-0.07, 0.09)]  # fmt: skip
    eye = sheet.layer()
    eye.area(white, (253, 250, 248))
    ix, iy = gaze[0] + 0.03 * turn, gaze[1]
    iris_x, iris_y = cx + ix * size + side * 0.004, cy + (0.0 + iy) * size
    rx, ry = 0.079 * size * mask.iris * (narrow**0.5), 0.112 * size * mask.iris
    _iris(eye, look.eyes, iris_x, iris_y, rx, ry)
    shadow = [
        at(-0.12, -0.2),
        at(0.13, -0.2),
        at(0.13, top * 0.45),
        at(0.06, top * 0.42),
        at(-0.01, top * 0.62),
        at(-0.12, 0.02),
    ]
    eye.atop(shadow, (70, 52, 92, 80))
    eye.atop(
        _disc(iris_x - 0.028 * size, iris_y - 0.048 * size, 0.029 * size * mask.iris, 0.034 * size),
        (255, 255, 255),
    )
    eye.atop(
        _disc(iris_x + 0.032 * size, iris_y + 0.052 * size, 0.015 * size, 0.015 * size), (255, 255, 255, 220)
    )
    if mask.sparkle:
        eye.atop(
            _disc(iris_x + 0.03 * size, iris_y - 0.03 * size, 0.014 * size, 0.016 * size), (255, 255, 255)
        )
        eye.atop(
            _disc(iris_x - 0.035 * size, iris_y + 0.045 * size, 0.011 * size, 0.011 * size), (255, 255, 255)
        )
    if mask.tears:
        eye.atop(
            [at(-0.1, 0.07), at(0.0, 0.09), at(0.1, 0.05), at(0.1, 0.13), at(-0.1, 0.13)],
            (196, 228, 252, 230),
        )
    sheet.merge(eye)
    if mask.tears:
        tear = [at(0.05, 0.1), at(0.05, 0.1), at(0.085, 0.21), at(0.055, 0.25), at(0.025, 0.21)]
        sheet.area(tear, (190, 226, 252), (120, 160, 210), 0.006)
    sheet.stroke(
        [at(-0.108, 0.022), at(-0.08, top * 0.6), at(-0.012, top - 0.008), at(0.068, top * 0.84),
        at(0.122, -0.012), at(0.14, -0.03)],
        lash, tuple(width * (0.55 if look.age == "old" else 1.0) for width in (0.012, 0.03, 0.04, 0.042,
        0.03, 0.008)),
    )  # fmt: skip
    sheet.stroke(
        [at(0.1, 0.062), at(0.06, 0.106), at(-0.01, 0.12)], mix(lash, look.skin, 0.25), (0.018, 0.012, 0.004)
    )
    if lids > 0.6:
        crease = mix(shade(look.skin, 0.35), lash, 0.35)
        sheet.stroke(
            [at(-0.06, top - 0.022), at(0.015, top - 0.042), at(0.085, top * 0.8 - 0.03)],
            crease,
            (0.004, 0.012, 0.005),
        )


def _iris(eye: Sheet, colour: Rgb, x: float, y: float, rx: float, ry: float) -> None:
    dark = mix(colour, (26, 16, 44), 0.68)
    eye.atop(_disc(x, y, rx, ry), dark)
    eye.atop(_disc(x, y + ry * 0.08, rx * 0.87, ry * 0.86), mix(colour, dark, 0.35))
    eye.atop(_disc(x, y + ry * 0.36, rx * 0.78, ry * 0.55), colour, blur=ry * 0.16)
    eye.atop(_disc(x, y + ry * 0.58, rx * 0.52, ry * 0.28), tint(colour, 0.55), blur=ry * 0.1)
    eye.atop(_disc(x, y - ry * 0.02, rx * 0.40, ry * 0.42), mix(dark, (14, 8, 26), 0.6))


def _disc(x: float, y: float, rx: float, ry: float) -> list[Point]:
    return [(x, y - ry), (x + rx * 0.72, y - ry * 0.7), (x + rx, y), (x + rx * 0.72, y + ry * 0.7),
            (x, y + ry), (x - rx * 0.72, y + ry * 0.7), (x - rx, y), (x - rx * 0.72,
        y - ry * 0.7)]  # fmt: skip


def _brow(sheet: Sheet, look: Look, mask: Mask, side: float, turn: float) -> None:
    old = look.age == "old"
    colour = mix(look.beard, (120, 116, 130), 0.45) if old else shade(look.hair, 0.45)
    heavy = 1.9 if old else (1.25 if look.age == "adult" else 1.0)
    y = -0.105 if not old else -0.055
    narrow = 1 - 0.25 * max(0.0, turn * side)
    points = [
        (across(side * (0.192 + dx * narrow), turn), y + dy)
        for dx, dy in ((-0.1, 0.012 + mask.brow_inner), (-0.02,
        -0.014 + mask.brow_inner * 0.4 + mask.brow_outer * 0.2),
                       (0.1, 0.008 + mask.brow_outer))
    ]  # fmt: skip
    sheet.stroke(points, colour, (0.014 * heavy, 0.027 * heavy, 0.006 * heavy))


def _mouth(sheet: Sheet, mask: Mask, mouth: Mouth, turn: float) -> None:
    x, y = across(0.0, turn) + 0.015 * turn, 0.335
    gape = {"rest": mask.gape, "small": 0.32, "middle": 0.62, "wide": 1.0}[mouth]
    wide = 0.078 * (1 - 0.12 * abs(turn)) * (1.2 if mask.smile > 0.8 else 1.0)
    corner = -0.028 * mask.smile
    if gape < 0.15:
        skew = 0.018 if mask is MASKS["smirk"] else 0.0
        path = [(x - wide, y + corner * 0.9 + skew), (x - wide * 0.35, y + 0.012 * mask.smile + skew / 2),
                (x + wide * 0.35, y + 0.012 * mask.smile), (x + wide, y + corner * 0.9 - skew)]  # fmt: skip
        sheet.stroke(path, _MOUTH_LINE, (0.008, 0.02, 0.02, 0.008))
        return
    width, drop = wide * (0.62 + 0.38 * gape), 0.125 * gape
    if mask is MASKS["surprised"] and mouth == "rest":
        width *= 0.55
    top = y + corner * 0.55
    shape: Points = [(x - width, top), (x - width, top), (x, top + 0.012 + 0.01 * mask.smile),
        (x + width, top), (x + width, top),
             (x + width * 0.72, top + drop * 0.72), (x, top + drop), (x - width * 0.72,
        top + drop * 0.72)]  # fmt: skip
    if mask.smile < -0.3:
        shape = [(x, top), (x + width * 0.8, top + drop * 0.4), (x + width * 0.9, top + drop),
            (x, top + drop * 0.85),
                 (x - width * 0.9, top + drop), (x - width * 0.8, top + drop * 0.4)]  # fmt: skip
    inside = sheet.layer()
    inside.area(shape, _MOUTH_DARK)
    inside.atop(_disc(x, top + drop * 1.02, width * 0.75, drop * 0.42), _TONGUE)
    if gape > 0.5:
        inside.atop([(x - width, top - 0.02), (x + width, top - 0.02), (x + width * 0.7, top + 0.022),
            (x, top + 0.03),
                     (x - width * 0.7, top + 0.022)], (255, 252, 248))  # fmt: skip
    inside.area(shape, None, _MOUTH_LINE, 0.014)
    sheet.merge(inside)


def _nose(sheet: Sheet, look: Look, turn: float) -> None:
    x = across(0.0, turn) + 0.035 * turn
    colour = shade(look.skin, 0.38)
    if look.age in ("old", "adult"):
        lean = 0.03 if turn >= 0 else -0.03
        sheet.stroke(
            [(x - lean * 0.3, 0.12), (x + lean, 0.22), (x - lean * 0.4, 0.235)], colour, (0.006, 0.018, 0.01)
        )
        return
    sheet.stroke([(x - 0.004, 0.212), (x + 0.012 * (1 if turn >= 0 else -1), 0.236)], colour, (0.008, 0.02))


def _blush(sheet: Sheet, look: Look, mask: Mask, turn: float) -> None:
    pink = mix(look.skin, (240, 96, 100), 0.62)
    for side in (-1.0, 1.0):
        x = across(0.255 * side, turn)
        alpha = round(150 * mask.blush)
        sheet.atop(_disc(x, 0.255, 0.085, 0.045), (*pink, alpha), blur=0.022)
        if mask.blush >= 0.95:
            for shift in (-0.03, 0.0, 0.03):
                sheet.atop_stroke(
                    [(x + shift + 0.01, 0.235), (x + shift - 0.01, 0.27)],
                    (214, 84, 92),
                    (0.005, 0.011, 0.005),
                )


def _wrinkles(sheet: Sheet, look: Look, turn: float) -> None:
    colour = shade(look.skin, 0.3)
    for side in (-1.0, 1.0):
        x = across(0.3 * side, turn)
        for dy in (0.0, 0.035):
            sheet.stroke([(x, 0.1 + dy), (x + 0.05 * side, 0.09 + dy * 1.6)], colour, (0.004, 0.01, 0.003))
        bag = across(0.19 * side, turn)
        sheet.stroke([(bag - 0.06, 0.205), (bag, 0.222), (bag + 0.06, 0.205)], colour, (0.003, 0.01, 0.003))
