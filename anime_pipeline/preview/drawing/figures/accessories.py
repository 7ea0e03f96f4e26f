"""Things worn, held or sat on: ears, tails, glasses, hats, ribbons, lanterns, letters. Units are heads."""

from __future__ import annotations

from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.figures.face import across
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Points, Sheet, rectangle

_WEIGHT = 0.018


def draw_ears(sheet: Sheet, look: Look) -> None:
    """Fox or cat ears on the crown."""
    tall = 0.34 if "fox_ears" in look.accessories else 0.24
    line = ink(look.hair)
    for side in (-1.0, 1.0):
        tip = (side * 0.43, -0.66 - tall)
        ear: Points = [
            (side * 0.14, -0.5),
            (side * 0.24, -0.68),
            tip,
            tip,
            (side * 0.51, -0.62),
            (side * 0.46, -0.3),
        ]
        inner: Points = [(side * 0.24, -0.52), (side * 0.3, -0.66), (side * 0.41, -0.6 - tall * 0.72),
            (side * 0.41, -0.6 - tall * 0.72),
                 (side * 0.455, -0.58), (side * 0.41, -0.4)]  # fmt: skip
        sheet.area(ear, look.hair, line, _WEIGHT)
        sheet.area(inner, mix((250, 232, 222), (238, 150, 140), 0.4))
        tuft = [(side * 0.2, -0.42), (side * 0.3, -0.64), (side * 0.33, -0.52), (side * 0.4, -0.6),
            (side * 0.4, -0.4)]  # fmt: skip
        sheet.area(tuft, tint(look.hair, 0.7), smooth=False)
        if "fox_ears" in look.accessories:
            dark = shade(look.hair, 0.62)
            sheet.area(
                [
                    tip,
                    (side * 0.36, -0.56 - tall * 0.6),
                    (side * 0.42, -0.6 - tall * 0.55),
                    (side * 0.48, -0.6 - tall * 0.55),
                ],
                dark,
                smooth=False,
            )


def draw_animal_tail(sheet: Sheet, look: Look) -> None:
    """A fox's brush or a cat's tail, from the origin to the right and up."""
    line = ink(look.hair)
    if "fox_ears" not in look.accessories:
        for colour, weight in ((line, 0.17), (look.hair, 0.13)):
            sheet.line([(0, 0), (0.4, 0.1), (0.72, -0.2), (0.66, -0.62), (0.8, -0.85)], colour, weight)
        return
    shape: Points = [(0, 0.08), (0.35, 0.3), (0.8, 0.22), (1.08, -0.15), (1.1, -0.6), (1.02, -0.98),
        (1.02, -0.98), (0.82, -0.7),
             (0.72, -0.3), (0.5, -0.1), (0.2, -0.1), (0, -0.1)]  # fmt: skip
    tail = sheet.layer()
    tail.area(shape, look.hair)
    tail.atop(
        [(0.0, 0.1), (0.4, 0.12), (0.8, 0.02), (1.0, -0.3), (1.3, 0.0), (0.9, 0.5), (0.2, 0.5)],
        shade(look.hair, 0.24),
    )
    tail.atop([(0.6, -1.1), (1.3, -1.1), (1.3, -0.55), (1.08, -0.62), (1.0, -0.46), (0.9, -0.62), (0.8, -0.5),
        (0.7, -0.6)], (250, 244, 234), smooth=False)  # fmt: skip
    tail.area(shape, None, line, _WEIGHT)
    sheet.merge(tail)


def draw_on_face(sheet: Sheet, look: Look, turn: float) -> None:
    """Glasses, drawn over the eyes."""
    if "glasses" not in look.accessories:
        return
    frame = hex_colour("#3a2f3d")
    for side in (-1.0, 1.0):
        x = across(0.195 * side, turn)
        sheet.dot(x, 0.11, 0.15, 0.14, (214, 236, 246, 46), frame, 0.018)
        sheet.stroke([(x - 0.08, 0.04), (x - 0.02, 0.0)], (255, 255, 255), (0.004, 0.02, 0.004))
        sheet.line([(x + side * 0.15, 0.1), (side * 0.41, 0.07)], frame, 0.014, smooth=False)
    sheet.line(
        [(across(-0.05, turn), 0.095), (across(0.0, turn), 0.08), (across(0.05, turn), 0.095)], frame, 0.016
    )


def draw_on_head(sheet: Sheet, look: Look) -> None:
    """Hat, ribbon, headphones: over the hair."""
    if "ribbon" in look.accessories:
        line = ink(look.accent)
        for side in (-1.0, 1.0):
            sheet.area(
                [(0.3, -0.44), (0.3 + side * 0.2, -0.56), (0.3 + side * 0.22, -0.34), (0.3, -0.42)],
                look.accent,
                line,
                0.014,
            )
        sheet.dot(0.3, -0.43, 0.045, fill=shade(look.accent, 0.15), line=line, weight=0.012)
    if "headphones" in look.accessories:
        sheet.line(
            [(-0.47, 0.05), (-0.5, -0.3), (-0.3, -0.6), (0.0, -0.68), (0.3, -0.6), (0.5, -0.3), (0.47, 0.05)],
            (52, 50, 62),
            0.06,
        )
        for side in (-1.0, 1.0):
            sheet.dot(side * 0.47, 0.08, 0.09, 0.14, look.accent, ink(look.accent), _WEIGHT)
    if "hat" in look.accessories:
        _hat(sheet, look.cloth if look.outfit in ("coat", "uniform") else look.accent, look.accent)


def _hat(sheet: Sheet, colour: Rgb, band: Rgb) -> None:
    line = ink(colour)
    crown: Points = [(-0.42, -0.34), (-0.5, -0.56), (-0.3, -0.78), (0.0, -0.83), (0.3, -0.78), (0.5, -0.56),
        (0.42, -0.34)]  # fmt: skip
    hat = sheet.layer()
    hat.area(crown, colour)
    hat.atop([(0.1, -0.9), (0.7, -0.9), (0.6, -0.3), (0.25, -0.3)], shade(colour, 0.24))
    hat.atop(rectangle(-1, -0.46, 1, -0.38), shade(band, 0.1), smooth=False)
    hat.area(crown, None, line, _WEIGHT)
    hat.area(
        [(-0.5, -0.34), (0.0, -0.42), (0.5, -0.34), (0.42, -0.24), (0.0, -0.29), (-0.42, -0.24)],
        shade(colour, 0.3),
        line,
        _WEIGHT,
    )
    sheet.merge(hat)


def draw_stool(sheet: Sheet, look: Look) -> None:
    """A stool under the hip, which is at the origin; its legs end at ``look.legs``."""
    wood, reach = (122, 84, 60), look.shoulders * 1.35
    line = ink(wood)
    for side in (-1.0, 1.0):
        x, foot = side * reach * 0.78, side * reach * 0.9
        leg = [(x - 0.08, 0.3), (x + 0.08, 0.3), (foot + 0.06, look.legs), (foot - 0.06, look.legs)]
        sheet.area(leg, shade(wood, 0.25), line, _WEIGHT, smooth=False)
    sheet.box_area(-reach, 0.16, reach, 0.34, wood, line, _WEIGHT)
    sheet.box_area(-reach, 0.16, reach, 0.22, tint(wood, 0.2))


def draw_lantern(sheet: Sheet) -> None:
    """A paper lantern that hangs from the origin; the warm paper is as bright by night as by day."""
    wood, paper = (70, 44, 38), (255, 206, 110)
    line = ink(wood)
    sheet.line([(0, 0), (0, 0.16)], line, 0.022, smooth=False)
    sheet.area([(-0.13, 0.16), (0.13, 0.16), (0.15, 0.21), (-0.15, 0.21)], wood, line, 0.012, smooth=False)
    body: Points = [(-0.14, 0.21), (0.14, 0.21), (0.22, 0.38), (0.2, 0.52), (0.13, 0.62), (-0.13, 0.62),
        (-0.2, 0.52), (-0.22, 0.38)]  # fmt: skip
    lamp = sheet.layer()
    lamp.area(body, paper)
    lamp.atop([(-0.12, 0.3), (0.12, 0.3), (0.12, 0.56), (-0.12, 0.56)], (255, 248, 206), blur=0.05)
    for y in (0.31, 0.41, 0.51):
        lamp.atop_stroke([(-0.24, y), (0.0, y + 0.025), (0.24, y)], (214, 140, 60), (0.01, 0.014, 0.01))
    lamp.area(body, None, (140, 78, 40), 0.016)
    sheet.merge(lamp)
    sheet.area([(-0.14, 0.61), (0.14, 0.61), (0.12, 0.66), (-0.12, 0.66)], wood, line, 0.012, smooth=False)


def draw_letter(sheet: Sheet) -> None:
    """A sealed letter held at the origin."""
    paper = (250, 243, 226)
    sheet.area(
        [(-0.2, -0.16), (0.2, -0.12), (0.18, 0.14), (-0.22, 0.1)], paper, (86, 66, 60), 0.016, smooth=False
    )
    sheet.line([(-0.2, -0.16), (0.0, 0.02), (0.2, -0.12)], (150, 124, 108), 0.014, smooth=False)
    sheet.dot(0.0, 0.02, 0.045, fill=(200, 58, 60), line=(120, 30, 40), weight=0.01)
