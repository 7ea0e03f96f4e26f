"""Street, alley, shop, station and rooftop."""

from __future__ import annotations

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.sky import paint_sky
from anime_pipeline.preview.drawing.backdrops.stage import WARM, Stage
from anime_pipeline.preview.drawing.backdrops.waterside import paving
from anime_pipeline.preview.drawing.colours import hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.pen import rectangle

_SIGNS = tuple(hex_colour(c) for c in ("#c8503f", "#3f7a8c", "#d6a13c", "#6b5a9a"))


def street(stage: Stage) -> None:
    """A street that runs away between houses, with shops, lamps and wires."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.25, h + 0.02, 0.2, (98, 122, 124), 5)
    middle = a * 0.5
    for side in (-1, 1):
        for depth, off, w, tall, ground in ((0.45, 0.10, 0.16, 0.22, 0.03), (0.6, 0.27, 0.24, 0.34, 0.06),
            (0.8, 0.52, 0.40, 0.50, 0.13)):  # fmt: skip
            x = middle + side * off - (w if side < 0 else 0)
            props.house(stage, depth, x, h + ground, w, tall, shop=depth > 0.5)
    stone = (142, 134, 136) if not stage.wet else (100, 100, 118)
    stage.plane(1.0).area([(stage.left, 1.4), (stage.left, h + 0.13), (middle - 0.5, h + 0.12),
        (middle - 0.07, h + 0.02), (middle + 0.07, h + 0.02),
                           (middle + 0.5, h + 0.12), (stage.right, h + 0.13), (stage.right, 1.4)],
        stone, smooth=False)  # fmt: skip
    paving(stage, h + 0.02, stone)
    for x in (0.16, 0.84):
        props.lamp_post(stage, 1.0, a * x, h + 0.17, 0.46)
    wires = stage.plane(0.8)
    for dy in (0.0, 0.025):
        wires.line([(stage.left, 0.06 + dy), (middle, 0.2 + dy), (stage.right, 0.05 + dy)], (52, 50, 66),
            0.003)  # fmt: skip


def alley(stage: Stage) -> None:
    """A narrow lane between walls, hung with lanterns and signs."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage, 0.4)
    middle = a * 0.5
    props.house(stage, 0.4, middle - 0.16, h + 0.02, 0.32, 0.3, True)
    for side in (-1, 1):
        near, far = middle + side * 1.3, middle + side * 0.19
        wall = (170, 146, 130) if side < 0 else (150, 140, 146)
        sheet = stage.plane(0.7)
        sheet.area([(near, -0.5), (far, 0.12), (far, h + 0.03), (near, 1.25)], wall, smooth=False)
        for i in range(9):
            t = i / 9
            sheet.line([(near, -0.5 + 1.75 * t), (far, 0.12 + (h - 0.09) * t)], shade(wall, 0.2),
                0.003, smooth=False)  # fmt: skip
        for i in range(4):
            t = 0.18 + 0.2 * i
            x = far + (near - far) * t
            y0, y1 = 0.12 + (-0.62) * t + 0.18, h * 0.55 - 0.03 * i
            w = side * (0.05 + 0.08 * t)
            pane = [(x, y0 + 0.12), (x + w, y0 + 0.10), (x + w, y1 + 0.02), (x, y1)]
            if stage.light.lamps > 0.3 and i % 2 == 0:
                stage.lit(0.7).area(pane, (250, 200, 116), smooth=False)
                stage.lamp(x, (y0 + y1) / 2, 0.25, WARM, 0.7)
            else:
                sheet.area(pane, (104, 118, 138), smooth=False)
            sheet.line([*pane, pane[0]], ink(wall), 0.005, smooth=False)
            sign = _SIGNS[(i + (side > 0)) % len(_SIGNS)]
            sx = far + (near - far) * (t + 0.1)
            sheet.box_area(sx - 0.02 - 0.02 * t, h * 0.3, sx + 0.02 + 0.02 * t, h * 0.3 + 0.16 + 0.1 * t,
                sign, ink(sign), 0.004)  # fmt: skip
    stone = (120, 114, 120) if not stage.wet else (92, 92, 108)
    stage.plane(1.0).area([(middle - 0.19, h + 0.03), (middle + 0.19, h + 0.03), (middle + 1.35, 1.3),
        (middle - 1.35, 1.3)], stone, smooth=False)  # fmt: skip
    paving(stage, h + 0.03, stone)
    for i in range(7):
        t = i / 6
        props.paper_lantern(stage, 0.8, middle - 0.55 + 1.1 * t, 0.17 + 0.08 * (1 - (2 * t - 1) ** 2), 0.035)


def shop(stage: Stage) -> None:
    """Inside a small shop: shelves full of wares, a counter, hanging lamps."""
    stage.indoors = True
    a = stage.aspect
    wall = (226, 204, 172)
    stage.strip(0.3, -0.5, 1.0, wall)
    for row in range(4):
        y = 0.14 + 0.15 * row
        sheet = stage.plane(0.35)
        x = stage.left
        while x < stage.right:
            w = float(stage.rng.uniform(0.025, 0.07))
            tall = float(stage.rng.uniform(0.05, 0.11))
            ware = mix(_SIGNS[int(stage.rng.integers(4))], wall, float(stage.rng.uniform(0.1, 0.5)))
            sheet.box_area(x, y + 0.12 - tall, x + w * 0.85, y + 0.12, ware, ink(ware), 0.002)
            sheet.box_area(x + w * 0.1, y + 0.12 - tall * 0.6, x + w * 0.75, y + 0.12 - tall * 0.35,
                tint(ware, 0.6))  # fmt: skip
            x += w
        sheet.box_area(stage.left, y + 0.12, stage.right, y + 0.14, (122, 82, 58))
    counter(stage, 0.80, (138, 92, 64))
    for x in (0.2, 0.5, 0.8):
        hanging_lamp(stage, a * x, 0.1)


def counter(stage: Stage, top: float, wood: tuple[int, int, int]) -> None:
    """A counter across the picture behind the figures."""
    sheet = stage.plane(0.8)
    sheet.box_area(stage.left, top, stage.right, 1.5, wood)
    sheet.box_area(stage.left, top - 0.03, stage.right, top + 0.012, tint(wood, 0.25), ink(wood), 0.004)
    for i in range(14):
        x = stage.left + 0.2 * i
        sheet.box_area(x + 0.02, top + 0.05, x + 0.18, top + 0.3, shade(wood, 0.12), shade(wood, 0.4), 0.004)


def hanging_lamp(stage: Stage, x: float, y: float) -> None:
    """A lamp on a cord from the ceiling."""
    sheet = stage.plane(0.7)
    sheet.box_area(x - 0.0025, -0.5, x + 0.0025, y, (48, 42, 50))
    sheet.area([(x - 0.022, y), (x + 0.022, y), (x + 0.075, y + 0.06), (x - 0.075, y + 0.06)], (60, 96, 98),
        (26, 30, 38), 0.004, smooth=False)  # fmt: skip
    stage.lit(0.7).dot(x, y + 0.066, 0.03, 0.02, (255, 240, 190))
    stage.lamp(x, y + 0.07, 0.42, WARM, 0.7)


def station(stage: Stage) -> None:
    """A platform under its roof, a waiting train, a clock and benches."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.25, h, 0.22, (98, 126, 122), 5)
    sheet = stage.plane(0.6)
    body, stripe = (226, 222, 208), (70, 128, 132)
    sheet.box_area(stage.left, h - 0.22, a * 0.86, h + 0.12, body, ink(body), 0.004)
    sheet.box_area(stage.left, h + 0.0, a * 0.86, h + 0.05, stripe)
    sheet.box_area(stage.left, h - 0.24, a * 0.84, h - 0.22, (120, 124, 132))
    for i in range(12):
        x = stage.left + 0.05 + 0.19 * i
        if x + 0.13 > a * 0.84:
            break
        pane = rectangle(x, h - 0.18, x + 0.13, h - 0.04)
        sheet.area(pane, (132, 160, 178), (60, 60, 74), 0.004, smooth=False)
        if stage.light.lamps > 0.3:
            stage.lit(0.6).area(pane, (255, 226, 156), smooth=False)
            stage.lamp(x + 0.065, h - 0.11, 0.16, WARM, 0.6)
    platform = (168, 160, 156)
    stage.strip(1.0, h + 0.12, 1.4, platform)
    stage.plane(1.0).box_area(stage.left, h + 0.15, stage.right, h + 0.175, (226, 190, 78))
    near = stage.plane(0.9)
    near.area([(stage.left, -0.5), (stage.right, -0.5), (stage.right, 0.05), (stage.left, 0.10)],
        (104, 84, 82), smooth=False)  # fmt: skip
    for x in (0.1, 0.92):
        near.box_area(a * x - 0.016, 0.0, a * x + 0.016, h + 0.14, (84, 92, 100))
    sign = rectangle(a * 0.62, 0.15, a * 0.62 + 0.3, 0.235)
    near.area(sign, (244, 242, 232), (60, 60, 74), 0.004, smooth=False)
    near.box_area(a * 0.62, 0.215, a * 0.62 + 0.3, 0.235, stripe)
    near.dot(a * 0.36, 0.17, 0.055, fill=(246, 244, 234), line=(48, 46, 58), weight=0.008)
    near.line([(a * 0.36, 0.17), (a * 0.36, 0.13)], (40, 38, 50), 0.005, smooth=False)
    near.line([(a * 0.36, 0.17), (a * 0.36 + 0.026, 0.18)], (40, 38, 50), 0.005, smooth=False)


def rooftop(stage: Stage) -> None:
    """A flat roof with a fence, water tank and the town's lights below."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.2, h + 0.02, 0.16, (96, 116, 130), 5)
    for depth, tall, base in ((0.35, 0.17, 0.05), (0.55, 0.13, 0.10)):
        x = stage.left
        while x < stage.right:
            w = float(stage.rng.uniform(0.09, 0.2))
            block = mix((150, 150, 164), (190, 164, 150), float(stage.rng.uniform()))
            top = h + base - tall * float(stage.rng.uniform(0.4, 1.0))
            stage.plane(depth).box_area(x, top, x + w, 1.2, block, ink(block), 0.003)
            for row in range(4):
                for column in range(int(w / 0.035)):
                    props_window(stage, depth, x + 0.015 + 0.035 * column, top + 0.02 + 0.032 * row)
            x += w
    floor = (164, 160, 162)
    stage.strip(1.0, h + 0.14, 1.4, floor)
    tank = stage.plane(0.8)
    tank.box_area(a * 0.86, h - 0.2, a * 0.86 + 0.2, h + 0.08, (176, 170, 160), (48, 44, 56), 0.005)
    tank.dot(a * 0.86 + 0.1, h - 0.2, 0.1, 0.03, (196, 192, 182), (48, 44, 56), 0.005)
    props.railing(stage, 0.9, h + 0.15, 0.2, (112, 130, 138), 0.05)


def props_window(stage: Stage, depth: float, x: float, y: float) -> None:
    """A tiny far window; about half are lit."""
    lit = stage.rng.uniform() < 0.5 and stage.light.lamps > 0.3
    sheet = stage.lit(depth) if lit else stage.plane(depth)
    sheet.box_area(x, y, x + 0.018, y + 0.016, (255, 214, 132) if lit else (112, 124, 146))
