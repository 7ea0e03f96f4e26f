"""Rooms: classroom, bedroom, kitchen, cafe, and a train's carriage. A window shows the hour outside."""

from __future__ import annotations

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.sky import paint_sky
from anime_pipeline.preview.drawing.backdrops.stage import Stage
from anime_pipeline.preview.drawing.backdrops.town import counter, hanging_lamp
from anime_pipeline.preview.drawing.colours import Rgb, ink, mix, shade, tint
from anime_pipeline.preview.drawing.pen import rectangle


def _room(stage: Stage, wall: Rgb, floor: Rgb, panes: tuple[tuple[float, float, float, float], ...],
    skirting: float = 0.84) -> None:  # fmt: skip
    """Walls with window holes, a floor with boards and the light that falls in."""
    paint_sky(stage, 0.8)
    props.hills(stage, 0.15, 0.6, 0.14, (104, 132, 120), 5)
    stage.indoors = True
    sheet = stage.plane(0.6)
    sheet.box_area(stage.left, -0.5, stage.right, skirting, wall)
    sheet.box_area(stage.left, skirting - 0.025, stage.right, skirting, shade(wall, 0.4))
    sheet.box_area(stage.left, skirting, stage.right, 1.5, floor)
    for i in range(7):
        y = skirting + 0.022 * i * (1 + 0.35 * i)
        sheet.box_area(stage.left, y, stage.right, y + 0.003 + 0.001 * i, shade(floor, 0.26))
    for x0, y0, x1, y1 in panes:
        sheet.box_area(x0 - 0.02, y0 - 0.02, x1 + 0.02, y1 + 0.02, (240, 232, 216), ink(wall), 0.004)
        sheet.cut(rectangle(x0, y0, x1, y1), smooth=False)
        sheet.box_area((x0 + x1) / 2 - 0.006, y0, (x0 + x1) / 2 + 0.006, y1, (240, 232, 216))
        sheet.box_area(x0, (y0 + y1) / 2 - 0.005, x1, (y0 + y1) / 2 + 0.005, (240, 232, 216))
        sheet.box_area(x0 - 0.035, y1 + 0.02, x1 + 0.035, y1 + 0.04, shade((240, 232, 216), 0.14))
        if stage.light.lamps < 0.6 and not stage.wet:
            lean, fall = 0.22, skirting + 0.2
            beam = [(x0 + lean * 0.6, skirting + 0.03), (x1 + lean * 0.6, skirting + 0.03),
                (x1 + lean, fall), (x0 + lean, fall)]  # fmt: skip
            sheet.area(beam, (*tint(floor, 0.55), 150), smooth=False)
    if stage.light.lamps >= 0.6:
        hanging_lamp(stage, stage.aspect * 0.5, 0.05)


def _curtain(stage: Stage, x: float, y0: float, y1: float, w: float, colour: Rgb) -> None:
    sheet = stage.plane(0.65)
    sheet.area([(x - w, y0), (x + w, y0), (x + w * 0.7, (y0 + y1) / 2), (x + w * 0.9, y1),
        (x - w * 0.9, y1), (x - w * 0.7, (y0 + y1) / 2)], colour, ink(colour), 0.004)  # fmt: skip
    for dx in (-0.4, 0.1, 0.5):
        sheet.stroke([(x + w * dx, y0), (x + w * dx * 0.8, y1)], shade(colour, 0.28), (0.002, 0.01, 0.003),
            smooth=False)  # fmt: skip


def classroom(stage: Stage) -> None:
    """Windows on the left, a blackboard, rows of desks."""
    a = stage.aspect
    _room(stage, (232, 222, 196), (178, 138, 98), tuple((x, 0.16, x + 0.34, 0.56) for x in (-0.3, 0.12,
        0.54)))  # fmt: skip
    sheet = stage.plane(0.62)
    board = rectangle(a * 0.60, 0.18, a * 0.60 + 0.78, 0.56)
    sheet.area(board, (54, 96, 82), (122, 86, 58), 0.02, smooth=False)
    for i in range(5):
        y = 0.24 + 0.055 * i
        sheet.stroke([(a * 0.64, y), (a * 0.64 + float(stage.rng.uniform(0.15, 0.5)), y + 0.004)],
            (206, 222, 210), (0.004, 0.006, 0.003))  # fmt: skip
    desks = stage.plane(0.85)
    for i in range(5):
        x, y = -0.2 + 0.5 * i, 0.83
        wood = (196, 150, 102)
        desks.area([(x, y), (x + 0.3, y), (x + 0.33, y + 0.05), (x - 0.03, y + 0.05)], wood, ink(wood),
            0.004, smooth=False)  # fmt: skip
        for leg in (x, x + 0.29):
            desks.box_area(leg, y + 0.05, leg + 0.012, 1.2, (108, 112, 122))


def bedroom(stage: Stage) -> None:
    """A bed, a shelf of books, a curtain at the window and a small lamp."""
    a = stage.aspect
    _room(stage, (216, 198, 196), (166, 122, 92), ((a * 0.36, 0.14, a * 0.36 + 0.46, 0.54),))
    for x in (a * 0.36 - 0.03, a * 0.36 + 0.49):
        _curtain(stage, x, 0.09, 0.62, 0.07, (136, 160, 176))
    sheet = stage.plane(0.8)
    quilt = (120, 138, 186)
    sheet.box_area(a * 0.66, 0.66, a * 0.66 + 1.0, 0.98, (142, 100, 74), ink(quilt), 0.005)
    sheet.area([(a * 0.66, 0.66), (a * 0.72, 0.60), (a + 0.5, 0.58), (a + 0.5, 0.9), (a * 0.66, 0.9)],
        quilt, ink(quilt), 0.005)  # fmt: skip
    for i in range(5):
        sheet.line([(a * 0.7 + 0.15 * i, 0.62), (a * 0.69 + 0.15 * i, 0.88)], tint(quilt, 0.3), 0.006)
    sheet.area([(a * 0.68, 0.62), (a * 0.69, 0.54), (a * 0.80, 0.54), (a * 0.82, 0.62)], (246, 242, 234),
        ink((200, 200, 200)), 0.004)  # fmt: skip
    _shelf(stage, a * 0.02, 0.20, 0.42)
    sheet.box_area(a * 0.03, 0.68, a * 0.03 + 0.3, 1.1, (150, 106, 76), ink(quilt), 0.005)
    _table_lamp(stage, a * 0.03 + 0.15, 0.68)


def _shelf(stage: Stage, x: float, y: float, w: float) -> None:
    sheet = stage.plane(0.7)
    for row in range(2):
        top = y + 0.17 * row
        at = x
        while at < x + w - 0.03:
            book = mix((190, 86, 70), (74, 112, 150), float(stage.rng.uniform()))
            thick, tall = float(stage.rng.uniform(0.016, 0.034)), float(stage.rng.uniform(0.08, 0.12))
            sheet.box_area(at, top + 0.13 - tall, at + thick, top + 0.13, book, ink(book), 0.002)
            at += thick
        sheet.box_area(x - 0.02, top + 0.13, x + w + 0.02, top + 0.147, (128, 88, 62))


def _table_lamp(stage: Stage, x: float, y: float) -> None:
    sheet = stage.plane(0.8)
    sheet.box_area(x - 0.006, y - 0.1, x + 0.006, y, (120, 92, 70))
    shape = [(x - 0.03, y - 0.18), (x + 0.03, y - 0.18), (x + 0.06, y - 0.09), (x - 0.06, y - 0.09)]
    target = stage.lit(0.8) if stage.light.lamps > 0.3 else sheet
    target.area(shape, (255, 222, 150), (150, 104, 70), 0.004, smooth=False)
    stage.lamp(x, y - 0.13, 0.4, depth=0.8)


def kitchen(stage: Stage) -> None:
    """Tiles, cupboards, pots over a stove, a window over the sink."""
    a = stage.aspect
    _room(stage, (226, 220, 204), (186, 152, 118), ((a * 0.42, 0.2, a * 0.42 + 0.4, 0.5),))
    sheet = stage.plane(0.65)
    for i in range(30):
        sheet.box_area(stage.left + 0.09 * i, 0.54, stage.left + 0.09 * i + 0.003, 0.72, (190, 184, 172))
    for y in (0.54, 0.6, 0.66):
        sheet.box_area(stage.left, y, stage.right, y + 0.003, (190, 184, 172))
    for x in (-0.4, -0.1, 0.2, a * 0.42 + 0.5, a * 0.42 + 0.8):
        cup = (126, 158, 146)
        sheet.box_area(x, 0.02, x + 0.29, 0.30, cup, ink(cup), 0.004)
        sheet.box_area(x + 0.03, 0.05, x + 0.26, 0.27, tint(cup, 0.12), shade(cup, 0.4), 0.003)
        sheet.dot(x + 0.24, 0.24, 0.01, fill=(226, 196, 120))
    for i in range(4):
        x = a * 0.42 + 0.55 + 0.14 * i
        sheet.line([(x, 0.34), (x, 0.40)], (60, 56, 66), 0.004, smooth=False)
        sheet.dot(x, 0.45, 0.05, fill=(178, 106, 70), line=(70, 40, 40), weight=0.004)
    counter(stage, 0.73, (156, 118, 88))
    kettle = stage.plane(0.8)
    kettle.dot(a * 0.18, 0.66, 0.055, 0.05, (104, 116, 132), (38, 38, 50), 0.004)
    kettle.line([(a * 0.18 - 0.04, 0.63), (a * 0.18, 0.57), (a * 0.18 + 0.04, 0.63)], (38, 38, 50), 0.008)


def cafe(stage: Stage) -> None:
    """Wide windows, a menu board, plants and pendant lamps over small tables."""
    a = stage.aspect
    _room(stage, (178, 132, 104), (128, 90, 70), ((a * 0.08, 0.16, a * 0.08 + 0.5, 0.62),
        (a * 0.5, 0.16, a * 0.5 + 0.5, 0.62)))  # fmt: skip
    sheet = stage.plane(0.66)
    sheet.box_area(a * 0.88, 0.2, a * 0.88 + 0.26, 0.52, (50, 54, 58), (196, 150, 102), 0.012)
    for i in range(5):
        sheet.stroke([(a * 0.9, 0.26 + 0.05 * i), (a * 0.9 + 0.16, 0.26 + 0.05 * i)], (226, 220, 204),
            (0.005, 0.006, 0.004))  # fmt: skip
    for x in (0.03, 0.47):
        for i in range(7):
            lean = (i - 3) * 0.035
            sheet.stroke([(a * x, 0.66), (a * x + lean * 0.6, 0.56), (a * x + lean, 0.5 + abs(lean))],
                (88, 132, 88), (0.006, 0.022, 0.0))  # fmt: skip
        sheet.area([(a * x - 0.045, 0.66), (a * x + 0.045, 0.66), (a * x + 0.03, 0.74),
            (a * x - 0.03, 0.74)], (196, 112, 82), (70, 44, 44), 0.004, smooth=False)  # fmt: skip
    for x in (0.2, 0.5, 0.8):
        hanging_lamp(stage, a * x, 0.06)
    table = stage.plane(0.85)
    for x in (0.12, 0.9):
        table.dot(a * x, 0.84, 0.2, 0.035, (206, 168, 124), (70, 46, 44), 0.005)
        table.box_area(a * x - 0.012, 0.86, a * x + 0.012, 1.3, (70, 52, 54))


def train(stage: Stage) -> None:
    """A carriage: a row of windows with the land going by, seats, straps and a luggage rack."""
    a = stage.aspect
    panes = tuple((x, 0.18, x + 0.46, 0.54) for x in (-0.42, 0.10, 0.62, 1.14, 1.66))
    _room(stage, (206, 198, 178), (132, 126, 128), panes, 0.9)
    sheet = stage.plane(0.75)
    seat = (76, 124, 118)
    sheet.box_area(stage.left, 0.64, stage.right, 0.86, seat, ink(seat), 0.005)
    sheet.box_area(stage.left, 0.80, stage.right, 0.92, tint(seat, 0.12), ink(seat), 0.005)
    for i in range(9):
        sheet.box_area(stage.left + 0.34 * i, 0.64, stage.left + 0.34 * i + 0.006, 0.82, shade(seat, 0.35))
    sheet.box_area(stage.left, 0.10, stage.right, 0.118, (150, 152, 158))
    for i in range(14):
        x = stage.left + 0.2 * i
        sheet.line([(x, -0.1), (x, 0.2)], (196, 186, 166), 0.008, smooth=False)
        sheet.dot(x, 0.225, 0.026, fill=None, line=(238, 232, 216), weight=0.01)
    stage.lit(0.75).box_area(stage.left, 0.01, stage.right, 0.03, (255, 248, 224))
    stage.lamp(a * 0.5, 0.02, 0.7, (255, 240, 200), 0.75)
