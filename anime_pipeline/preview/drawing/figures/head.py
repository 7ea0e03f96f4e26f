"""The head without its hair: skull, ears, neck shadow, beard. Units are heads, origin in its middle."""

from __future__ import annotations

from anime_pipeline.preview.drawing.colours import ink, shade, tint
from anime_pipeline.preview.drawing.figures.face import across
from anime_pipeline.preview.drawing.figures.look import Look
from anime_pipeline.preview.drawing.pen import Point, Points, Sheet, mirrored

WEIGHT = 0.018
_JAWS: dict[str, Points] = {
    "child": [(0, -0.5), (0.25, -0.46), (0.40, -0.28), (0.43, 0.0), (0.41, 0.2), (0.30, 0.37), (0.12, 0.47),
        (0, 0.485)],
    "young": [(0, -0.5), (0.25, -0.46), (0.39, -0.28), (0.415, 0.0), (0.38, 0.2), (0.265, 0.37),
        (0.10, 0.475), (0, 0.5)],
    "adult": [(0, -0.5), (0.25, -0.46), (0.385, -0.28), (0.405, 0.0), (0.375, 0.22), (0.27, 0.40),
        (0.11, 0.495), (0, 0.51)],
    "old": [(0, -0.5), (0.25, -0.46), (0.39, -0.28), (0.41, 0.0), (0.40, 0.22), (0.31, 0.41), (0.13, 0.5),
        (0, 0.51)],
}  # fmt: skip


def contour(look: Look, turn: float) -> list[Point]:
    """The outline of skull and jaw; the jaw follows the turn."""
    return [
        (x * (1 - 0.03 * abs(turn)) + 0.05 * turn * max(0.0, y + 0.2), y)
        for x, y in mirrored(_JAWS[look.age])
    ]


def draw_head(sheet: Sheet, look: Look, turn: float) -> None:
    """Skull and ears with the shadow that the fringe throws."""
    line = ink(look.skin)
    for side in (-1.0, 1.0):
        x = side * 0.415 - 0.03 * turn
        sheet.dot(x, 0.12, 0.065, 0.095, look.skin, line, WEIGHT * 0.8, turn=-14 * side)
        sheet.stroke(
            [(x - 0.02, 0.08), (x + side * 0.02, 0.11), (x - 0.01, 0.16)],
            shade(look.skin, 0.4),
            (0.004, 0.012, 0.004),
        )
    outline = contour(look, turn)
    face = sheet.layer()
    face.area(outline, look.skin)
    dark = shade(look.skin, 0.2)
    if look.hair_style != "bald":
        fringe = -0.16 if look.age == "old" else 0.02
        face.atop([(-0.5, -0.6), (0.5, -0.6), (0.5, 0.05), (0.36, fringe + 0.05), (0.2, fringe),
            (0.0, fringe + 0.04),
                   (-0.2, fringe), (-0.36, fringe + 0.06), (-0.5, 0.1)], dark)  # fmt: skip
    edge = 0.36 if turn <= 0.1 else -0.36
    sign = 1 if edge > 0 else -1
    face.atop([(edge + sign * 0.2, -0.2), (edge - sign * 0.01, -0.1), (edge - sign * 0.02, 0.16),
        (edge - sign * 0.14, 0.36),
               (edge - sign * 0.36, 0.5), (edge, 0.6), (edge + sign * 0.2, 0.4)], dark)  # fmt: skip
    face.area(outline, None, line, WEIGHT)
    sheet.merge(face)


def draw_beard(sheet: Sheet, look: Look, turn: float) -> None:
    """Beard and moustache, with the mouth's place left open for the mouth that is drawn over it."""
    colour, line = look.beard, ink(look.beard)
    x = across(0.0, turn)
    if "beard" in look.accessories:
        shape: Points = [(-0.415, 0.02), (-0.36, 0.2), (-0.2 + x, 0.285), (x, 0.27), (0.2 + x, 0.285),
            (0.36, 0.2), (0.415, 0.02),
                 (0.44, 0.3), (0.36, 0.55), (0.24, 0.68), (0.24, 0.68), (0.16, 0.66), (0.03 + x, 0.82),
            (0.03 + x, 0.82), (-0.1, 0.68),
                 (-0.22, 0.7), (-0.22, 0.7), (-0.36, 0.55), (-0.44, 0.3)]  # fmt: skip
        beard = sheet.layer()
        beard.area(shape, colour)
        beard.atop(
            [(0.5, 0.0), (0.33, 0.3), (0.2, 0.5), (0.1, 0.62), (0.05, 0.9), (0.5, 0.8)], shade(colour, 0.17)
        )
        for dx in (-0.26, -0.13, 0.13, 0.26):
            beard.atop_stroke(
                [(dx * 0.9, 0.42), (dx * 1.02, 0.52), (dx * 0.86, 0.64)],
                shade(colour, 0.35),
                (0.003, 0.013, 0.003),
            )
        beard.area(shape, None, line, WEIGHT * 0.9)
        sheet.merge(beard)
    for side in (-1.0, 1.0):
        tache: Points = [(x, 0.262), (x + side * 0.09, 0.255), (x + side * 0.2, 0.30),
            (x + side * 0.235, 0.365), (x + side * 0.235, 0.365),
                 (x + side * 0.13, 0.335), (x, 0.31)]  # fmt: skip
        sheet.area(tache, tint(colour, 0.3), line, WEIGHT * 0.7)
