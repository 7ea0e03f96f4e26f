"""Forest, hill, field, sky and the landscape for words that nobody knows."""

from __future__ import annotations

from dataclasses import replace

from anime_pipeline.preview.drawing.backdrops import props
from anime_pipeline.preview.drawing.backdrops.sky import paint_sky
from anime_pipeline.preview.drawing.backdrops.stage import Stage
from anime_pipeline.preview.drawing.colours import Rgb, mix, shade, tint
from anime_pipeline.preview.drawing.light import Light
from anime_pipeline.preview.drawing.pen import Point, rectangle

LEAF: Rgb = (78, 128, 88)
CEDAR: Rgb = (52, 98, 84)


def snowy(stage: Stage, colour: Rgb) -> Rgb:
    """Ground under snow where it snows."""
    return mix(colour, (236, 242, 250), 0.75) if "snow" in stage.weather else colour


def forest(stage: Stage) -> None:
    """Cedars in the distance, tall trunks nearby, light between them and a path."""
    woods(stage)
    a, h = stage.aspect, stage.horizon
    ground = snowy(stage, (92, 106, 74))
    sheet = stage.plane(1.0)
    sheet.area([(stage.left, h + 0.10), (a * 0.5, h + 0.07), (stage.right, h + 0.11), (stage.right, 1.5),
        (stage.right, 1.5), (stage.left, 1.5), (stage.left, 1.5)], ground)  # fmt: skip
    path = snowy(stage, (158, 134, 104))
    sheet.atop([(a * 0.49, h + 0.05), (a * 0.53, h + 0.05), (a * 0.60, 0.82), (a * 0.86, 1.4),
        (a * 0.12, 1.4), (a * 0.42, 0.84)], path)  # fmt: skip
    props.tufts(stage, 1.0, h + 0.1, 1.08, 40, shade(LEAF, 0.1), 0.035)
    leaves_in_front(stage)


def woods(stage: Stage) -> None:
    """The trees alone: what stands behind forest, shrine and stairs."""
    a, h = stage.aspect, stage.horizon
    trunks = []
    for depth, count, w in ((0.6, 7, 0.05), (0.8, 5, 0.085)):
        for i in range(count):
            x = stage.left + (stage.right - stage.left) * (i + float(stage.rng.uniform(0.15, 0.85))) / count
            if abs(x - a / 2) > (0.24 if depth < 0.7 else 0.5):
                trunks.append((depth, x, w * float(stage.rng.uniform(0.8, 1.2))))
    stage.light = _light_between(stage.light, [(x, w) for _, x, w in trunks], a)
    paint_sky(stage, 0.3)
    props.hills(stage, 0.2, h, 0.24, (86, 124, 110), 6)
    for depth, tall, count in ((0.3, 0.42, 16), (0.45, 0.6, 11)):
        for i in range(count):
            x = stage.left + (stage.right - stage.left) * (i + float(stage.rng.uniform(0.1, 0.9))) / count
            props.conifer(stage, depth, x, h + 0.06, tall * float(stage.rng.uniform(0.75, 1.1)),
                snowy(stage, CEDAR))  # fmt: skip
    for depth, x, w in trunks:
        props.trunk(stage, depth, x, w, h + 0.10 + 0.06 * depth, (112, 84, 70))


def _light_between(light: Light, trunks: list[tuple[float, float]], aspect: float) -> Light:
    """The light with its sun or moon in the nearest gap between trunks (middle and width of each).

    A trunk in the haze is as dark as the sky: a moon behind it would look cut off.
    """
    if light.sun is None:
        return light
    x, y = light.sun[0] * aspect, light.sun[1]
    for step in range(40):
        for place in (x - 0.01 * step, x + 0.01 * step):
            if all(abs(place - middle) > w / 2 + 0.09 for middle, w in trunks):
                return replace(light, sun=(place / aspect, y))
    return light


def leaves_in_front(stage: Stage) -> None:
    """Leafy twigs that hang into the top corners, out of focus."""
    sheet = stage.plane(1.2)
    for side in (0, 1):
        for _ in range(26):
            away = 0.36 * float(stage.rng.uniform()) ** 1.4 - 0.16
            x = stage.aspect - away if side else away
            y = -0.14 + 0.3 * float(stage.rng.uniform()) - abs(away) * 0.3
            s = float(stage.rng.uniform(0.04, 0.08))
            sheet.dot(x, y, s, s * 0.45, mix(LEAF, CEDAR, float(stage.rng.uniform())),
                turn=float(stage.rng.uniform(-60, 60)))  # fmt: skip


def hill(stage: Stage) -> None:
    """A grassy hilltop with one tree over a valley."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage, 1.3)
    props.hills(stage, 0.15, h + 0.02, 0.26, (110, 134, 150), 4)
    props.hills(stage, 0.3, h + 0.07, 0.14, (104, 142, 118), 5)
    props.hills(stage, 0.5, h + 0.13, 0.08, (104, 152, 98), 4)
    grass = snowy(stage, (116, 164, 88))
    sheet = stage.plane(1.0)
    sheet.area([(stage.left, 0.86), (a * 0.25, 0.76), (a * 0.7, 0.70), (stage.right, 0.80),
        (stage.right, 1.5), (stage.right, 1.5), (stage.left, 1.5), (stage.left, 1.5)], grass)  # fmt: skip
    sheet.atop([(stage.left, 0.98), (a * 0.4, 0.84), (stage.right, 0.95), (stage.right, 1.5),
        (stage.left, 1.5)], shade(grass, 0.12))  # fmt: skip
    props.tree(stage, 0.95, a * 0.86, 0.76, 0.62, snowy(stage, LEAF))
    props.tufts(stage, 1.0, 0.82, 1.08, 44, shade(grass, 0.2), 0.04)


def field(stage: Stage) -> None:
    """A wide meadow with rows, flowers, far trees and a fence."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage, 1.4)
    props.hills(stage, 0.2, h, 0.15, (108, 136, 142), 5)
    for i in range(14):
        props.tree(stage, 0.4, stage.left + 0.2 * i, h + 0.03, float(stage.rng.uniform(0.12, 0.22)),
            snowy(stage, LEAF))  # fmt: skip
    grass = snowy(stage, (140, 176, 92))
    sheet = stage.plane(0.9)
    sheet.gradient(rectangle(stage.left, h, stage.right, 1.4), [(h, mix(grass, (236, 224, 150), 0.3)),
        (1.0, shade(grass, 0.18))])  # fmt: skip
    for i in range(-24, 25):
        sheet.stroke([(a / 2 + i * 0.05, h), (a / 2 + i * 0.30, 1.3)], shade(grass, 0.2), (0.001, 0.012),
            smooth=False)  # fmt: skip
    petals = ((244, 236, 222), (240, 176, 80), (226, 120, 134))
    for _ in range(150):
        y = h + (1.1 - h) * float(stage.rng.uniform()) ** 0.8
        x = float(stage.rng.uniform(stage.left, stage.right))
        petal = petals[int(stage.rng.integers(3))]
        if "snow" not in stage.weather:
            sheet.dot(x, y, 0.002 + 0.012 * (y - h), 0.002 + 0.009 * (y - h), petal)
    props.tufts(stage, 1.0, 0.86, 1.1, 40, shade(grass, 0.25), 0.05)


def sky(stage: Stage) -> None:
    """Above a sea of clouds."""
    stage.horizon = 0.78
    paint_sky(stage, 2.0)
    for depth, base in ((0.3, 0.76), (0.55, 0.86), (0.9, 0.97)):
        points: list[Point] = [(stage.left, 1.5), (stage.left, 1.5)]
        count = 13
        for i in range(count):
            points.append((stage.left + (stage.right - stage.left) * i / (count - 1),
                base - (0.09 if i % 2 else 0.015) * float(stage.rng.uniform(0.6, 1.2))))  # fmt: skip
        points += [(stage.right, 1.5), (stage.right, 1.5)]
        bank = mix(stage.light.cloud, stage.light.cloud_shade, 0.5 - 0.35 * depth)
        sheet = stage.lit(depth)
        sheet.area([(x, y - 0.008) for x, y in points], tint(bank, 0.3))
        sheet.area(points, bank)
        sheet.atop([(x, y + 0.05) for x, y in points], mix(bank, stage.light.cloud_shade, 0.4), blur=0.02)


def generic(stage: Stage) -> None:
    """A quiet landscape for a place of which no word is known."""
    a, h = stage.aspect, stage.horizon
    paint_sky(stage)
    props.hills(stage, 0.2, h, 0.2, (104, 130, 138), 5)
    props.hills(stage, 0.4, h + 0.05, 0.1, (102, 140, 112), 4)
    for i in range(5):
        props.tree(stage, 0.6, a * (0.02 + 0.24 * i) + float(stage.rng.uniform(-0.05, 0.05)),
            h + 0.09, float(stage.rng.uniform(0.2, 0.36)), snowy(stage, LEAF))  # fmt: skip
    ground = snowy(stage, (150, 158, 116))
    stage.plane(1.0).gradient(rectangle(stage.left, h + 0.08, stage.right, 1.4),
        [(h + 0.08, tint(ground, 0.12)), (1.1, shade(ground, 0.2))])  # fmt: skip
    props.tufts(stage, 1.0, h + 0.12, 1.08, 30, shade(ground, 0.2), 0.035)
