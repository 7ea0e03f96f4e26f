"""Skies: gradient, sun or moon, stars and clouds by the hour's light."""

from __future__ import annotations

import math

from anime_pipeline.preview.drawing.backdrops.stage import CLOUDS, Stage
from anime_pipeline.preview.drawing.colours import Floats, Rgb, mix, tint
from anime_pipeline.preview.drawing.pen import Point, rectangle

_PUFFS = 6


def paint_sky(stage: Stage, clouds: float = 1.0) -> None:
    """Paints the sky behind everything; ``clouds`` 0 … 2 says how many."""
    light = stage.light
    sheet = stage.plane(0.0)
    top, middle, low = light.sky
    box = rectangle(stage.left, -0.5, stage.right, 1.6)
    h = stage.horizon
    sheet.gradient(box, [(-0.4, top), (0.0, top), (h * 0.55, middle), (h * 0.95, low), (h + 0.1, low)])
    _stars(stage)
    if light.sun is not None:
        x, y = light.sun[0] * stage.aspect, light.sun[1]
        glare = tint(low, 0.35) if not light.moon else (196, 214, 255)
        sheet.glow(x, y, 0.55 if not light.moon else 0.36, glare, 0.75 if not light.moon else 0.5)
        if light.moon:
            sheet.dot(x, y, 0.062, fill=(250, 246, 222))
            for dx, dy, r in ((-0.02, -0.012, 0.012), (0.018, 0.02, 0.016), (0.012, -0.024, 0.008)):
                sheet.dot(x + dx, y + dy, r, fill=(228, 222, 200))
        else:
            sheet.dot(x, y, 0.058, fill=(255, 250, 226))
    _clouds(stage, clouds)


def _stars(stage: Stage) -> None:
    amount = max(stage.light.stars, 1.0 if "stars" in stage.weather and stage.light.lamps > 0.3 else 0.0)
    if amount <= 0.02:
        return
    sheet, rng = stage.plane(0.0), stage.chance("stars")
    for _ in range(round(170 * amount)):
        x = stage.left + (stage.right - stage.left) * float(rng.uniform())
        y = -0.2 + (stage.horizon + 0.15) * float(rng.uniform()) ** 1.3
        size = 0.0011 + 0.0026 * float(rng.uniform()) ** 4
        fade = round(255 * min(1.0, amount + 0.1) * max(0.15, 1 - max(0.0, y) / stage.horizon))
        sheet.dot(x, y, size, fill=(244, 246, 255, fade))
        if size > 0.0029:
            sheet.glow(x, y, size * 7, (206, 220, 255), 0.5)
    if "stars" in stage.weather:
        _shooting_star(stage)


def _shooting_star(stage: Stage) -> None:
    sheet = stage.plane(0.0)
    x, y = stage.aspect * 0.30, 0.12
    sheet.stroke([(x, y), (x + 0.16, y + 0.07)], (248, 250, 255), (0.0, 0.005))
    sheet.glow(x + 0.16, y + 0.07, 0.03, (255, 255, 255), 0.9)


def _clouds(stage: Stage, amount: float) -> None:
    light, rng = stage.light, stage.chance("clouds")
    overcast = bool(stage.weather & {"rain", "snow", "lightning"})
    count = round((5 if not overcast else 9) * amount)
    for index in range(count):
        across, up, grown = (float(value) for value in rng.uniform(size=3))
        x = stage.left + (stage.right - stage.left) * (index + 0.2 + 0.6 * across) / max(1, count)
        y = stage.horizon * (0.08 + 0.62 * up)
        size = (0.10 + 0.13 * grown) * (1.5 if overcast else 1.0) * (1.2 - 0.7 * y / stage.horizon)
        rises = rng.uniform(0.55, 1.0, size=_PUFFS + 1)
        _cloud(stage, (x, y), size, mix(light.cloud, light.sky[1], 0.15), 200 if overcast else 225, rises)


def _cloud(stage: Stage, foot: Point, size: float, light: Rgb, alpha: int, rises: Floats) -> None:
    """A cloud of puffs with a flat foot. It is lit already: the hour's own colours are in it."""
    x, y = foot
    dark = stage.light.cloud_shade
    layer = stage.lit(CLOUDS).layer()
    for i, grown in enumerate(rises):
        swell = math.sin(math.pi * i / _PUFFS)
        rise = size * (0.25 + 0.75 * swell) * float(grown)
        layer.dot(x + size * 2.2 * (i / _PUFFS - 0.5), y - rise * 0.25, size * 0.42 * (0.5 + 0.5 * swell),
            rise * 0.42, fill=light)  # fmt: skip
    layer.area([(x - size * 1.5, y), (x, y - size * 0.3), (x + size * 1.5, y),
        (x + size * 0.6, y + size * 0.05), (x - size * 0.6, y + size * 0.05)], light)  # fmt: skip
    layer.atop([(x - size * 1.7, y - size * 0.02), (x - size * 0.4, y - size * 0.18),
        (x + size * 0.5, y - size * 0.08), (x + size * 1.7, y - size * 0.04),
                (x + size * 1.5, y + size * 0.3), (x - size * 1.5, y + size * 0.3)],
        dark, blur=size * 0.05)  # fmt: skip
    if alpha < 255:
        layer.image.putalpha(layer.image.getchannel("A").point([v * alpha // 255 for v in range(256)]))
    stage.lit(CLOUDS).merge(layer)
