"""Hair: a part behind the body, a cap with fringe before the face, and tails that sway by themselves."""

from __future__ import annotations

import itertools
import math

from anime_pipeline.preview.drawing.colours import Rgb, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet

_WEIGHT = 0.018
# Valleys and tips of the fringe from left to right: (x, y of the tip, lean of the tip).
_FRINGES: dict[str, Points] = {
    "bob": [(-0.33, 0.02), (-0.17, -0.01), (-0.01, 0.0), (0.14, -0.03), (0.3, 0.03)],
    "long": [(-0.33, 0.06), (-0.14, -0.04), (0.03, 0.02), (0.2, -0.02), (0.34, 0.06)],
    "short": [(-0.36, 0.03), (-0.2, -0.05), (-0.06, 0.01), (0.16, -0.07), (0.34, 0.0)],
    "spiky": [(-0.38, 0.05), (-0.24, -0.04), (-0.1, 0.05), (0.06, -0.03), (0.2, 0.04), (0.37, 0.03)],
    "ponytail": [(-0.34, 0.07), (-0.1, -0.1), (0.02, 0.0), (0.18, -0.08), (0.35, 0.08)],
    "swept": [(-0.36, -0.12), (-0.1, -0.27), (0.12, -0.29), (0.36, -0.13)],
}


def fringe_style(look: Look) -> str:
    """Which fringe goes with the hair."""
    if look.age == "old" and look.hair_style in ("short", "bun", "long"):
        return "swept"
    return {"twintails": "bob", "bun": "ponytail", "braid": "long"}.get(look.hair_style, look.hair_style)


def draw_back(sheet: Sheet, look: Look) -> None:
    """The hair behind neck and shoulders."""
    dark, line = shade(look.hair, 0.3), ink(look.hair)
    style = look.hair_style
    if style == "bald":
        return
    if style == "spiky":
        _spikes(sheet, dark, line)
        return
    shapes: dict[str, Points] = {
        "bob": [(0, -0.62), (0.36, -0.53), (0.545, -0.18), (0.575, 0.18), (0.50, 0.44), (0.50, 0.44),
        (0.34, 0.40), (0.2, 0.46), (0, 0.43)],
        "long": [(0, -0.6), (0.36, -0.5), (0.53, -0.15), (0.56, 0.35), (0.62, 0.95), (0.55, 1.42),
        (0.55, 1.42), (0.4, 1.3),
                 (0.28, 1.5), (0.28, 1.5), (0.12, 1.32), (0, 1.46)],
        "short": [(0, -0.58), (0.34, -0.5), (0.485, -0.18), (0.47, 0.12), (0.40, 0.3), (0.40, 0.3),
        (0.3, 0.26), (0.2, 0.34), (0, 0.33)],
    }  # fmt: skip
    half = shapes.get(style, shapes["short"])
    sheet.area([*half, *[(-x, y) for x, y in reversed(half[1:-1])]], dark, line, _WEIGHT)
    for x in (-0.36, -0.18, 0.18, 0.36):
        bottom = half[-1][1]
        sheet.atop_stroke(
            [(x * 0.7, -0.2), (x, bottom * 0.55), (x * 1.05, bottom)],
            shade(look.hair, 0.45),
            (0.0, 0.016, 0.004),
        )


def draw_tails(sheet: Sheet, look: Look, side: float) -> None:
    """One ponytail, twintail or braid. The origin is where it is tied; ``side`` -1 or 1."""
    line = ink(look.hair)
    if look.hair_style == "braid":
        for i in range(6):
            r = 0.125 - 0.009 * i
            y, x = 0.08 + 0.165 * i, side * (0.05 + 0.028 * i)
            sheet.dot(
                x,
                y,
                r,
                0.105,
                look.hair if i % 2 else shade(look.hair, 0.1),
                line,
                _WEIGHT,
                turn=28 if i % 2 else -28,
            )
        sheet.dot(side * 0.22, 1.06, 0.07, 0.04, look.accent, ink(look.accent), 0.014)
        sheet.area([(side * 0.18, 1.08), (side * 0.27, 1.08), (side * 0.3, 1.26), (side * 0.25, 1.22),
            (side * 0.2, 1.28)], look.hair, line, 0.016)  # fmt: skip
        return
    outline = [(0, -0.07), (side * 0.2, 0.0), (side * 0.36, 0.35), (side * 0.36, 0.8), (side * 0.22, 1.2),
        (side * 0.22, 1.2), (side * 0.2, 0.95), (side * 0.09, 1.08), (side * 0.09, 1.08), (side * 0.08, 0.6),
        (side * -0.05, 0.2)]  # fmt: skip
    tail = sheet.layer()
    tail.area(outline, look.hair)
    tail.atop(
        [(side * -0.1, 0.1), (side * 0.06, 0.25), (side * 0.15, 0.7), (side * 0.12, 1.2), (side * -0.1, 1.1)],
        shade(look.hair, 0.26),
    )
    tail.atop_stroke(
        [(side * 0.14, 0.05), (side * 0.28, 0.35), (side * 0.3, 0.7)], tint(look.hair, 0.35), (0.0, 0.05, 0.0)
    )
    tail.atop_stroke(
        [(side * 0.05, 0.05), (side * 0.2, 0.5), (side * 0.2, 1.05)], line, (0.006, 0.016, 0.004)
    )
    tail.area(outline, None, line, _WEIGHT)
    sheet.merge(tail)
    sheet.dot(side * 0.03, -0.02, 0.06, 0.085, look.accent, ink(look.accent), 0.014)


def tail_roots(look: Look) -> list[tuple[Point, float, bool]]:
    """Where tails are tied: (point on the head, side, whether it hangs before the body)."""
    if look.hair_style == "twintails":
        return [((-0.40, -0.22), -1.0, False), ((0.40, -0.22), 1.0, False)]
    if look.hair_style == "ponytail":
        return [((0.24, -0.42), 1.0, False)]
    if look.hair_style == "braid":
        return [((0.34, 0.24), 1.0, True)]
    return []


def draw_front(sheet: Sheet, look: Look, turn: float) -> None:
    """Cap, fringe and side locks, with a shadow side, strands and a ring of light."""
    if look.hair_style == "bald":
        sheet.stroke([(-0.2, -0.4), (-0.08, -0.45), (0.05, -0.45)], tint(look.skin, 0.7), (0.0, 0.04, 0.0))
        return
    line = ink(look.hair)
    style = fringe_style(look)
    layer = sheet.layer()
    outline = _cap_outline(look, style, turn)
    if look.hair_style == "bun":
        layer.dot(0.0, -0.66, 0.23, 0.2, look.hair, line, _WEIGHT)
        layer.stroke([(-0.12, -0.6), (0.02, -0.55), (0.14, -0.62)], line, (0.004, 0.016, 0.004))
        layer.dot(0.0, -0.52, 0.15, 0.035, look.accent, ink(look.accent), 0.012)
    if style == "spiky":
        _crown_spikes(layer, look, line)
    _side_locks(layer, look, style, turn, line)
    cap = sheet.layer()
    cap.area(outline, look.hair)
    _shading(cap, look, style, turn)
    cap.area(outline, None, line, _WEIGHT)
    layer.merge(cap)
    sheet.merge(layer)


def draw_back_view(sheet: Sheet, look: Look) -> None:
    """The head from behind: hair all over."""
    line = ink(look.hair)
    colour = look.hair if look.hair_style != "bald" else look.skin
    bottom = {"long": 0.9, "bob": 0.44, "spiky": 0.3}.get(look.hair_style, 0.34)
    half: Points = [(0, -0.6), (0.32, -0.52), (0.5, -0.2), (0.52, 0.12), (0.42, bottom * 0.9),
        (0.25, bottom * 0.95), (0, bottom)]  # fmt: skip
    outline = [*half, *[(-x, y) for x, y in reversed(half[1:-1])]]
    if look.hair_style == "spiky":
        _spikes(sheet, colour, line)
    layer = sheet.layer()
    layer.area(outline, colour)
    layer.atop(
        [(-0.6, 0.1), (-0.2, 0.18), (0.2, 0.14), (0.6, 0.05), (0.6, 1.0), (-0.6, 1.0)], shade(colour, 0.26)
    )
    _ring(layer, colour, 0.0)
    for x in (-0.3, -0.12, 0.1, 0.28):
        layer.atop_stroke(
            [(x * 0.3, -0.5), (x, -0.1), (x * 1.1, bottom)], shade(colour, 0.5), (0.0, 0.016, 0.004)
        )
    layer.area(outline, None, line, _WEIGHT)
    sheet.merge(layer)


def _cap_outline(look: Look, style: str, turn: float) -> list[Point]:
    puff = 0.03 if look.hair_style in ("bob", "spiky", "long") else 0.0
    temple = 0.08 if style != "swept" else 0.02
    outer: list[Point] = [
        (-0.455 - puff, temple), (-0.47 - puff, -0.18), (-0.36, -0.46 - puff), (-0.02, -0.59 - puff),
        (0.34, -0.47 - puff), (0.47 + puff, -0.18), (0.455 + puff, temple),
    ]  # fmt: skip
    tips = [(x + 0.07 * turn, y) for x, y in _FRINGES[style]]
    if style == "swept":
        hairline = [(0.455 + puff, temple), (0.40, -0.1), (0.35, -0.22), (0.24, -0.31), (0.1, -0.28),
            (-0.04, -0.33), (-0.2, -0.29), (-0.33, -0.22), (-0.40, -0.1)]  # fmt: skip
        return [*outer, *[(x + 0.04 * turn, y) for x, y in hairline], (-0.455 - puff, temple)]
    inner: list[Point] = [(0.455 + puff, temple), (0.435, -0.06)]
    for (x1, y1), (x0, _) in zip(reversed(tips), [*list(reversed(tips))[1:], (-0.5, 0.0)], strict=True):
        rise = 0.13
        x1 = max(-0.40, min(0.40, x1))
        if x1 < 0.36:
            inner.append((x1 + 0.05, y1 - 0.09))
        inner += [(x1, y1), (x1, y1)]
        if x1 > -0.36:
            inner.append((x1 - 0.05, y1 - 0.06))
        if x0 > -0.45:
            valley = ((x0 + x1) / 2, y1 - rise)
            inner += [valley, valley]
    inner += [(-0.435, -0.06), (-0.455 - puff, temple)]
    return [*outer, *inner]


def _shading(cap: Sheet, look: Look, style: str, turn: float) -> None:
    dark = shade(look.hair, 0.24)
    tips = _FRINGES[style]
    cap.atop([(-0.6, -0.2), (-0.42, -0.2), (-0.38, 0.15), (-0.6, 0.3)], dark)
    cap.atop([(0.6, -0.3), (0.36, -0.28), (0.33, -0.05), (0.4, 0.2), (0.6, 0.3)], dark)
    for x, y in tips:
        x += 0.07 * turn
        cap.atop([(x - 0.09, y + 0.02), (x - 0.02, y - 0.10), (x + 0.06, y + 0.02)], dark)
    _ring(cap, look.hair, turn)
    line = ink(look.hair)
    crown = 0.04 * turn - 0.02
    for (x0, y0), (x1, y1) in itertools.pairwise(tips):
        x, y = (x0 + x1) / 2 + 0.07 * turn, (y0 + y1) / 2 - (0.11 if style != "swept" else 0.02)
        cap.stroke(
            [(crown + x * 0.45, -0.40 + abs(x) * 0.3), (x * 0.92, (y - 0.34) / 2), (x, y)],
            line,
            (0.002, 0.012, 0.016),
        )
    cap.atop_stroke(
        [(crown, -0.6), (crown + 0.015, -0.48), (crown - 0.005, -0.4)],
        shade(look.hair, 0.5),
        (0.014, 0.012, 0.002),
    )


def _ring(cap: Sheet, colour: Rgb, turn: float) -> None:
    """The ring of light that hair wears in anime: a band with soft teeth, broken by the parting."""
    light = mix(tint(colour, 0.5), (255, 255, 255), 0.1)
    for start, stop, teeth in ((-0.32, -0.03, 4), (0.06, 0.31, 3)):
        upper: list[Point] = []
        lower: list[Point] = []
        for i in range(2 * teeth + 1):
            t = i / (2 * teeth)
            x = start + (stop - start) * t
            y = -0.375 + 0.75 * x * x
            swell = math.sin(math.pi * t) ** 0.6
            upper.append((x + 0.05 * turn, y - 0.020 * swell))
            lower.append((x + 0.05 * turn, y + (0.058 if i % 2 else 0.022) * swell))
        cap.atop([*upper, *reversed(lower)], (*light, 190))


def _side_locks(layer: Sheet, look: Look, style: str, turn: float, line: Rgb) -> None:
    length = {"bob": 0.40, "long": 0.75, "spiky": 0.2, "short": 0.17, "ponytail": 0.36, "swept": 0.1}[style]
    for side in (-1.0, 1.0):
        x = side * 0.435 + 0.02 * turn
        wide = 0.075 if style != "bob" else 0.1
        lock: Points = [(x + side * 0.05, -0.25), (x + side * 0.075, 0.02),
            (x + side * 0.055, length * 0.7), (x - side * 0.03, length),
                (x - side * 0.03, length), (x - side * wide, length * 0.5), (x - side * wide, 0.0),
            (x - side * 0.06, -0.25)]  # fmt: skip
        layer.area(lock, look.hair if side < 0 else shade(look.hair, 0.1))
        layer.atop_stroke(
            [(x + side * 0.03, -0.1), (x, length * 0.4), (x - side * 0.02, length * 0.9)],
            shade(look.hair, 0.34),
            (0.0, 0.02, 0.0),
        )
        layer.area(lock, None, line, _WEIGHT)


def _spikes(sheet: Sheet, colour: Rgb, line: Rgb) -> None:
    """A mane of spikes behind the head."""
    points: list[Point] = []
    count = 13
    for i in range(count):
        angle = math.radians(-215 + 250 * i / (count - 1))
        reach = 0.74 if i % 2 == 0 else 0.66
        tip = (reach * math.cos(angle) * 0.92, reach * math.sin(angle) * 0.86 - 0.02)
        after = math.radians(-215 + 250 * (i + 0.5) / (count - 1))
        valley = (0.47 * math.cos(after), 0.47 * math.sin(after) - 0.04)
        points += [tip, tip, valley, valley]
    sheet.area(
        [*points, (0.3, 0.38), (0.18, 0.3), (0.0, 0.42), (-0.18, 0.3), (-0.3, 0.38)], colour, line, _WEIGHT
    )


def _crown_spikes(layer: Sheet, look: Look, line: Rgb) -> None:
    """Spikes that stand up from the crown, before the mane."""
    for x, top, lean in (
        (-0.27, -0.72, -0.12),
        (0.24, -0.74, 0.12),
        (0.02, -0.80, 0.05),
        (-0.42, -0.5, -0.16),
        (0.42, -0.5, 0.16),
    ):
        spike: Points = [(x - 0.15, -0.32), (x - 0.07 + lean * 0.4, (top - 0.4) / 2), (x + lean, top),
            (x + lean, top),
                 (x + 0.09 + lean * 0.3, (top - 0.3) / 2), (x + 0.14, -0.3)]  # fmt: skip
        layer.area(spike, look.hair, line, _WEIGHT)
        layer.atop_stroke(
            [(x + 0.06, -0.4), (x + 0.05 + lean * 0.6, top + 0.12)], shade(look.hair, 0.25), (0.06, 0.0)
        )
