"""Harbour, beach, bridge and sea."""

from __future__ import annotations

import itertools
import math

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.sky import paint_sky
from anime_pipeline.preview.drawing.backdrops.stage import Stage
from anime_pipeline.preview.drawing.colours import ink, shade, tint
from anime_pipeline.preview.drawing.pen import rectangle

GREEN = (84, 122, 92)


def harbour(stage: Stage) -> None:
    """A quay with houses on the left, boats on the water and the lighthouse on its point."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.2, h + 0.01, 0.2, (96, 124, 126), 6)
    props.hills(stage, 0.35, h + 0.03, 0.09, GREEN, 5)
    props.lighthouse(stage, 0.45, a * 0.80, h + 0.005, 0.40)
    props.sea(stage, 0.5, h, 1.2)
    for x, y, size, hull in ((0.62, 0.04, 0.09, (64, 104, 140)), (0.93, 0.055, 0.12, (168, 72, 62)),
        (1.1, 0.03, 0.08, (70, 120, 104))):  # fmt: skip
        props.boat(stage, 0.6, a * x, h + y, size, hull)
    x = -0.36
    for w, tall, shop in ((0.30, 0.36, False), (0.26, 0.27, True), (0.24, 0.33, False), (0.25, 0.24, True)):
        props.house(stage, 0.75, x, h + 0.10, w, tall, shop)
        x += w + 0.012
    quay(stage, h + 0.10)
    for x, ground, tall in ((0.30, 0.16, 0.40), (1.02, 0.44, 0.84)):
        props.lamp_post(stage, 1.0, a * x, h + ground, tall)
    bollards(stage, h + 0.14)


def quay(stage: Stage, top: float) -> None:
    """Paving of the harbour street, with a stone edge to the water."""
    sheet = stage.plane(1.0)
    stone = (136, 128, 134) if not stage.wet else (98, 98, 116)
    edge = stage.aspect * 0.53
    street = [(stage.left, top), (edge, top), (stage.aspect * 1.1, top + 0.30),
        (stage.right + 0.2, top + 0.42), (stage.right + 0.2, 1.4), (stage.left, 1.4)]  # fmt: skip
    sheet.area(street, stone, smooth=False)
    sheet.atop([(edge - 0.05, top), (edge, top), (stage.aspect * 1.1, top + 0.30),
        (stage.right, top + 0.40), (stage.right, top + 0.46), (stage.aspect * 1.05, top + 0.34)],
               tint(stone, 0.3), smooth=False)  # fmt: skip
    paving(stage, top, stone)


def paving(stage: Stage, top: float, stone: tuple[int, int, int]) -> None:
    """Joints between paving stones in perspective, and puddles where it is wet."""
    sheet = stage.plane(1.0)
    dark = shade(stone, 0.28)
    y = top + 0.012
    step = 0.02
    while y < 1.25:
        sheet.atop(rectangle(stage.left, y, stage.right + 0.2, y + step * 0.07), dark, smooth=False)
        count = math.ceil(3.4 / (step * 3.2))
        for i in range(count):
            x = stage.left + step * 3.2 * (i + float(stage.rng.uniform(0.3, 0.7)))
            sheet.atop(rectangle(x, y, x + step * 0.07, y + step), dark, smooth=False)
            if stage.rng.uniform() < 0.12:
                sheet.atop(rectangle(x + step * 0.07, y + step * 0.07, x + step * 3.0, y + step),
                    tint(stone, 0.1), smooth=False)  # fmt: skip
        y += step
        step *= 1.22
    if not stage.wet:
        return
    rng = stage.chance("puddles")
    for _ in range(9):
        x, y = float(rng.uniform(stage.left, stage.right)), float(rng.uniform(top + 0.05, 1.0))
        size = 0.05 + 0.22 * (y - top)
        puddle = [(x - size, y), (x - size * 0.4, y - size * 0.11), (x + size * 0.5, y - size * 0.09),
            (x + size, y + size * 0.02), (x + size * 0.2, y + size * 0.10),
            (x - size * 0.6, y + size * 0.08)]  # fmt: skip
        sheet.atop(puddle, stage.light.sky[1])
        sheet.atop([(px * 0.8 + x * 0.2, py * 0.8 + y * 0.2 + size * 0.02) for px, py in puddle],
            tint(stage.light.sky[2], 0.05))  # fmt: skip


def bollards(stage: Stage, ground: float) -> None:
    """Iron bollards with a rope along the edge of the quay."""
    sheet = stage.plane(1.0)
    iron = (58, 58, 72)
    places = [(stage.aspect * (0.62 + 0.14 * i), ground + 0.045 + 0.075 * i,
        0.06 + 0.012 * i) for i in range(4)]  # fmt: skip
    for (x0, y0, s0), (x1, y1, s1) in itertools.pairwise(places):
        sheet.line([(x0, y0 - s0 * 0.8), ((x0 + x1) / 2, (y0 + y1) / 2 - s0 * 0.1), (x1, y1 - s1 * 0.8)],
            (150, 124, 92), 0.008)  # fmt: skip
    for x, y, s in places:
        sheet.area([(x - s * 0.32, y), (x - s * 0.22, y - s * 0.8), (x + s * 0.22, y - s * 0.8),
            (x + s * 0.32, y)], iron, ink(iron), 0.003, smooth=False)  # fmt: skip
        sheet.dot(x, y - s * 0.85, s * 0.4, s * 0.2, tint(iron, 0.2), ink(iron), 0.003)


def beach(stage: Stage) -> None:
    """Sand, surf, a headland and beach grass."""
    a, h = stage.aspect, stage.horizon - 0.06
    paint_sky(stage)
    props.hills(stage, 0.25, h + 0.01, 0.12, (98, 128, 118), 3)
    props.sea(stage, 0.5, h, 0.84, (66, 152, 178))
    sheet = stage.plane(0.9)
    sand = (232, 208, 164)
    shore = [(stage.left, 0.74), (stage.left, 0.74), (a * 0.25, 0.78), (a * 0.6, 0.74), (a * 0.85, 0.79),
        (stage.right, 0.75), (stage.right, 0.75), (stage.right, 1.5), (stage.right, 1.5), (stage.left, 1.5),
        (stage.left, 1.5)]  # fmt: skip
    sheet.area([(x, y - 0.012) for x, y in shore], (246, 248, 246))
    sheet.area(shore, shade(sand, 0.16))
    sheet.area([(x, y + 0.035) for x, y in shore], sand)
    for _ in range(60):
        x, y = float(stage.rng.uniform(stage.left, stage.right)), float(stage.rng.uniform(0.84, 1.1))
        sheet.stroke([(x - 0.03, y), (x, y - 0.004), (x + 0.03, y)], shade(sand, 0.16), (0.0, 0.006, 0.0))
    props.tufts(stage, 1.0, 0.9, 1.08, 22, (118, 140, 84), 0.05)


def bridge(stage: Stage) -> None:
    """A bridge with lamps over a river, the town behind it."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.25, h, 0.16, (98, 126, 128), 5)
    x = stage.left
    while x < stage.right:
        w = float(stage.rng.uniform(0.14, 0.22))
        props.house(stage, 0.4, x, h + 0.01, w, float(stage.rng.uniform(0.12, 0.22)))
        x += w + 0.01
    props.sea(stage, 0.5, h, 1.1, (74, 124, 140))
    sheet = stage.plane(0.95)
    deck = (150, 110, 88)
    sheet.area([(stage.left, h + 0.16), (stage.right, h + 0.16), (stage.right, 1.4), (stage.left, 1.4)],
        deck, smooth=False)  # fmt: skip
    for i in range(60):
        x0 = a / 2 + (i - 30) * 0.06
        sheet.atop([(x0, h + 0.16), (x0 + 0.003, h + 0.16), (a / 2 + (i - 30) * 0.16 + 0.006, 1.4),
            (a / 2 + (i - 30) * 0.16, 1.4)], shade(deck, 0.3), smooth=False)  # fmt: skip
    props.railing(stage, 0.9, h + 0.17, 0.17, (158, 62, 52), 0.09)
    for x in (0.12, 0.88):
        props.lamp_post(stage, 0.95, a * x, h + 0.18, 0.44)


def sea(stage: Stage) -> None:
    """Open water with an island and a ship's rail."""
    a, h = stage.aspect, stage.horizon - 0.04
    paint_sky(stage, 1.3)
    props.hills(stage, 0.2, h + 0.004, 0.08, (96, 120, 126), 2)
    props.sea(stage, 0.5, h, 1.2)
    props.boat(stage, 0.55, a * 0.74, h + 0.03, 0.1, (168, 72, 62))
    sheet = stage.plane(1.0)
    wood = (146, 104, 78)
    sheet.box_area(stage.left, 0.9, stage.right, 1.4, wood)
    for i in range(5):
        sheet.box_area(stage.left, 0.92 + 0.04 * i * (1 + 0.3 * i), stage.right,
            0.924 + 0.04 * i * (1 + 0.3 * i), shade(wood, 0.3))  # fmt: skip
    props.railing(stage, 1.0, 0.91, 0.15, (236, 230, 218), 0.16)
