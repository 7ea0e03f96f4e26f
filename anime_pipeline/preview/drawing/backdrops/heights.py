"""The lighthouse from outside, its lamp room, its gallery, and the observatory."""

from __future__ import annotations

import math

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.sky import paint_sky
from anime_pipeline.preview.drawing.backdrops.stage import WARM, Lit, Stage
from anime_pipeline.preview.drawing.colours import ink, mix, shade, tint
from anime_pipeline.preview.drawing.pen import rectangle

_IRON = (62, 66, 84)
_BRASS = (204, 160, 78)


def lighthouse(stage: Stage) -> None:
    """The tower on its headland over the sea."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.2, h + 0.006, 0.09, (98, 120, 132), 3)
    props.sea(stage, 0.5, h, 1.1)
    cliff = (112, 106, 112)
    sheet = stage.plane(0.8)
    sheet.area([(a * 0.38, 1.5), (a * 0.42, 0.84), (a * 0.55, 0.72), (a * 0.72, 0.69), (stage.right, 0.70),
        (stage.right, 0.70), (stage.right, 1.5), (stage.right, 1.5)], cliff)  # fmt: skip
    sheet.atop([(a * 0.4, 0.80), (a * 0.55, 0.70), (a * 0.75, 0.66), (stage.right, 0.66),
        (stage.right, 0.77), (a * 0.7, 0.77), (a * 0.5, 0.84)], (110, 146, 92))  # fmt: skip
    for x, y in ((0.45, 0.9), (0.55, 0.98), (0.7, 0.92), (0.86, 1.0)):
        sheet.atop([(a * x, y), (a * x + 0.05, y - 0.05), (a * x + 0.09, y + 0.14),
            (a * x - 0.02, y + 0.12)], shade(cliff, 0.25))  # fmt: skip
    props.lighthouse(stage, 0.8, a * 0.72, 0.71, 0.62)
    props.house(stage, 0.85, a * 0.80, 0.74, 0.24, 0.13)
    grass = (120, 158, 92)
    stage.plane(1.0).area([(stage.left, 0.86), (a * 0.3, 0.84), (a * 0.7, 0.9), (stage.right, 0.86),
        (stage.right, 1.5), (stage.right, 1.5), (stage.left, 1.5), (stage.left, 1.5)], grass)  # fmt: skip
    props.tufts(stage, 1.0, 0.88, 1.06, 50, shade(grass, 0.2), 0.04)


def lamp_room(stage: Stage) -> None:
    """Under the dome: the great lens, panes all round, the night sea outside, brass and iron."""
    a = stage.aspect
    stage.horizon = 0.56
    paint_sky(stage, 0.8)
    props.sea(stage, 0.3, 0.56, 0.9, (50, 92, 132))
    stage.indoors = True
    frame = stage.plane(0.6)
    count = 9
    for i in range(count + 1):
        x = a / 2 + (i - count / 2) * 0.36
        w = 0.012 + 0.004 * abs(i - count / 2)
        frame.box_area(x - w, -0.5, x + w, 0.78, _IRON)
        frame.box_area(x - w, -0.5, x - w * 0.4, 0.78, tint(_IRON, 0.3))
    for y in (0.30, 0.06):
        frame.box_area(stage.left, y, stage.right, y + 0.012, _IRON)
    frame.area([(stage.left, -0.6), (stage.right, -0.6), (stage.right, -0.02), (a * 0.5, 0.06),
        (stage.left, -0.02)], (88, 74, 78))  # fmt: skip
    wall = (116, 84, 72)
    stage.strip(0.65, 0.74, 1.5, wall)
    panel = stage.plane(0.65)
    panel.box_area(stage.left, 0.73, stage.right, 0.76, _BRASS)
    panel.box_area(stage.left, 0.745, stage.right, 0.75, tint(_BRASS, 0.5))
    for i in range(16):
        x = stage.left + 0.19 * i
        panel.box_area(x, 0.79, x + 0.16, 0.96, shade(wall, 0.14), shade(wall, 0.4), 0.004)
        for dx in (0.015, 0.145):
            panel.dot(x + dx, 0.81, 0.005, fill=_BRASS)
    floor = stage.plane(0.66)
    floor.box_area(stage.left, 0.87, stage.right, 1.5, (92, 84, 92))
    floor.box_area(stage.left, 0.86, stage.right, 0.875, shade(_BRASS, 0.3))
    for i in range(-14, 15):
        floor.line([(a / 2 + i * 0.14, 0.875), (a / 2 + i * 0.32, 1.4)], (66, 60, 72), 0.004, smooth=False)
    _lens(stage, a * 0.5, 0.43, 0.30)


def _lens(stage: Stage, x: float, y: float, size: float) -> None:
    """A Fresnel lens: rings of glass in a brass cage, blazing when lamps are lit."""
    sheet = stage.plane(0.8)
    lit = stage.light.lamps > 0.3
    glass = stage.lit(0.8) if lit else sheet
    outline = [(x - size * 0.36, y + size), (x - size * 0.62, y + size * 0.4), (x - size * 0.66, y),
        (x - size * 0.62, y - size * 0.4), (x - size * 0.36, y - size * 0.95),
               (x + size * 0.36, y - size * 0.95), (x + size * 0.62, y - size * 0.4), (x + size * 0.66, y),
        (x + size * 0.62, y + size * 0.4), (x + size * 0.36, y + size)]  # fmt: skip
    edge = (122, 150, 160) if lit else (150, 184, 194)
    warm = (255, 224, 146) if lit else (196, 220, 224)
    layer = glass.layer()
    layer.area(outline, edge)
    for r in (0.95, 0.8, 0.64, 0.48):
        layer.atop([(x, y - size * r), (x + size * r * 0.62, y), (x, y + size * r),
            (x - size * r * 0.62, y)], (*mix(warm, edge, (r - 0.4) * 1.2), 150),
            blur=size * 0.08)  # fmt: skip
    for i in range(13):
        t = (i - 6) / 6
        y0, y1 = y + size * (0.96 * t - 0.066), y + size * (0.96 * t + 0.066)
        lean = size * 0.05 * t
        for side in (-1, 1):
            prism = [(x + side * size * 0.2, y0 + lean * 0.2), (x + side * size * 0.7, y0 - lean),
                (x + side * size * 0.7, (y0 + y1) / 2 - lean), (x + side * size * 0.2,
                (y0 + y1) / 2)]  # fmt: skip
            layer.atop(prism, (*tint(warm if lit else edge, 0.55), 130), smooth=False)
            layer.atop_stroke([(x, y1), (x + side * size * 0.7, y1 - lean)], (*shade(edge, 0.55), 170),
                (0.004, 0.006), smooth=False)  # fmt: skip
    eye = mix(warm, (255, 255, 255), 0.35)
    for r in (0.40, 0.33, 0.26):
        layer.dot(x, y, size * r * 0.92, size * r, (*tint(warm, 0.2 + (0.4 - r) * 3), 120),
            (*shade(warm, 0.45), 255), 0.004)  # fmt: skip
    layer.dot(x, y, size * 0.15, size * 0.17, eye, shade(warm, 0.3), 0.003)
    if lit:
        layer.atop([(x, y - size * 0.4), (x + size * 0.36, y), (x, y + size * 0.4), (x - size * 0.36, y)],
            (255, 255, 244, 235), blur=size * 0.09)  # fmt: skip
    glass.merge(layer)
    for dx in (-0.62, -0.3, 0.3, 0.62):
        glass.line([(x + size * dx * 0.58, y - size * 0.96), (x + size * dx, y - size * 0.4),
            (x + size * dx * 1.05, y), (x + size * dx, y + size * 0.4), (x + size * dx * 0.58, y + size)],
                   shade(_BRASS, 0.62), 0.009)  # fmt: skip
    for yy, w in ((-1.0, 0.42), (1.0, 0.44)):
        sheet.box_area(x - size * w, y + size * yy - 0.022, x + size * w, y + size * yy + 0.022, _BRASS,
            ink(_BRASS), 0.004)  # fmt: skip
    sheet.area([(x - size * 0.34, y + size), (x + size * 0.34, y + size), (x + size * 0.5, 1.2),
        (x - size * 0.5, 1.2)], shade(_BRASS, 0.45), ink(_BRASS), 0.004, smooth=False)  # fmt: skip
    for i in range(5):
        sheet.box_area(x - size * 0.3 + size * 0.14 * i, y + size + 0.04, x - size * 0.27 + size * 0.14 * i,
            1.2, shade(_BRASS, 0.15))  # fmt: skip
    if lit:
        stage.lamp(x, y, 0.95, (255, 226, 150), 0.8)
        stage.lamp(x, y, 0.40, (255, 244, 206), 0.8)
        # The lens turns: its beams sweep the night outside.
        stage.beam = Lit(x, y, 0.8)


def gallery(stage: Stage) -> None:
    """The iron gallery high over the sea, with the tower's red lamp house at the side."""
    a = stage.aspect
    stage.horizon = 0.60
    h = stage.horizon
    paint_sky(stage, 1.2)
    props.hills(stage, 0.15, h + 0.004, 0.07, (102, 118, 140), 3)
    props.sea(stage, 0.4, h, 1.1, (70, 122, 156))
    for x, size in ((0.36, 0.035), (0.62, 0.05)):
        props.boat(stage, 0.42, a * x, h + 0.03 + size, size, (120, 84, 84))
    tower = stage.plane(0.85)
    white, red = (238, 230, 220), (192, 66, 58)
    x = a * 0.90
    tower.box_area(x, -0.5, stage.right, 1.4, white, ink(red), 0.006)
    tower.box_area(x, -0.5, stage.right, 0.12, red)
    tower.box_area(x + 0.04, 0.2, x + 0.24, 0.62, _IRON)
    pane = rectangle(x + 0.06, 0.22, x + 0.22, 0.60)
    tower.area(pane, (176, 206, 216), smooth=False)
    if stage.light.lamps > 0.1:
        stage.lit(0.85).gradient(pane, [(0.22, (255, 240, 186)), (0.6, (255, 206, 120))])
        stage.lamp(x + 0.14, 0.4, 0.5, WARM, 0.85)
    tower.box_area(x - 0.02, 0.12, stage.right, 0.15, shade(red, 0.3))
    floor = (104, 102, 118)
    stage.strip(0.95, 0.86, 1.5, floor)
    deck = stage.plane(0.95)
    for i in range(-20, 21):
        deck.line([(a / 2 + i * 0.10, 0.86), (a / 2 + i * 0.22, 1.4)], shade(floor, 0.35),
            0.004, smooth=False)  # fmt: skip
    props.railing(stage, 0.95, 0.87, 0.25, (74, 70, 90), 0.12)


def observatory(stage: Stage) -> None:
    """Under a dome open to the stars: the telescope, star charts and a spiral stair."""
    a = stage.aspect
    stage.horizon = 0.9
    paint_sky(stage, 0.4)
    stage.indoors = True
    dome = (92, 96, 122)
    sheet = stage.plane(0.5)
    sheet.box_area(stage.left, -0.5, stage.right, 1.5, dome)
    sheet.cut([(a * 0.42, -0.5), (a * 0.70, -0.5), (a * 0.66, 0.30), (a * 0.60, 0.52), (a * 0.50, 0.52),
        (a * 0.44, 0.30)], smooth=False)  # fmt: skip
    for i in range(-9, 10):
        if -1 <= i <= 2:
            continue
        x = a * 0.55 + i * 0.16
        sheet.line([(a * 0.55 + i * 0.22, -0.5), (x, 0.3), (x * 0.9 + a * 0.055, 0.8)], shade(dome, 0.3),
            0.007)  # fmt: skip
    for y in (0.12, 0.38, 0.62):
        for x0, x1 in ((stage.left, a * 0.43), (a * 0.67, stage.right)):
            sheet.box_area(x0, y, x1, y + 0.008, shade(dome, 0.3))
    stage.strip(0.55, 0.78, 1.5, (120, 92, 80))
    for i in range(6):
        stage.plane(0.55).box_area(stage.left, 0.8 + 0.03 * i * (1 + 0.3 * i),
            stage.right, 0.804 + 0.03 * i * (1 + 0.3 * i), (92, 66, 62))  # fmt: skip
    scope = stage.plane(0.8)
    tube = (222, 216, 204)
    c, s = math.cos(math.radians(-52)), math.sin(math.radians(-52))

    def at(u: float, v: float) -> tuple[float, float]:
        return a * 0.30 + u * c - v * s, 0.62 + u * s + v * c

    scope.area([(a * 0.30 - 0.03, 0.62), (a * 0.30 + 0.05, 0.62), (a * 0.30 + 0.16, 1.1),
        (a * 0.30 - 0.14, 1.1)], _IRON, ink(_IRON), 0.005, smooth=False)  # fmt: skip
    scope.area([at(-0.22, -0.05), at(0.5, -0.075), at(0.5, 0.075), at(-0.22, 0.05)], tube, ink(tube),
        0.006, smooth=False)  # fmt: skip
    scope.area([at(-0.2, 0.01), at(0.5, 0.015), at(0.5, 0.07), at(-0.2, 0.045)], shade(tube, 0.26),
        smooth=False)  # fmt: skip
    for u in (-0.12, 0.14, 0.42):
        scope.area([at(u, -0.078), at(u + 0.04, -0.078), at(u + 0.04, 0.078), at(u, 0.078)],
            _BRASS, ink(_BRASS), 0.004, smooth=False)  # fmt: skip
    scope.area([at(-0.32, -0.025), at(-0.22, -0.03), at(-0.22, 0.03), at(-0.32, 0.025)],
        _BRASS, ink(_BRASS), 0.004, smooth=False)  # fmt: skip
    chart = stage.plane(0.6)
    chart.box_area(a * 0.80, 0.22, a * 0.80 + 0.34, 0.54, (54, 66, 112), (196, 164, 104), 0.012)
    for _ in range(26):
        chart.dot(a * 0.80 + float(stage.rng.uniform(0.03, 0.31)), float(stage.rng.uniform(0.25, 0.51)),
            0.003, fill=(240, 236, 206))  # fmt: skip
    chart.dot(a * 0.80 + 0.17, 0.38, 0.1, fill=None, line=(214, 196, 140), weight=0.003)
    chart.box_area(a * 0.86, 0.66, a * 0.86 + 0.012, 0.78, (70, 52, 50))
    stage.lit(0.6).dot(a * 0.86 + 0.006, 0.63, 0.03, 0.04, (255, 224, 150))
    stage.lamp(a * 0.86, 0.63, 0.5, WARM, 0.6)
