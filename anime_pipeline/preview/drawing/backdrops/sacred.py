"""The shrine and its stairs in the forest."""

from __future__ import annotations

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.nature import CEDAR, leaves_in_front, snowy, woods
from anime_pipeline.preview.drawing.backdrops.stage import WARM, Stage
from anime_pipeline.preview.drawing.colours import ink, shade, tint
from anime_pipeline.preview.drawing.pen import rectangle

VERMILION = (206, 74, 52)


def torii(stage: Stage, depth: float, x: float, ground: float, h: float) -> None:
    """A gate: two pillars, two beams, a tablet and a straw rope."""
    sheet = stage.plane(depth)
    line, dark = ink(VERMILION), shade(VERMILION, 0.3)
    weight = max(0.003, h * 0.008)
    for side in (-1, 1):
        foot, head = x + side * h * 0.44, x + side * h * 0.40
        w = h * 0.042
        sheet.area([(foot - w, ground), (head - w, ground - h), (head + w, ground - h), (foot + w, ground)],
            VERMILION, line, weight, smooth=False)  # fmt: skip
        sheet.area([(foot + w * 0.1, ground), (head + w * 0.1, ground - h), (head + w * 0.9, ground - h),
            (foot + w * 0.9, ground)], dark, smooth=False)  # fmt: skip
        sheet.box_area(foot - w * 1.3, ground - h * 0.09, foot + w * 1.3, ground, (50, 44, 54))
    sheet.box_area(x - h * 0.5, ground - h * 0.78, x + h * 0.5, ground - h * 0.71, VERMILION, line, weight)
    sheet.area([(x - h * 0.66, ground - h * 1.07), (x, ground - h * 1.02),
        (x + h * 0.66, ground - h * 1.07), (x + h * 0.62, ground - h * 0.94), (x, ground - h * 0.91),
        (x - h * 0.62, ground - h * 0.94)],
               VERMILION, line, weight)  # fmt: skip
    sheet.area([(x - h * 0.68, ground - h * 1.11), (x, ground - h * 1.06),
        (x + h * 0.68, ground - h * 1.11), (x + h * 0.66, ground - h * 1.05), (x, ground - h * 1.0),
        (x - h * 0.66, ground - h * 1.05)],
               (52, 44, 54))  # fmt: skip
    sheet.box_area(x - h * 0.05, ground - h * 0.92, x + h * 0.05, ground - h * 0.77, (60, 70, 84), (212, 170,
        84), weight * 1.4)  # fmt: skip


def stone_lantern(stage: Stage, depth: float, x: float, ground: float, h: float) -> None:
    """A stone lantern with a small flame by night."""
    sheet = stage.plane(depth)
    stone = (142, 144, 140)
    line = ink(stone)
    weight = max(0.0025, h * 0.014)
    for (w0, w1, y0, y1) in ((0.22, 0.18, 0.0, 0.08), (0.08, 0.07, 0.08, 0.48), (0.2, 0.24, 0.48, 0.56),
        (0.15, 0.15, 0.56, 0.76)):  # fmt: skip
        sheet.area([(x - h * w0, ground - h * y0), (x + h * w0, ground - h * y0),
            (x + h * w1, ground - h * y1), (x - h * w1, ground - h * y1)],
            stone, line, weight, smooth=False)  # fmt: skip
        sheet.area([(x + h * w0 * 0.3, ground - h * y0), (x + h * w0 * 0.9, ground - h * y0),
            (x + h * w1 * 0.9, ground - h * y1), (x + h * w1 * 0.3, ground - h * y1)], shade(stone, 0.26),
            smooth=False)  # fmt: skip
    sheet.area([(x - h * 0.3, ground - h * 0.76), (x - h * 0.08, ground - h * 0.94), (x, ground - h * 1.02),
        (x + h * 0.08, ground - h * 0.94), (x + h * 0.3, ground - h * 0.76)],
               snowy(stage, shade(stone, 0.1)), line, weight, smooth=False)  # fmt: skip
    hole = rectangle(x - h * 0.08, ground - h * 0.73, x + h * 0.08, ground - h * 0.59)
    sheet.area(hole, (58, 54, 62), smooth=False)
    if stage.light.lamps > 0.3:
        stage.lit(depth).gradient(hole, [(ground - h * 0.73, (255, 232, 160)),
            (ground - h * 0.59, (250, 170, 84))])  # fmt: skip
        stage.lamp(x, ground - h * 0.66, h * 1.5, WARM, depth)


def stairs(stage: Stage) -> None:
    """Stone steps that climb between cedars and lanterns to the gate."""
    woods(stage)
    a, h = stage.aspect, stage.horizon
    middle = a * 0.5
    bank = snowy(stage, (82, 104, 74))
    sheet = stage.plane(0.7)
    sheet.area([(stage.left, h + 0.05), (middle - 0.5, h - 0.08), (middle, h - 0.14),
        (middle + 0.5, h - 0.08), (stage.right, h + 0.05), (stage.right, 1.5), (stage.right, 1.5),
        (stage.left, 1.5), (stage.left, 1.5)], bank)  # fmt: skip
    torii(stage, 0.75, middle, h - 0.10, 0.46)
    for side in (-1, 1):
        stage.lamp(middle + side * 0.2, h - 0.16, 0.30, (255, 150, 84), 0.75)
    steps = stage.plane(1.0)
    top, bottom, count = h - 0.10, 1.34, 17
    stone = snowy(stage, (146, 144, 146))
    for i in range(count):
        t0, t1 = (i / count) ** 1.55, ((i + 1) / count) ** 1.55
        y0, y1 = top + (bottom - top) * t0, top + (bottom - top) * t1
        w = 0.17 + 0.85 * t0
        tread = y0 + (y1 - y0) * 0.42
        steps.area([(middle - w, y0), (middle + w, y0), (middle + w + 0.01, tread),
            (middle - w - 0.01, tread)], tint(stone, 0.22), smooth=False)  # fmt: skip
        steps.box_area(middle - w - 0.01, tread, middle + w + 0.01, y1 + 0.002, shade(stone,
            0.12 + 0.05 * (i % 2)))  # fmt: skip
        steps.box_area(middle - w - 0.01, tread - 0.0015, middle + w + 0.01, tread + 0.0015 + 0.002 * t0,
            shade(stone, 0.5))  # fmt: skip
        for _ in range(3):
            x = middle + w * float(stage.rng.uniform(-0.95, 0.95))
            steps.box_area(x, tread, x + 0.002 + 0.002 * t0, y1, shade(stone, 0.42))
        if i % 4 == 3:
            steps.dot(middle - w * float(stage.rng.uniform(0.5, 0.95)), tread, 0.03 * (0.3 + t0),
                0.008 * (0.3 + t0), shade(CEDAR, 0.05))  # fmt: skip
    for t, tall in ((0.06, 0.13), (0.24, 0.24), (0.52, 0.40)):
        y = top + (bottom - top) * t
        w = 0.17 + 0.85 * t + 0.09 + 0.12 * t
        for side in (-1, 1):
            stone_lantern(stage, 0.9 if t < 0.5 else 1.0, middle + side * w, y, tall)
    props.tufts(stage, 0.9, h + 0.02, 1.06, 60, shade((96, 128, 84), 0.12), 0.035)
    leaves_in_front(stage)


def shrine(stage: Stage) -> None:
    """The hall with its curved roof behind the gate, lanterns along the path."""
    woods(stage)
    a, h = stage.aspect, stage.horizon
    middle = a * 0.5
    sheet = stage.plane(0.65)
    wood, roof = (122, 78, 62), (74, 96, 100)
    ground = h + 0.06
    sheet.box_area(middle - 0.36, h - 0.16, middle + 0.36, ground, (232, 218, 194), ink(wood), 0.004)
    for i in range(6):
        x = middle - 0.36 + 0.144 * i
        sheet.box_area(x - 0.012, h - 0.17, x + 0.012, ground, VERMILION)
    door = rectangle(middle - 0.13, h - 0.12, middle + 0.13, ground)
    sheet.area(door, wood, ink(wood), 0.004, smooth=False)
    if stage.light.lamps > 0.3:
        stage.lit(0.65).gradient(door, [(h - 0.12, (255, 220, 140)), (ground, (240, 152, 80))])
        stage.lamp(middle, h - 0.04, 0.5, WARM, 0.65)
    sheet.area([(middle - 0.56, h - 0.13), (middle - 0.56, h - 0.13), (middle - 0.34, h - 0.22),
        (middle - 0.2, h - 0.38), (middle + 0.2, h - 0.38), (middle + 0.34, h - 0.22),
        (middle + 0.56, h - 0.13), (middle + 0.56, h - 0.13), (middle, h - 0.17)],
               snowy(stage, roof), ink(roof), 0.005)  # fmt: skip
    sheet.box_area(middle - 0.22, h - 0.40, middle + 0.22, h - 0.375, shade(roof, 0.4))
    for side in (-1, 1):
        props.paper_lantern(stage, 0.65, middle + side * 0.2, h - 0.08, 0.032)
    court = snowy(stage, (178, 168, 148))
    stage.strip(0.9, ground, 1.4, court)
    path = stage.plane(0.95)
    path.area([(middle - 0.13, ground), (middle + 0.13, ground), (middle + 0.6, 1.4), (middle - 0.6, 1.4)],
        tint(court, 0.25), smooth=False)  # fmt: skip
    for i in range(10):
        y = ground + 0.02 * i * (1 + 0.35 * i)
        path.box_area(middle - 0.13 - (y - ground) * 0.6, y, middle + 0.13 + (y - ground) * 0.6, y + 0.003,
            shade(court, 0.2))  # fmt: skip
    torii(stage, 0.95, middle, h + 0.14, 0.62)
    for side in (-1, 1):
        stone_lantern(stage, 0.95, middle + side * 0.62, h + 0.17, 0.27)
    leaves_in_front(stage)
