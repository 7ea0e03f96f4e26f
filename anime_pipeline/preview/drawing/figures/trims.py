"""Trim of outfits: collars, buttons, pockets, sashes, hems. Units are heads, origin at the neck."""

from __future__ import annotations

from collections.abc import Callable

from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.body import Dressing
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Colour, Points, Sheet, rectangle


def draw_trim(garment: Sheet, look: Look, dressing: Dressing) -> None:
    """Draws the front trim of the look's outfit over its cloth."""
    _TRIMS[look.outfit](garment, look, dressing)


def _band(g: Sheet, top: float, bottom: float, colour: Colour) -> None:
    """A band around the whole garment."""
    g.atop(rectangle(-2, top, 2, bottom), colour, smooth=False)


def _raincoat_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line = ink(look.cloth)
    g.line([(0.03, 0.1), (0.03, d.hem)], line, 0.014, smooth=False)
    for i in range(4):
        y = 0.3 + i * (d.hem - 0.45) / 4
        g.dot(-0.06, y, 0.04, fill=tint(look.cloth, 0.5), line=line, weight=0.012)
    for side in (-1.0, 1.0):
        x, y = side * look.shoulders * 0.62, look.torso * 0.92
        g.area(
            [(x - 0.14, y), (x + 0.14, y), (x + 0.13, y + 0.1), (x - 0.13, y + 0.1)],
            tint(look.cloth, 0.12),
            line,
            0.012,
            smooth=False,
        )
    _band(g, d.hem - 0.07, d.hem - 0.035, tint(look.cloth, 0.55))
    g.atop_stroke(
        [
            (-look.shoulders * 0.72, 0.7),
            (-look.shoulders * 0.86, look.torso),
            (-look.shoulders * 1.1, d.hem - 0.2),
        ],
        (255, 255, 250, 150),
        (0.0, 0.05, 0.0),
    )


def _coat_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line, lapel = ink(look.cloth), tint(look.cloth, 0.16)
    s = look.shoulders
    g.line([(0.06, 0.5), (0.06, d.hem)], line, 0.016, smooth=False)
    shirt: Points = [(-0.17, -0.06), (0.17, -0.06), (0.02, 0.5)]
    g.area(shirt, (238, 232, 220), line, 0.012, smooth=False)
    g.area(
        [(-0.05, 0.06), (0.05, 0.06), (0.035, 0.4), (0.0, 0.46), (-0.03, 0.4)],
        shade(look.accent, 0.45),
        line,
        0.01,
        smooth=False,
    )
    for side in (-1.0, 1.0):
        g.area([(side * 0.13, -0.07), (side * 0.3, 0.02), (side * 0.4, 0.28), (side * 0.27, 0.27),
            (side * 0.03, 0.58), (side * 0.12, 0.2)],
               lapel, line, 0.014, smooth=False)  # fmt: skip
    for i in range(4):
        y = 0.68 + i * 0.3
        if y > d.hem - 0.15:
            break
        for side in (-1.0, 1.0):
            x = side * s * 0.33 + 0.03
            g.dot(x, y, 0.052, fill=look.accent, line=shade(look.accent, 0.6), weight=0.012)
            g.dot(x - 0.015, y - 0.017, 0.016, fill=tint(look.accent, 0.75))
    for side in (-1.0, 1.0):
        x, y = side * s * 0.66, look.torso * 1.02
        pocket = rectangle(x - 0.13, y, x + 0.13, y + 0.09)
        g.area(pocket, shade(look.cloth, 0.18), line, 0.012, smooth=False)


def _kimono_trim(g: Sheet, look: Look, d: Dressing) -> None:
    _crossed_collar(g, look, tint(look.cloth, 0.75), 0.62)
    draw_sash(g, look, 0.62, 0.42)
    knot = tint(look.accent, 0.35)
    _band(g, 0.80, 0.85, shade(look.accent, 0.42))
    g.dot(0.0, 0.825, 0.06, 0.05, knot, ink(look.accent), 0.012)
    g.line([(0.05, 1.05), (0.16, (d.hem + 1.0) / 2), (0.2, d.hem)], ink(look.cloth), 0.014)


def _robe_trim(g: Sheet, look: Look, d: Dressing) -> None:
    _crossed_collar(g, look, look.accent, 0.66)
    draw_sash(g, look, 0.68, 0.15)
    line = ink(look.accent)
    for side in (-1.0, 1.0):
        g.area([(0, 0.76), (side * 0.16, 0.68), (side * 0.2, 0.8), (0, 0.8)], look.accent, line, 0.012)
        g.stroke(
            [(side * 0.02, 0.8), (side * 0.07, 1.05), (side * 0.05, 1.22)], look.accent, (0.045, 0.04, 0.05)
        )
    _band(g, d.hem - 0.09, d.hem - 0.04, look.accent)


def _crossed_collar(g: Sheet, look: Look, band: Rgb, depth: float) -> None:
    g.area([(-0.15, -0.06), (0.15, -0.06), (0.02, 0.36)], look.skin, smooth=False)
    g.atop([(-0.2, -0.1), (0.2, -0.1), (0.12, 0.08), (0.0, 0.12), (-0.12, 0.08)], shade(look.skin, 0.26))
    line = ink(look.cloth)
    g.area(
        [(0.14, -0.08), (0.25, -0.03), (-0.16, depth), (-0.3, depth)],
        mix(band, (255, 255, 255), 0.1),
        line,
        0.012,
        smooth=False,
    )
    g.area([(-0.14, -0.08), (-0.25, -0.03), (0.2, depth), (0.33, depth)], band, line, 0.012, smooth=False)
    g.line([(-0.13, -0.07), (0.04, 0.32)], tint(look.accent, 0.2), 0.03, smooth=False)


def draw_sash(g: Sheet, look: Look, top: float, height: float) -> None:
    """A sash around the waist, over whatever is drawn."""
    _band(g, top, top + height, look.accent)
    g.atop(
        [(look.shoulders * 0.35, top), (2, top), (2, top + height), (look.shoulders * 0.25, top + height)],
        shade(look.accent, 0.24),
        smooth=False,
    )
    line = ink(look.accent)
    for y in (top, top + height):
        _band(g, y - 0.008, y + 0.008, line)


def _uniform_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line, white = ink(look.cloth), hex_colour("#f6f4ef")
    skirt = look.torso * 0.86
    _band(g, 0.02, skirt, white)
    g.atop(
        [(look.shoulders * 0.45, 0), (2, 0), (2, skirt), (look.shoulders * 0.35, skirt)],
        shade(white, 0.14),
        smooth=False,
    )
    for i in range(-5, 6):
        x = i * look.shoulders * 0.18
        g.atop_stroke([(x, skirt), (x * 1.5, d.hem)], shade(look.cloth, 0.45), (0.008, 0.022))
    g.area(
        [(-0.2, -0.07), (0.2, -0.07), (0.36, 0.12), (0.34, 0.3), (0.0, 0.44), (-0.34, 0.3), (-0.36, 0.12)],
        look.cloth,
        line,
        0.014,
        smooth=False,
    )
    g.area([(-0.15, -0.08), (0.15, -0.08), (0.0, 0.28)], look.skin, line, 0.01, smooth=False)
    g.line([(-0.3, 0.27), (0.0, 0.39), (0.3, 0.27)], white, 0.016, smooth=False)
    for side in (-1.0, 1.0):
        g.area(
            [(0, 0.36), (side * 0.2, 0.28), (side * 0.22, 0.44), (0, 0.4)],
            look.accent,
            ink(look.accent),
            0.012,
        )
        g.area(
            [(0, 0.4), (side * 0.05, 0.4), (side * 0.14, 0.7), (side * 0.05, 0.68)],
            look.accent,
            ink(look.accent),
            0.012,
            smooth=False,
        )


def _hoodie_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line = ink(look.cloth)
    y = look.torso * 0.72
    g.area(
        [(-0.3, y), (0.3, y), (0.4, y + 0.36), (-0.4, y + 0.36)],
        shade(look.cloth, 0.1),
        line,
        0.014,
        smooth=False,
    )
    for side in (-1.0, 1.0):
        g.stroke(
            [(side * 0.1, 0.14), (side * 0.12, 0.3), (side * 0.1, 0.5)],
            tint(look.accent, 0.3),
            (0.026, 0.024, 0.03),
        )
    _ribbing(g, look, d)


def _sweater_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line = ink(look.cloth)
    g.area([(-0.2, -0.12), (0.2, -0.12), (0.23, 0.06), (-0.23, 0.06)], tint(look.cloth, 0.12), line, 0.014)
    for x in (-0.24, 0.0, 0.24):
        for i in range(int(look.torso / 0.14)):
            y = 0.22 + 0.14 * i
            g.atop_stroke(
                [(x - 0.05, y), (x, y + 0.06), (x + 0.05, y)],
                (*shade(look.cloth, 0.3), 150),
                (0.004, 0.018, 0.004),
            )
    _ribbing(g, look, d)


def _ribbing(g: Sheet, look: Look, d: Dressing) -> None:
    _band(g, d.hem - 0.14, d.hem + 0.1, shade(look.cloth, 0.16))
    for i in range(-8, 9):
        groove = rectangle(i * 0.1, d.hem - 0.13, i * 0.1 + 0.012, d.hem + 0.1)
        g.atop(groove, shade(look.cloth, 0.4), smooth=False)


def _apron_trim(g: Sheet, look: Look, d: Dressing) -> None:
    shirt = mix(look.cloth, (255, 255, 255), 0.75)
    s = look.shoulders
    _band(g, -0.2, d.hem + 0.2, shirt)
    g.atop([(s * 0.6, 0), (2, 0), (2, d.hem), (s * 0.6, d.hem)], shade(shirt, 0.16), smooth=False)
    line = ink(look.cloth)
    g.area([(-s * 0.52, 0.34), (s * 0.52, 0.34), (s * 0.62, look.torso * 0.75), (s * 0.95, d.hem + 0.02),
        (-s * 0.95, d.hem + 0.02), (-s * 0.62, look.torso * 0.75)],
           look.cloth, line, 0.014, smooth=False)  # fmt: skip
    for side in (-1.0, 1.0):
        g.line([(side * s * 0.48, 0.36), (side * 0.2, -0.04)], shade(look.cloth, 0.1), 0.06, smooth=False)
    g.box_area(-0.2, look.torso * 0.8, 0.2, look.torso * 0.8 + 0.24, tint(look.cloth, 0.16))
    _plain_collar(g, look, shirt)


def _dress_trim(g: Sheet, look: Look, d: Dressing) -> None:
    waist = look.torso * 0.7
    _band(g, waist - 0.05, waist + 0.07, look.accent)
    _band(g, d.hem - 0.1, d.hem - 0.05, look.accent)
    _plain_collar(g, look, tint(look.accent, 0.5))


def _tunic_trim(g: Sheet, look: Look, d: Dressing) -> None:
    waist = look.torso * 0.8
    _band(g, waist, waist + 0.11, shade(look.accent, 0.35))
    buckle = rectangle(-0.06, waist - 0.02, 0.06, waist + 0.13)
    g.area(buckle, look.accent, ink(look.accent), 0.012, smooth=False)
    _plain_collar(g, look, tint(look.cloth, 0.5))


def _plain_collar(g: Sheet, look: Look, colour: Rgb) -> None:
    g.area([(-0.13, -0.07), (0.13, -0.07), (0.0, 0.2)], look.skin, smooth=False)
    for side in (-1.0, 1.0):
        g.area(
            [(side * 0.12, -0.09), (side * 0.27, -0.02), (side * 0.22, 0.17), (0.0, 0.17)],
            colour,
            ink(look.cloth),
            0.012,
            smooth=False,
        )


_TRIMS: dict[str, Callable[[Sheet, Look, Dressing], None]] = {
    "raincoat": _raincoat_trim, "coat": _coat_trim, "kimono": _kimono_trim, "robe": _robe_trim,
    "uniform": _uniform_trim, "hoodie": _hoodie_trim, "sweater": _sweater_trim, "apron": _apron_trim,
    "dress": _dress_trim, "tunic": _tunic_trim,
}  # fmt: skip
