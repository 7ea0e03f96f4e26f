"""Outfits: cloth from the neck to its hem, with its trim. Units are heads, origin at the neck."""

from __future__ import annotations

from anime_pipeline.preview.drawing.colours import hex_colour, ink, shade, tint
from anime_pipeline.preview.drawing.figures.body import WEIGHT, Dressing, pattern_cloth
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.figures.trims import draw_sash, draw_trim
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet, mirrored


def draw_outfit(sheet: Sheet, look: Look, dressing: Dressing, back: bool = False) -> None:
    """The garment, shaded, with folds; its trim only where the front is seen."""
    flared = _SILHOUETTES.get(look.outfit)
    half = _flared(look, dressing, *flared) if flared else _plain(look, dressing)
    outline = mirrored(half)
    garment = sheet.layer()
    garment.area(outline, look.cloth)
    pattern_cloth(garment, look, (-1.6, -0.2, 1.6, dressing.hem + 0.1))
    _shadows(garment, look, dressing)
    if not back:
        draw_trim(garment, look, dressing)
    elif look.outfit in ("kimono", "robe"):
        draw_sash(garment, look, 0.62, 0.32)
    garment.area(outline, None, ink(look.cloth), WEIGHT)
    sheet.merge(garment)
    if look.outfit in ("raincoat", "hoodie"):
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
    return [(0, -0.03), (0.17, -0.05), (s * 0.72, 0.06), (s * 0.98, 0.2), (s * 0.93, 0.55),
        (s * 0.82, hip * 0.72),
            (s * 0.9, hip), (s * 0.92, dressing.hem), (s * 0.92, dressing.hem),
        (0, dressing.hem + 0.03)]  # fmt: skip


def _flared(look: Look, dressing: Dressing, waist: float, flare: float) -> Points:
    s, hip = look.shoulders, look.torso
    return [(0, -0.03), (0.17, -0.05), (s * 0.72, 0.06), (s * 1.0, 0.2), (s * 0.95, 0.55),
        (s * waist, hip * 0.7),
            (s * (waist + flare) / 2 * 1.04, hip), (s * flare, dressing.hem), (s * flare, dressing.hem),
            (s * flare * 0.5, dressing.hem + 0.05), (0, dressing.hem + 0.03)]  # fmt: skip


# Waist and hem in half shoulders.
_SILHOUETTES: dict[str, tuple[float, float]] = {
    "raincoat": (1.02, 1.5), "coat": (0.92, 1.18), "kimono": (0.78, 0.86), "robe": (0.86, 1.3),
    "dress": (0.66, 1.7), "uniform": (0.74, 1.22), "apron": (0.8, 1.15), "hoodie": (1.0, 1.0),
    "sweater": (0.96, 0.96),
}  # fmt: skip


def _shadows(garment: Sheet, look: Look, dressing: Dressing) -> None:
    s, hip, hem = look.shoulders, look.torso, dressing.hem
    dark = (*shade(look.cloth, 0.42), 150)
    garment.atop([(s * 1.8, 0.0), (s * 0.72, 0.3), (s * 0.5, hip * 0.7), (s * 0.62, hem * 0.85),
        (s * 0.5, hem + 0.2), (s * 2.2, hem + 0.2)], dark)  # fmt: skip
    garment.atop([(-0.3, -0.1), (0.3, -0.1), (0.26, 0.08), (0.0, 0.15), (-0.26, 0.08)], dark)
    garment.atop([(-s * 0.95, 0.35), (-s * 0.66, 0.5), (-s * 0.7, 0.9), (-s * 1.1, hip)], dark)
    fold = shade(look.cloth, 0.48)
    if hem > hip + 0.3:
        for x, start in ((-0.5, 0.2), (-0.12, 0.32), (0.3, 0.12), (0.62, 0.25)):
            middle, low = (hip + hem) / 2, hem + 0.06
            path = [(s * x, hip * 0.85 + start * 0.5), (s * x * 1.25, middle), (s * x * 1.45, hem + 0.05)]
            garment.atop_stroke(path, fold, (0.0, 0.012, 0.026))
            garment.atop([(s * x * 1.3, middle), (s * x * 1.5, low), (s * (x * 1.5 + 0.2), low)], dark)
    rim = tint(look.cloth, 0.45)
    garment.atop_stroke([(-s * 0.74, 0.11), (-s * 0.93, 0.24), (-s * 0.88, 0.5)], rim, (0.0, 0.035, 0.0))


def _hood_collar(sheet: Sheet, look: Look, back: bool) -> None:
    line = ink(look.cloth)
    colour = tint(look.cloth, 0.1)
    if back:
        sheet.area(
            [(-0.42, -0.16), (0.42, -0.16), (0.4, 0.2), (0.0, 0.52), (-0.4, 0.2)], colour, line, WEIGHT
        )
        return
    for side in (-1.0, 1.0):
        flap: list[Point] = [(side * 0.16, -0.16), (side * 0.36, -0.12), (side * 0.42, 0.08),
            (side * 0.2, 0.24), (side * 0.01, 0.2), (side * 0.13, 0.03)]  # fmt: skip
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
    for colour, weight in ((ink(leather), 0.085), (leather, 0.055)):
        sheet.line([(-s * 0.62, 0.08), (0.1, hip * 0.55), (s * 0.86, hip * 0.94)], colour, weight)
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
