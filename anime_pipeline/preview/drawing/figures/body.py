"""Bodies under the outfit: neck, legs, arms with hands. Units are heads; origin is the pit of the neck."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet, rectangle

WEIGHT = 0.018
Sleeve = Literal["slim", "loose", "wide"]
ArmPose = Literal["rest", "wave", "give", "hold", "raise", "lap"]


@dataclass(frozen=True)
class Dressing:
    """What an outfit means for limbs: sleeves, cuffs, legs and shoes. ``hem`` in heads below the neck."""

    sleeve: Sleeve
    hem: float
    cuff: Rgb | None
    legs: Rgb | None
    shoes: Rgb
    boots: bool


def dressing_of(look: Look) -> Dressing:
    """The limbs' clothes for a look."""
    hip = look.torso
    dark = hex_colour("#2e3448")
    table: dict[str, Dressing] = {
        "raincoat": Dressing(
            "loose", hip + look.legs * 0.36, None, None, mix(look.accent, (60, 50, 60), 0.2), True
        ),
        "coat": Dressing("loose", hip + look.legs * 0.42, look.accent, dark, (48, 40, 44), True),
        "kimono": Dressing("wide", hip + look.legs * 0.88, None, None, (120, 70, 52), False),
        "robe": Dressing("wide", hip + look.legs * 0.80, look.accent, None, (126, 82, 56), False),
        "uniform": Dressing("slim", hip + look.legs * 0.30, look.accent, None, (62, 42, 40), False),
        "hoodie": Dressing(
            "loose", hip + 0.12, shade(look.cloth, 0.2), (72, 88, 124), (236, 236, 240), False
        ),
        "sweater": Dressing("loose", hip + 0.08, shade(look.cloth, 0.16), (92, 84, 96), (112, 76, 58), False),
        "apron": Dressing("slim", hip + look.legs * 0.34, None, (86, 84, 110), (104, 72, 58), False),
        "dress": Dressing("slim", hip + look.legs * 0.5, None, None, look.accent, False),
        "tunic": Dressing("slim", hip + 0.3, look.accent, (84, 80, 100), (104, 72, 58), False),
    }
    return table[look.outfit]


def draw_neck(sheet: Sheet, look: Look) -> None:
    """Neck, with the shadow of the chin."""
    wide = 0.115 if look.age in ("child", "young") else 0.15
    neck = sheet.layer()
    neck.area([(-wide, -0.34), (wide, -0.34), (wide * 1.1, -0.04), (wide * 1.7, 0.14), (-wide * 1.7, 0.14),
        (-wide * 1.1, -0.04)], look.skin)  # fmt: skip
    neck.atop([(-0.4, -0.4), (0.4, -0.4), (0.3, -0.08), (0.0, 0.0), (-0.3, -0.08)], shade(look.skin, 0.3))
    sheet.merge(neck)
    for side in (-1.0, 1.0):
        sheet.line([(side * wide, -0.3), (side * wide * 1.1, -0.04)], ink(look.skin), WEIGHT * 0.8)


def draw_leg(sheet: Sheet, look: Look, dressing: Dressing) -> None:
    """One leg hanging from its hip at the origin; the sole is at ``look.legs``."""
    ground = look.legs
    colour = dressing.legs or look.skin
    thick = 0.17 if look.shoulders < 0.7 else 0.22
    leg: Points = [(-thick * 0.95, -0.05), (thick * 0.95, -0.05), (thick * 0.82, ground * 0.5),
        (thick * 0.62, ground - 0.12),
           (-thick * 0.62, ground - 0.12), (-thick * 0.82, ground * 0.5)]  # fmt: skip
    part = sheet.layer()
    part.area(leg, colour)
    part.atop(
        [(0.02, -0.2), (0.4, -0.2), (0.4, ground), (0.05, ground), (0.07, ground * 0.5)], shade(colour, 0.24)
    )
    if dressing.legs is None:
        sock = (246, 244, 240)
        part.atop(
            [(-0.5, ground * 0.72), (0.5, ground * 0.72), (0.5, ground + 0.1), (-0.5, ground + 0.1)],
            sock,
            smooth=False,
        )
    part.area(leg, None, ink(colour), WEIGHT)
    sheet.merge(part)
    shoe = dressing.shoes
    if dressing.boots:
        top = ground - 0.5 * min(1.0, ground / 1.6)
        sheet.area([(-0.17, top), (0.17, top), (0.15, ground - 0.14), (0.2, ground - 0.04), (0.18, ground),
            (-0.18, ground), (-0.16, ground - 0.2)],
                   shoe, ink(shoe), WEIGHT)  # fmt: skip
        sheet.line([(-0.165, top + 0.05), (0.165, top + 0.05)], shade(shoe, 0.35), 0.016, smooth=False)
        sheet.stroke([(-0.1, top + 0.1), (-0.1, ground - 0.14)], tint(shoe, 0.4), (0.0, 0.035, 0.0))
        return
    sheet.area([(-0.13, ground - 0.13), (0.1, ground - 0.13), (0.19, ground - 0.05), (0.19, ground),
        (-0.16, ground), (-0.16, ground - 0.06)],
               shoe, ink(shoe), WEIGHT)  # fmt: skip
    sheet.line([(-0.15, ground - 0.02), (0.18, ground - 0.02)], shade(shoe, 0.4), 0.014, smooth=False)


def joints(look: Look, pose: ArmPose) -> tuple[Point, Point, Point]:
    """Shoulder (the origin), elbow and hand of an arm that points to the right of the picture."""
    reach = look.torso * 0.98 + 0.06
    upper, lower = reach * 0.5, reach * 0.48
    table: dict[ArmPose, tuple[float, float]] = {
        "rest": (80.0, 86.0), "wave": (38.0, -78.0), "give": (56.0, -14.0), "hold": (70.0, -14.0),
        "raise": (-8.0, -62.0), "lap": (76.0, 150.0),
    }  # fmt: skip
    first, second = (math.radians(a) for a in table[pose])
    elbow = (upper * math.cos(first), upper * math.sin(first))
    return (0.0, 0.0), elbow, (elbow[0] + lower * math.cos(second), elbow[1] + lower * math.sin(second))


def draw_arm(sheet: Sheet, look: Look, dressing: Dressing, pose: ArmPose, side: float) -> None:
    """An arm with sleeve and hand. ``side`` -1 mirrors it to the left of the picture."""
    shoulder, elbow, hand = ((x * side, y) for x, y in joints(look, pose))
    thick = {"slim": 0.105, "loose": 0.135, "wide": 0.14}[dressing.sleeve] * (
        1.15 if look.shoulders > 0.7 else 1.0
    )
    if look.shoulders < 0.5:
        thick *= 0.88
    _hand(sheet, look, elbow, hand, pose)
    sleeve_end = _along(elbow, hand, 0.86)
    outline = _limb([shoulder, elbow, sleeve_end], (thick * 1.15, thick * 0.98, thick * 0.9))
    cloth = look.cloth if look.outfit != "apron" else mix(look.cloth, (255, 255, 255), 0.75)
    part = sheet.layer()
    if dressing.sleeve == "wide":
        _wide_sleeve(part, look, elbow, hand)
    part.area(outline, cloth)
    part.dot(shoulder[0], shoulder[1], thick * 0.95, fill=cloth)
    lit = 1.0 if side < 0 else -1.0
    part.atop(_limb([(shoulder[0] - lit * -0.09, shoulder[1]), (elbow[0] + lit * 0.08, elbow[1] + 0.02),
        (sleeve_end[0] + lit * 0.08, sleeve_end[1] + 0.03)],
                    (thick * 0.5, thick * 0.5, thick * 0.45)), shade(cloth, 0.22))  # fmt: skip
    part.line(_open_contour([shoulder, elbow, sleeve_end], (thick * 1.15, thick * 0.98, thick * 0.9), side),
        ink(cloth), WEIGHT)  # fmt: skip
    if dressing.cuff is not None and dressing.sleeve != "wide":
        a, b = _along(elbow, hand, 0.74), _along(elbow, hand, 0.87)
        part.area(
            _limb([a, b], (thick * 1.02, thick * 1.02)),
            dressing.cuff,
            ink(dressing.cuff),
            WEIGHT * 0.8,
            smooth=False,
        )
    fold = shade(cloth, 0.4)
    x, y = elbow
    part.stroke([(x - 0.06, y - 0.04), (x, y + 0.0), (x + 0.05, y + 0.03)], fold, (0.003, 0.014, 0.003))
    sheet.merge(part)


def _wide_sleeve(part: Sheet, look: Look, elbow: Point, hand: Point) -> None:
    """A sleeve that hangs from elbow to wrist in a long bag."""
    end = _along(elbow, hand, 0.9)
    down = 0.52 if look.outfit == "kimono" else 0.4
    dx = 0.06 if hand[0] > 0 else -0.06
    top = _along((0.0, 0.0), elbow, 0.55)
    if end[1] < elbow[1] - 0.1:
        # A raised arm: the sleeve falls from the wrist past the elbow.
        raised: Points = [top, (end[0] - dx, end[1]), (end[0] + dx, end[1] + 0.02),
            (elbow[0] + dx * 2.6, elbow[1] - 0.02), (elbow[0] + dx * 2.4, elbow[1] + down * 0.75),
                  (elbow[0] - dx * 0.6, elbow[1] + down * 0.8), (elbow[0] - dx * 1.6,
            elbow[1] + 0.08)]  # fmt: skip
        part.area(raised, look.cloth)
        pattern_cloth(part, look, (-1.8, -1.8, 1.8, 3.0))
        part.area(raised, None, ink(look.cloth), WEIGHT)
        return
    bag: Points = [top, elbow, (end[0], end[1] - 0.08), (end[0] + dx, end[1] - 0.02),
        (end[0] + dx * 1.5, end[1] + down), (end[0] + dx * 1.5, end[1] + down),
           ((elbow[0] + end[0]) / 2 - dx, end[1] + down * 1.06), (elbow[0] - dx * 2.0, max(elbow[1],
        end[1]) + down * 0.4)]  # fmt: skip
    part.area(bag, look.cloth)
    pattern_cloth(part, look, (-1.8, -1.0, 1.8, 3.0))
    part.atop([(elbow[0] - dx * 3, elbow[1] - 0.1), (elbow[0] + dx * 0.5, elbow[1] + 0.2),
        (end[0] - dx, end[1] + down * 1.2), (elbow[0] - dx * 4, end[1] + down)],
              (*shade(look.cloth, 0.5), 110))  # fmt: skip
    part.area(bag, None, ink(look.cloth), WEIGHT)
    part.stroke([(end[0] + dx * 1.2, end[1]), (end[0] + dx * 1.6, end[1] + down)], look.accent, (0.04, 0.04))


def pattern_cloth(part: Sheet, look: Look, box: tuple[float, float, float, float]) -> None:
    """The outfit's pattern over all that is drawn on the sheet so far."""
    if look.pattern is None:
        return
    motif = mix(tint(look.cloth, 0.6), look.accent, 0.35)
    x0, y0, x1, y1 = box
    if look.pattern == "stripes":
        for i in range(int((x1 - x0) / 0.17)):
            part.atop(rectangle(x0 + 0.17 * i, y0, x0 + 0.17 * i + 0.05, y1), motif, smooth=False)
        return
    if look.pattern == "checks":
        for i in range(int((x1 - x0) / 0.24)):
            band = rectangle(x0 + 0.24 * i, y0, x0 + 0.24 * i + 0.1, y1)
            part.atop(band, (*motif, 110), smooth=False)
        for j in range(int((y1 - y0) / 0.24)):
            band = rectangle(x0, y0 + 0.24 * j, x1, y0 + 0.24 * j + 0.1)
            part.atop(band, (*motif, 110), smooth=False)
        return
    step = 0.36 if look.pattern == "flowers" else 0.26
    for j in range(int((y1 - y0) / step)):
        for i in range(int((x1 - x0) / step)):
            x, y = x0 + step * (i + (0.5 if j % 2 else 0.0)) + 0.03 * ((i * 7 + j * 3) % 3), y0 + step * j
            _motif(part, look.pattern, x, y, motif, look.accent)


def _motif(part: Sheet, kind: str, x: float, y: float, colour: Rgb, heart: Rgb) -> None:
    if kind == "dots":
        part.atop([(x - 0.045, y), (x, y - 0.045), (x + 0.045, y), (x, y + 0.045)], colour)
    elif kind == "waves":
        for r in (0.13, 0.085, 0.04):
            arc = [(x + r * math.cos(a), y - r * math.sin(a)) for a in (0.0, 0.8, 1.57, 2.34, 3.14)]
            part.atop_stroke(arc, colour, (0.014, 0.014))
    else:
        for i in range(5):
            a = math.radians(72 * i - 90)
            px, py = x + 0.058 * math.cos(a), y + 0.058 * math.sin(a)
            part.atop([(px - 0.04, py), (px, py - 0.04), (px + 0.04, py), (px, py + 0.04)], colour)
        part.atop([(x - 0.026, y), (x, y - 0.026), (x + 0.026, y), (x, y + 0.026)], heart)


def _hand(sheet: Sheet, look: Look, elbow: Point, hand: Point, pose: ArmPose) -> None:
    dx, dy = hand[0] - elbow[0], hand[1] - elbow[1]
    length = math.hypot(dx, dy)
    ux, uy = dx / length, dy / length
    line = ink(look.skin)
    size = 0.1 if look.shoulders < 0.7 else 0.12
    cx, cy = hand[0] + ux * 0.03, hand[1] + uy * 0.03
    nx, ny = -uy, ux
    if pose == "wave":
        for spread in (-0.55, -0.2, 0.16, 0.5):
            root = (cx + nx * spread * 0.1, cy + ny * spread * 0.1)
            tip = (cx + ux * 0.14 + nx * spread * 0.17, cy + uy * 0.14 + ny * spread * 0.17)
            for colour, weight in ((line, 0.062), (look.skin, 0.04)):
                sheet.line([root, tip], colour, weight, smooth=False)
                sheet.dot(*tip, weight / 2, fill=colour)
        sheet.dot(cx, cy, size * 0.86, fill=look.skin, line=line, weight=WEIGHT * 0.7)
        sheet.dot(cx + ux * 0.03, cy + uy * 0.03, size * 0.72, fill=look.skin)
        return
    turn = math.degrees(math.atan2(uy, ux))
    sheet.dot(cx, cy, size * 1.15, size * 0.86, look.skin, line, WEIGHT * 0.9, turn=turn)
    thumb = -1.0 if hand[0] > 0 else 1.0
    sheet.line(
        [
            (cx + nx * thumb * -0.05, cy + ny * thumb * -0.05),
            (cx + ux * 0.08 + nx * thumb * -0.07, cy + uy * 0.08),
        ],
        line,
        0.02,
        smooth=False,
    )


def _open_contour(path: Points, half: tuple[float, ...], side: float) -> list[Point]:
    """The line around an arm, open where it grows out of the shoulder."""
    around = _limb(path, half)[1:]
    count = len(path)
    left, ends, right = around[:count], around[count : count + 3], around[count + 3 :][::-1]
    outer, inner = (left, right) if side < 0 else (right, left)
    tips = ends if outer is left else ends[::-1]
    shoulder, elbow = path[:2]
    length = math.dist(shoulder, elbow)
    # The body covers the inside of an arm that hangs; of one that is lifted it is seen.
    armpit = _along(inner[1], inner[0], 1 - 0.45 * max(0.0, elbow[1] - shoulder[1]) / length)
    inside = _along(outer[0], shoulder, 0.9)
    back = 0.72 * half[0] / length
    start = (
        inside[0] + (shoulder[0] - elbow[0]) * back,
        inside[1] + (shoulder[1] - elbow[1]) * back,
    )
    return [start, *outer, *tips, *inner[:0:-1], armpit]


def _along(a: Point, b: Point, t: float) -> Point:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _limb(path: Points, half: tuple[float, ...]) -> list[Point]:
    """A rounded outline around a bent path."""
    left: list[Point] = []
    right: list[Point] = []
    for i, (x, y) in enumerate(path):
        before, after = path[max(0, i - 1)], path[min(len(path) - 1, i + 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length * half[i], dx / length * half[i]
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    start, end = path[0], path[-1]
    sx, sy = path[1][0] - start[0], path[1][1] - start[1]
    s_len = math.hypot(sx, sy) or 1.0
    cap = (start[0] - sx / s_len * half[0] * 0.9, start[1] - sy / s_len * half[0] * 0.9)
    return [cap, *left, left[-1], (end[0], end[1]), right[-1], *reversed(right)]
