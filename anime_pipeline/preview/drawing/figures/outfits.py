"""Outfits: each is a cut of cloth from the neck to its hem, with its trim. Units are heads, origin at the neck."""

from __future__ import annotations

from collections.abc import Callable

from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.body import WEIGHT, Dressing, pattern_cloth
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet, mirrored


def draw_outfit(sheet: Sheet, look: Look, dressing: Dressing, back: bool = False) -> None:
    """The garment, shaded, with folds; its trim only where the front is seen."""
    half = _SILHOUETTES.get(look.outfit, _plain)(look, dressing)
    outline = mirrored(half)
    garment = sheet.layer()
    garment.area(outline, look.cloth)
    pattern_cloth(garment, look, (-1.6, -0.2, 1.6, dressing.hem + 0.1))
    _shadows(garment, look, dressing)
    if not back:
        _TRIMS.get(look.outfit, _tunic_trim)(garment, look, dressing)
    elif look.outfit in ("kimono", "robe"):
        _sash(garment, look, 0.62, 0.32)
    garment.area(outline, None, ink(look.cloth), WEIGHT)
    sheet.merge(garment)
    if look.outfit == "raincoat" or look.outfit == "hoodie":
        _hood_collar(sheet, look, back)
    if "scarf" in look.accessories:
        _scarf(sheet, look)
    if "satchel" in look.accessories:
        _strap(sheet, look)


def draw_hood_down(sheet: Sheet, look: Look) -> None:
    """The hood that lies behind the neck."""
    dark = shade(look.cloth, 0.22)
    sheet.area(
        [(-0.42, 0.12), (-0.46, -0.12), (-0.3, -0.3), (0.3, -0.3), (0.46, -0.12), (0.42, 0.12)],
        dark,
        ink(look.cloth),
        WEIGHT,
    )


def draw_hood_up(sheet: Sheet, look: Look) -> None:
    """A hood over the head, open around the face. Origin is the middle of the head."""
    line = ink(look.cloth)
    hood = sheet.layer()
    outer = mirrored([(0, -0.74), (0.36, -0.62), (0.58, -0.25), (0.60, 0.18), (0.5, 0.52), (0, 0.66)])
    hood.area(outer, look.cloth)
    hood.atop([(0.62, -0.4), (0.45, -0.1), (0.46, 0.3), (0.3, 0.7), (0.7, 0.7)], shade(look.cloth, 0.24))
    hood.atop_stroke([(-0.45, -0.3), (-0.3, -0.56), (-0.05, -0.66)], tint(look.cloth, 0.5), (0.0, 0.05, 0.0))
    opening = mirrored([(0, -0.52), (0.3, -0.42), (0.43, -0.1), (0.42, 0.25), (0.3, 0.46), (0, 0.55)])
    hood.cut(opening)
    hood.area(outer, None, line, WEIGHT)
    hood.area(opening, None, line, WEIGHT)
    sheet.merge(hood)


def _plain(look: Look, dressing: Dressing) -> Points:
    s, hip = look.shoulders, look.torso
    return [(0, -0.03), (0.17, -0.05), (s * 0.72, 0.06), (s * 0.98, 0.2), (s * 0.93, 0.55), (s * 0.82, hip * 0.72),
            (s * 0.9, hip), (s * 0.92, dressing.hem), (s * 0.92, dressing.hem), (0, dressing.hem + 0.03)]  # fmt: skip


def _flared(look: Look, dressing: Dressing, waist: float, flare: float) -> Points:
    s, hip = look.shoulders, look.torso
    return [(0, -0.03), (0.17, -0.05), (s * 0.72, 0.06), (s * 1.0, 0.2), (s * 0.95, 0.55), (s * waist, hip * 0.7),
            (s * (waist + flare) / 2 * 1.04, hip), (s * flare, dressing.hem), (s * flare, dressing.hem),
            (s * flare * 0.5, dressing.hem + 0.05), (0, dressing.hem + 0.03)]  # fmt: skip


_SILHOUETTES: dict[str, Callable[[Look, Dressing], Points]] = {
    "raincoat": lambda look, d: _flared(look, d, 1.02, 1.5),
    "coat": lambda look, d: _flared(look, d, 0.92, 1.18),
    "kimono": lambda look, d: _flared(look, d, 0.78, 0.86),
    "robe": lambda look, d: _flared(look, d, 0.86, 1.3),
    "dress": lambda look, d: _flared(look, d, 0.66, 1.7),
    "uniform": lambda look, d: _flared(look, d, 0.74, 1.22),
    "apron": lambda look, d: _flared(look, d, 0.8, 1.15),
    "hoodie": lambda look, d: _flared(look, d, 1.0, 1.0),
    "sweater": lambda look, d: _flared(look, d, 0.96, 0.96),
}


def _shadows(garment: Sheet, look: Look, dressing: Dressing) -> None:
    s, hip, hem = look.shoulders, look.torso, dressing.hem
    dark = (*shade(look.cloth, 0.42), 150)
    garment.atop(
        [
            (s * 1.8, 0.0),
            (s * 0.72, 0.3),
            (s * 0.5, hip * 0.7),
            (s * 0.62, hem * 0.85),
            (s * 0.5, hem + 0.2),
            (s * 2.2, hem + 0.2),
        ],
        dark,
    )
    garment.atop([(-0.3, -0.1), (0.3, -0.1), (0.26, 0.08), (0.0, 0.15), (-0.26, 0.08)], dark)
    garment.atop([(-s * 0.95, 0.35), (-s * 0.66, 0.5), (-s * 0.7, 0.9), (-s * 1.1, hip)], dark)
    fold = shade(look.cloth, 0.48)
    if hem > hip + 0.3:
        for x, start in ((-0.5, 0.2), (-0.12, 0.32), (0.3, 0.12), (0.62, 0.25)):
            garment.atop_stroke(
                [
                    (s * x, hip * 0.85 + start * 0.5),
                    (s * x * 1.25, (hip + hem) / 2),
                    (s * x * 1.45, hem + 0.05),
                ],
                fold,
                (0.0, 0.012, 0.026),
            )
            garment.atop(
                [
                    (s * x * 1.3, (hip + hem) / 2),
                    (s * x * 1.5, hem + 0.06),
                    (s * (x * 1.5 + 0.2), hem + 0.06),
                ],
                dark,
            )
    rim = tint(look.cloth, 0.45)
    garment.atop_stroke([(-s * 0.74, 0.11), (-s * 0.93, 0.24), (-s * 0.88, 0.5)], rim, (0.0, 0.035, 0.0))


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
    g.atop(
        [(-2, d.hem - 0.07), (2, d.hem - 0.07), (2, d.hem - 0.035), (-2, d.hem - 0.035)],
        tint(look.cloth, 0.55),
        smooth=False,
    )
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
        g.area([(side * 0.13, -0.07), (side * 0.3, 0.02), (side * 0.4, 0.28), (side * 0.27, 0.27), (side * 0.03, 0.58), (side * 0.12, 0.2)],
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
        g.area(
            [(x - 0.13, y), (x + 0.13, y), (x + 0.13, y + 0.09), (x - 0.13, y + 0.09)],
            shade(look.cloth, 0.18),
            line,
            0.012,
            smooth=False,
        )


def _kimono_trim(g: Sheet, look: Look, d: Dressing) -> None:
    _crossed_collar(g, look, tint(look.cloth, 0.75), 0.62)
    _sash(g, look, 0.62, 0.42)
    knot = tint(look.accent, 0.35)
    g.atop([(-2, 0.80), (2, 0.80), (2, 0.85), (-2, 0.85)], shade(look.accent, 0.42), smooth=False)
    g.dot(0.0, 0.825, 0.06, 0.05, knot, ink(look.accent), 0.012)
    g.line([(0.05, 1.05), (0.16, (d.hem + 1.0) / 2), (0.2, d.hem)], ink(look.cloth), 0.014)


def _robe_trim(g: Sheet, look: Look, d: Dressing) -> None:
    _crossed_collar(g, look, look.accent, 0.66)
    _sash(g, look, 0.68, 0.15)
    line = ink(look.accent)
    for side in (-1.0, 1.0):
        g.area([(0, 0.76), (side * 0.16, 0.68), (side * 0.2, 0.8), (0, 0.8)], look.accent, line, 0.012)
        g.stroke(
            [(side * 0.02, 0.8), (side * 0.07, 1.05), (side * 0.05, 1.22)], look.accent, (0.045, 0.04, 0.05)
        )
    g.atop(
        [(-2, d.hem - 0.09), (2, d.hem - 0.09), (2, d.hem - 0.04), (-2, d.hem - 0.04)],
        look.accent,
        smooth=False,
    )


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


def _sash(g: Sheet, look: Look, top: float, height: float) -> None:
    g.atop([(-2, top), (2, top), (2, top + height), (-2, top + height)], look.accent, smooth=False)
    g.atop(
        [(look.shoulders * 0.35, top), (2, top), (2, top + height), (look.shoulders * 0.25, top + height)],
        shade(look.accent, 0.24),
        smooth=False,
    )
    line = ink(look.accent)
    for y in (top, top + height):
        g.atop([(-2, y - 0.008), (2, y - 0.008), (2, y + 0.008), (-2, y + 0.008)], line, smooth=False)


def _uniform_trim(g: Sheet, look: Look, d: Dressing) -> None:
    line, white = ink(look.cloth), hex_colour("#f6f4ef")
    skirt = look.torso * 0.86
    g.atop([(-2, 0.02), (2, 0.02), (2, skirt), (-2, skirt)], white, smooth=False)
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
    g.atop(
        [(-2, d.hem - 0.14), (2, d.hem - 0.14), (2, d.hem + 0.1), (-2, d.hem + 0.1)],
        shade(look.cloth, 0.16),
        smooth=False,
    )
    for i in range(-8, 9):
        g.atop(
            [
                (i * 0.1, d.hem - 0.13),
                (i * 0.1 + 0.012, d.hem - 0.13),
                (i * 0.1 + 0.012, d.hem + 0.1),
                (i * 0.1, d.hem + 0.1),
            ],
            shade(look.cloth, 0.4),
            smooth=False,
        )


def _apron_trim(g: Sheet, look: Look, d: Dressing) -> None:
    shirt = mix(look.cloth, (255, 255, 255), 0.75)
    s = look.shoulders
    g.atop([(-2, -0.2), (2, -0.2), (2, d.hem + 0.2), (-2, d.hem + 0.2)], shirt, smooth=False)
    g.atop([(s * 0.6, 0), (2, 0), (2, d.hem), (s * 0.6, d.hem)], shade(shirt, 0.16), smooth=False)
    line = ink(look.cloth)
    g.area([(-s * 0.52, 0.34), (s * 0.52, 0.34), (s * 0.62, look.torso * 0.75), (s * 0.95, d.hem + 0.02), (-s * 0.95, d.hem + 0.02), (-s * 0.62, look.torso * 0.75)],
           look.cloth, line, 0.014, smooth=False)  # fmt: skip
    for side in (-1.0, 1.0):
        g.line([(side * s * 0.48, 0.36), (side * 0.2, -0.04)], shade(look.cloth, 0.1), 0.06, smooth=False)
    g.box_area(-0.2, look.torso * 0.8, 0.2, look.torso * 0.8 + 0.24, tint(look.cloth, 0.16))
    _plain_collar(g, look, shirt)


def _dress_trim(g: Sheet, look: Look, d: Dressing) -> None:
    waist = look.torso * 0.7
    g.atop(
        [(-2, waist - 0.05), (2, waist - 0.05), (2, waist + 0.07), (-2, waist + 0.07)],
        look.accent,
        smooth=False,
    )
    g.atop(
        [(-2, d.hem - 0.1), (2, d.hem - 0.1), (2, d.hem - 0.05), (-2, d.hem - 0.05)],
        look.accent,
        smooth=False,
    )
    _plain_collar(g, look, tint(look.accent, 0.5))


def _tunic_trim(g: Sheet, look: Look, d: Dressing) -> None:
    waist = look.torso * 0.8
    g.atop(
        [(-2, waist), (2, waist), (2, waist + 0.11), (-2, waist + 0.11)],
        shade(look.accent, 0.35),
        smooth=False,
    )
    g.area(
        [(-0.06, waist - 0.02), (0.06, waist - 0.02), (0.06, waist + 0.13), (-0.06, waist + 0.13)],
        look.accent,
        ink(look.accent),
        0.012,
        smooth=False,
    )
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


def _hood_collar(sheet: Sheet, look: Look, back: bool) -> None:
    line = ink(look.cloth)
    colour = tint(look.cloth, 0.1)
    if back:
        sheet.area(
            [(-0.42, -0.16), (0.42, -0.16), (0.4, 0.2), (0.0, 0.52), (-0.4, 0.2)], colour, line, WEIGHT
        )
        return
    for side in (-1.0, 1.0):
        flap: list[Point] = [
            (side * 0.16, -0.16),
            (side * 0.36, -0.12),
            (side * 0.42, 0.08),
            (side * 0.2, 0.24),
            (side * 0.01, 0.2),
            (side * 0.13, 0.03),
        ]
        sheet.area(flap, colour if side < 0 else shade(colour, 0.14), line, WEIGHT * 0.9)


def _scarf(sheet: Sheet, look: Look) -> None:
    colour, line = look.accent, ink(look.accent)
    sheet.area(
        [(-0.34, -0.12), (0.0, -0.02), (0.34, -0.12), (0.38, 0.1), (0.0, 0.26), (-0.38, 0.1)],
        colour,
        line,
        WEIGHT,
    )
    sheet.stroke([(-0.28, 0.02), (0.0, 0.12), (0.28, 0.02)], shade(colour, 0.4), (0.004, 0.018, 0.004))
    sheet.area([(0.1, 0.16), (0.3, 0.12), (0.36, 0.72), (0.14, 0.74)], colour, line, WEIGHT)
    for i in range(4):
        sheet.line(
            [(0.16 + 0.055 * i, 0.72), (0.16 + 0.055 * i, 0.8)], shade(colour, 0.3), 0.02, smooth=False
        )


def _strap(sheet: Sheet, look: Look) -> None:
    leather = hex_colour("#8a5a38")
    s, hip = look.shoulders, look.torso
    sheet.line([(-s * 0.62, 0.08), (0.1, hip * 0.55), (s * 0.86, hip * 0.94)], ink(leather), 0.085)
    sheet.line([(-s * 0.62, 0.08), (0.1, hip * 0.55), (s * 0.86, hip * 0.94)], leather, 0.055)
    x, y = s * 0.86, hip * 0.92
    sheet.area(
        [(x - 0.26, y), (x + 0.26, y), (x + 0.24, y + 0.42), (x - 0.24, y + 0.42)],
        leather,
        ink(leather),
        WEIGHT,
    )
    sheet.area(
        [(x - 0.27, y - 0.02), (x + 0.27, y - 0.02), (x + 0.25, y + 0.2), (x, y + 0.26), (x - 0.25, y + 0.2)],
        tint(leather, 0.15),
        ink(leather),
        WEIGHT,
    )
    sheet.dot(x, y + 0.2, 0.03, fill=hex_colour("#e2b23c"))


_TRIMS: dict[str, Callable[[Sheet, Look, Dressing], None]] = {
    "raincoat": _raincoat_trim, "coat": _coat_trim, "kimono": _kimono_trim, "robe": _robe_trim,
    "uniform": _uniform_trim, "hoodie": _hoodie_trim, "sweater": _sweater_trim, "apron": _apron_trim,
    "dress": _dress_trim, "tunic": _tunic_trim,
}  # fmt: skip
