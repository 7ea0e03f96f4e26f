"""Things that stand about in many places: hills, trees, houses, lamps, boats, fences, the lighthouse."""

from __future__ import annotations

import math

from anime_pipeline.preview.drawing.backdrops.stage import WARM, Lit, Stage, Water
from anime_pipeline.preview.drawing.colours import Rgb, hex_colour, ink, mix, shade, tint
from anime_pipeline.preview.drawing.pen import Point, rectangle

ROOFS = tuple(hex_colour(c) for c in ("#8c4a3f", "#4d5f7a", "#6d5a70", "#3f6a6a", "#a8694a"))
WALLS = tuple(hex_colour(c) for c in ("#e8dcc4", "#d9c2a5", "#c9cdd2", "#e6cfc2", "#b9c6c0"))


def hills(stage: Stage, depth: float, base: float, height: float, colour: Rgb, bumps: int = 5) -> None:
    """A line of hills that fills down to the bottom."""
    count = bumps * 2 + 1
    span = stage.right - stage.left
    points: list[Point] = [(stage.left - 0.2, 1.6), (stage.left - 0.2, 1.6)]
    for i in range(count):
        rise = height * (0.35 + 0.65 * float(stage.rng.uniform())) * (1.0 if i % 2 else 0.45)
        points.append((stage.left + span * i / (count - 1), base - rise))
    points += [(stage.right + 0.2, 1.6), (stage.right + 0.2, 1.6)]
    stage.plane(depth).area(points, colour)


def window(stage: Stage, depth: float, x: float, y: float, w: float, h: float, lit: bool) -> None:
    """A window with a cross; where it is lit it shines."""
    sheet = stage.plane(depth)
    frame = (74, 58, 62)
    sheet.box_area(x - w / 2 - 0.004, y - 0.004, x + w / 2 + 0.004, y + h + 0.004, frame)
    sheet.box_area(x - w / 2, y, x + w / 2, y + h, (118, 142, 166))
    sheet.area([(x - w / 2, y + h), (x - w / 2, y + h * 0.4), (x + w * 0.2, y), (x + w / 2, y)],
        (152, 178, 198), smooth=False)  # fmt: skip
    if lit and stage.light.lamps > 0.3:
        glass = stage.lit(depth)
        glass.gradient(rectangle(x - w / 2, y, x + w / 2, y + h), [(y, (255, 226, 150)),
            (y + h, (250, 176, 92))])  # fmt: skip
        stage.lamp(x, y + h / 2, max(w, h) * 2.0, WARM, depth)
        sheet = glass
    sheet.box_area(x - 0.002, y, x + 0.002, y + h, frame)
    sheet.box_area(x - w / 2, y + h * 0.48, x + w / 2, y + h * 0.48 + 0.004, frame)


def house(stage: Stage, depth: float, x: float, ground: float, w: float, h: float,
    shop: bool = False) -> None:  # fmt: skip
    """A gabled house with lit windows; a shop has an awning and a door."""
    rng = stage.rng
    sheet = stage.plane(depth)
    wall = WALLS[int(rng.integers(len(WALLS)))]
    roof = ROOFS[int(rng.integers(len(ROOFS)))]
    line = ink(wall)
    weight = 0.0035
    sheet.box_area(x, ground - h, x + w, ground, wall, line, weight)
    sheet.box_area(x + w * 0.72, ground - h, x + w - weight, ground, shade(wall, 0.2))
    over = w * 0.08
    peak = h * 0.30
    sheet.area([(x - over, ground - h + 0.012), (x + w * 0.18, ground - h - peak),
        (x + w * 0.82, ground - h - peak), (x + w + over, ground - h + 0.012)],
               roof, ink(roof), weight, smooth=False)  # fmt: skip
    for i in range(1, 4):
        y = ground - h - peak + (peak + 0.012) * i / 4
        sheet.line([(x + w * 0.18 * (1 - i / 4), y), (x + w * (1 - 0.18 * (1 - i / 4)), y)],
            shade(roof, 0.3), 0.003, smooth=False)  # fmt: skip
    rows = 1 if h < 0.24 or shop else 2
    columns = max(1, round(w / 0.13))
    for row in range(rows):
        for column in range(columns):
            wx = x + w * (column + 0.5) / columns
            wy = ground - h + h * (0.14 + 0.40 * row)
            window(stage, depth, wx, wy, min(0.06, w / columns * 0.5), h * 0.2, bool(rng.uniform() < 0.62))
    if shop:
        _shop_front(stage, depth, x, ground, w, h, roof)


def _shop_front(stage: Stage, depth: float, x: float, ground: float, w: float, h: float, colour: Rgb) -> None:
    sheet = stage.plane(depth)
    top = ground - h * 0.48
    wood = (104, 72, 56)
    sheet.box_area(x + w * 0.06, top, x + w * 0.94, ground, shade(wood, 0.2))
    pane = rectangle(x + w * 0.10, top + 0.02, x + w * 0.62, ground - h * 0.1)
    sheet.area(pane, (140, 160, 176), smooth=False)
    door = rectangle(x + w * 0.68, top + 0.02, x + w * 0.9, ground)
    sheet.area(door, wood, ink(wood), 0.003, smooth=False)
    if stage.light.lamps > 0.3:
        stage.lit(depth).gradient(pane, [(top, (255, 222, 140)), (ground, (244, 164, 84))])
        stage.lamp(x + w * 0.36, (top + ground) / 2, w * 0.9, WARM, depth)
        for i in range(3):
            bx = x + w * (0.18 + 0.16 * i)
            stage.lit(depth).box_area(bx, ground - h * 0.2, bx + w * 0.08, ground - h * 0.1, (150, 86, 52))
    teeth = 6
    for i in range(teeth):
        a, b = x - 0.01 + (w + 0.02) * i / teeth, x - 0.01 + (w + 0.02) * (i + 1) / teeth
        tone = colour if i % 2 else tint(colour, 0.7)
        sheet.area([(a, top - 0.05), (b, top - 0.05), (b, top + 0.012), ((a + b) / 2, top + 0.026),
            (a, top + 0.012)], tone, smooth=False)  # fmt: skip
    sheet.line([(x - 0.01, top - 0.05), (x + w + 0.01, top - 0.05)], ink(colour), 0.004, smooth=False)


def lamp_post(stage: Stage, depth: float, x: float, ground: float, h: float) -> None:
    """A street lamp."""
    sheet = stage.plane(depth)
    iron = (52, 54, 68)
    sheet.box_area(x - 0.006 * h / 0.4, ground - h, x + 0.006 * h / 0.4, ground, iron)
    sheet.area([(x - 0.03 * h, ground), (x + 0.03 * h, ground), (x + 0.015 * h, ground - 0.06 * h),
        (x - 0.015 * h, ground - 0.06 * h)], iron, smooth=False)  # fmt: skip
    r = 0.045 * h / 0.4
    sheet.area([(x - r * 0.6, ground - h), (x + r * 0.6, ground - h), (x + r * 0.85, ground - h - r * 1.7),
        (x - r * 0.85, ground - h - r * 1.7)],
               (196, 200, 196), ink(iron), 0.004, smooth=False)  # fmt: skip
    sheet.area([(x - r * 1.1, ground - h - r * 1.7), (x, ground - h - r * 2.5),
        (x + r * 1.1, ground - h - r * 1.7)], iron, smooth=False)  # fmt: skip
    if stage.light.lamps > 0.2:
        stage.lit(depth).area([(x - r * 0.55, ground - h), (x + r * 0.55, ground - h),
            (x + r * 0.78, ground - h - r * 1.65), (x - r * 0.78, ground - h - r * 1.65)],
                              (255, 240, 190), smooth=False)  # fmt: skip
        stage.lamp(x, ground - h - r * 0.8, 0.32 * h / 0.4, WARM, depth)


def paper_lantern(stage: Stage, depth: float, x: float, y: float, size: float, colour: Rgb = (226, 74,
    60)) -> None:  # fmt: skip
    """A hanging paper lantern."""
    sheet = stage.lit(depth) if stage.light.lamps > 0.3 else stage.plane(depth)
    paper = mix(colour, (255, 214, 130), 0.45) if stage.light.lamps > 0.3 else colour
    sheet.dot(x, y, size * 0.7, size, paper, ink(colour), 0.003)
    sheet.dot(x, y + size * 0.1, size * 0.36, size * 0.6, tint(paper, 0.4))
    for dy in (-0.98, 0.98):
        sheet.box_area(x - size * 0.36, y + dy * size - size * 0.12, x + size * 0.36,
            y + dy * size + size * 0.12, (44, 34, 40))  # fmt: skip
    stage.lamp(x, y, size * 6, mix(colour, WARM, 0.7), depth)


def tree(stage: Stage, depth: float, x: float, ground: float, h: float, leaf: Rgb) -> None:
    """A round-crowned tree."""
    sheet = stage.plane(depth)
    bark = (86, 62, 54)
    sheet.area([(x - h * 0.05, ground), (x - h * 0.03, ground - h * 0.5), (x + h * 0.03, ground - h * 0.5),
        (x + h * 0.06, ground)], bark, smooth=False)  # fmt: skip
    crown = sheet.layer()
    puffs = [(float(stage.rng.normal(0, 0.17)) * h, float(stage.rng.normal(0, 0.10)) * h,
        (0.15 + 0.1 * float(stage.rng.uniform())) * h) for _ in range(9)]  # fmt: skip
    for dx, dy, r in puffs:
        crown.dot(x + dx, ground - h * 0.66 + dy, r, r * 0.86, fill=shade(leaf, 0.25))
    for dx, dy, r in puffs:
        crown.atop([(x + dx - r, ground - h * 0.68 + dy), (x + dx, ground - h * 0.68 + dy - r),
            (x + dx + r * 0.7, ground - h * 0.70 + dy), (x + dx, ground - h * 0.66 + dy + r * 0.3)],
                   leaf)  # fmt: skip
    sheet.merge(crown)


def conifer(stage: Stage, depth: float, x: float, ground: float, h: float, leaf: Rgb) -> None:
    """A cedar: tiers of branches."""
    sheet = stage.plane(depth)
    sheet.area([(x - h * 0.03, ground), (x + h * 0.03, ground), (x + h * 0.01, ground - h * 0.9),
        (x - h * 0.01, ground - h * 0.9)], (74, 54, 50), smooth=False)  # fmt: skip
    for tier in range(5):
        y = ground - h * (0.16 + 0.17 * tier)
        w = h * (0.24 - 0.04 * tier)
        points = [(x - w, y), (x - w * 0.5, y - h * 0.07), (x, y - h * 0.24), (x, y - h * 0.24),
            (x + w * 0.5, y - h * 0.07), (x + w, y), (x, y - h * 0.03)]  # fmt: skip
        sheet.area(points, shade(leaf, 0.08 + 0.05 * (tier % 2)))
        sheet.area([(x - w, y), (x - w * 0.5, y - h * 0.07), (x, y - h * 0.24),
            (x - w * 0.2, y - h * 0.05)], tint(leaf, 0.08))  # fmt: skip


def trunk(stage: Stage, depth: float, x: float, w: float, ground: float, colour: Rgb) -> None:
    """A tall forest trunk that leaves the frame at the top."""
    sheet = stage.plane(depth)
    part = sheet.layer()
    part.area([(x - w * 0.5, -0.6), (x + w * 0.5, -0.6), (x + w * 0.56, ground - 0.15),
        (x + w * 0.9, ground + 0.02), (x - w * 0.9, ground + 0.02), (x - w * 0.56, ground - 0.15)],
              colour, smooth=False)  # fmt: skip
    part.atop(rectangle(x + w * 0.12, -0.6, x + w, ground + 0.1), shade(colour, 0.3), smooth=False)
    part.atop(rectangle(x - w * 0.5, -0.6, x - w * 0.36, ground), tint(colour, 0.2), smooth=False)
    for _ in range(6):
        y = float(stage.rng.uniform(-0.2, ground))
        dx = float(stage.rng.uniform(-0.3, 0.3)) * w
        part.atop_stroke([(x + dx, y), (x + dx * 1.1, y + 0.08)], shade(colour, 0.45), (0.0, w * 0.05, 0.0))
    sheet.merge(part)


def tufts(stage: Stage, depth: float, y0: float, y1: float, count: int, colour: Rgb,
    size: float = 0.03) -> None:  # fmt: skip
    """Tufts of grass."""
    sheet = stage.plane(depth)
    places = sorted((float(stage.rng.uniform(y0, y1)), float(stage.rng.uniform(stage.left,
        stage.right))) for _ in range(count))  # fmt: skip
    for y, x in places:
        s = size * (0.5 + (y - y0) / max(1e-6, y1 - y0))
        for lean in (-0.5, 0.0, 0.5):
            sheet.stroke([(x + lean * s * 0.3, y), (x + lean * s, y - s)], colour, (s * 0.28, 0.0),
                smooth=False)  # fmt: skip


def boat(stage: Stage, depth: float, x: float, y: float, size: float, hull: Rgb) -> None:
    """A fishing boat with a mast and a lamp."""
    sheet = stage.plane(depth)
    line = ink(hull)
    sheet.area([(x - size * 0.42, y - size * 0.42), (x + size * 0.06, y - size * 0.42),
        (x + size * 0.1, y - size * 0.1), (x - size * 0.44, y - size * 0.1)], (232, 226, 214),
        line, 0.003, smooth=False)  # fmt: skip
    window(stage, depth, x - size * 0.26, y - size * 0.34, size * 0.14, size * 0.14, True)
    sheet.box_area(x + size * 0.18, y - size * 1.05, x + size * 0.205, y - size * 0.1, (80, 66, 66))
    for end in (-0.6, 0.75):
        sheet.line([(x + size * 0.19, y - size * 1.03), (x + size * end, y - size * 0.14)], (70, 64, 74),
            0.002, smooth=False)  # fmt: skip
    sheet.area([(x - size * 0.62, y - size * 0.16), (x + size * 0.86, y - size * 0.2),
        (x + size * 0.6, y + size * 0.1), (x - size * 0.52, y + size * 0.1)],
        hull, line, 0.003, smooth=False)  # fmt: skip
    sheet.line([(x - size * 0.6, y - size * 0.09), (x + size * 0.8, y - size * 0.12)], tint(hull, 0.6),
        size * 0.035, smooth=False)  # fmt: skip
    stage.lamp(x + size * 0.19, y - size * 1.04, size * 0.5, WARM, depth)


def lighthouse(stage: Stage, depth: float, x: float, ground: float, h: float) -> None:
    """The tower with red bands, gallery and lamp; by night it gives the stage its beam."""
    sheet = stage.plane(depth)
    white, red = (240, 234, 224), (196, 66, 58)
    w0, w1 = h * 0.15, h * 0.10
    top = ground - h * 0.8
    tower = sheet.layer()
    body = [(x - w0, ground), (x - w1, top), (x + w1, top), (x + w0, ground)]
    tower.area(body, white, smooth=False)
    for band in (0.08, 0.42, 0.74):
        tower.atop(rectangle(x - h, top + h * band, x + h, top + h * (band + 0.13)), red, smooth=False)
    tower.atop([(x + w1 * 0.25, top), (x + h, top), (x + h, ground), (x + w0 * 0.2, ground)],
        (*shade(white, 0.55), 105), smooth=False)  # fmt: skip
    tower.area(body, None, ink(red), max(0.003, h * 0.008), smooth=False)
    sheet.merge(tower)
    for i in range(2):
        window(stage, depth, x - w1 * 0.1, top + h * (0.26 + 0.3 * i), h * 0.05, h * 0.07, True)
    iron = (58, 56, 72)
    sheet.box_area(x - w1 * 1.5, top - h * 0.02, x + w1 * 1.5, top + h * 0.012, iron)
    for i in range(7):
        px = x - w1 * 1.4 + w1 * 2.8 * i / 6
        sheet.box_area(px - h * 0.004, top - h * 0.075, px + h * 0.004, top, iron)
    sheet.box_area(x - w1 * 1.45, top - h * 0.078, x + w1 * 1.45, top - h * 0.066, iron)
    sheet.box_area(x - w1 * 0.72, top - h * 0.15, x + w1 * 0.72, top - h * 0.02, (170, 196, 206))
    sheet.area([(x - w1 * 0.95, top - h * 0.15), (x, top - h * 0.235), (x + w1 * 0.95, top - h * 0.15)],
        red, ink(red), max(0.002, h * 0.006))  # fmt: skip
    sheet.dot(x, top - h * 0.235, h * 0.014, fill=iron)
    if stage.light.lamps > 0.3:
        stage.lit(depth).box_area(x - w1 * 0.66, top - h * 0.145, x + w1 * 0.66, top - h * 0.03, (255, 244,
            196))  # fmt: skip
        stage.lamp(x, top - h * 0.09, h * 0.42, (255, 236, 170), depth)
        stage.beam = Lit(x, top - h * 0.09, depth)


def railing(stage: Stage, depth: float, y: float, h: float, colour: Rgb, gap: float = 0.11) -> None:
    """A railing across the picture."""
    sheet = stage.plane(depth)
    for i in range(math.ceil((stage.right - stage.left) / gap)):
        x = stage.left + gap * i
        sheet.box_area(x - 0.006, y - h, x + 0.006, y, colour)
    for share, weight in ((1.0, 0.016), (0.55, 0.008), (0.2, 0.008)):
        sheet.box_area(stage.left, y - h * share - weight / 2, stage.right, y - h * share + weight / 2,
            colour)  # fmt: skip
        sheet.box_area(stage.left, y - h * share - weight / 2, stage.right, y - h * share - weight / 4,
            tint(colour, 0.3))  # fmt: skip


def sea(stage: Stage, depth: float, y0: float, y1: float, colour: Rgb = (62, 122, 158)) -> None:
    """Water with rows of waves and the light's road upon it."""
    sheet = stage.plane(depth)
    sheet.gradient(rectangle(stage.left, y0, stage.right, y1), [(y0, tint(colour, 0.28)),
        (y0 + (y1 - y0) * 0.4, colour), (y1, shade(colour, 0.25))])  # fmt: skip
    rows = 9
    for row in range(rows):
        y = y0 + (y1 - y0) * ((row + 0.5) / rows) ** 1.5
        size = 0.02 + 0.09 * row / rows
        for _ in range(round(11 - row * 0.6)):
            x = float(stage.rng.uniform(stage.left, stage.right))
            tone = tint(colour, 0.35) if stage.rng.uniform() < 0.55 else shade(colour, 0.28)
            sheet.stroke([(x - size, y), (x, y - size * 0.10), (x + size, y)], tone, (0.0, size * 0.10, 0.0))
    if stage.light.sun is not None:
        x = stage.light.sun[0] * stage.aspect
        glare = tint(stage.light.haze, 0.4) if not stage.light.moon else (220, 230, 255)
        rng = stage.chance("light on the water")
        for row in range(16):
            y = y0 + (y1 - y0) * (row / 16) ** 1.2
            w = (0.03 + 0.09 * row / 16) * float(rng.uniform(0.4, 1.1))
            dx = float(rng.normal(0, 0.012 + 0.02 * row / 16))
            stage.lit(depth).stroke([(x + dx - w, y), (x + dx + w, y)], (*glare, 170),
                (0.0, 0.004 + 0.005 * row / 16, 0.0), smooth=False)  # fmt: skip
    stage.water = Water(y0, y1, depth)
