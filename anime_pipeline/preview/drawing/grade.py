"""Grading: light, haze and the bible's palette folded into one colour table, laid over a finished layer."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from anime_pipeline.preview.drawing.colours import Floats, Rgb, from_lab, hex_colour, to_lab
from anime_pipeline.preview.drawing.light import Factors

_SIZE = 17
# The width (ΔE) within which palette colours share a pull: wide enough for smooth gradients.
_REACH = 15.0


def palette_colours(palette: dict[str, str]) -> tuple[Rgb, ...]:
    """The palette's colours in the order of their names; values that are no colour are left out."""
    colours = []
    for name in sorted(palette):
        try:
            colours.append(hex_colour(palette[name].strip()))
        except ValueError:
            continue
    return tuple(colours)


@lru_cache(maxsize=64)
def grading(
    ambient: Factors, palette: tuple[Rgb, ...], pull: float, haze: tuple[Rgb, float] | None = None
) -> ImageFilter.Color3DLUT:
    """A table: colour × ambient, veiled by haze (colour, 0 … 1), drawn towards the palette (pull 0 … 1)."""
    axis = np.linspace(0, 1, _SIZE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    rgb: Floats = np.stack((red, green, blue), -1) * np.asarray(ambient)
    if haze is not None:
        rgb = rgb + (np.asarray(haze[0]) / 255 - rgb) * haze[1]
    rgb = np.clip(rgb, 0, 1)
    if palette and pull > 0:
        rgb = _pulled(rgb, palette, pull)
    return ImageFilter.Color3DLUT(_SIZE, np.round(rgb, 6).reshape(-1).tolist())


def graded(image: Image.Image, table: ImageFilter.Color3DLUT) -> Image.Image:
    """The picture under the table; its alpha stays."""
    return image.filter(table)


def _pulled(rgb: Floats, palette: tuple[Rgb, ...], pull: float) -> Floats:
    lab = to_lab(rgb)
    goals = to_lab(np.asarray(palette, dtype=np.float64) / 255)
    distance = np.linalg.norm(lab[..., None, :] - goals, axis=-1)
    nearest = distance.min(-1, keepdims=True)
    weight = np.exp(-(distance**2 - nearest**2) / (2 * _REACH**2))
    goal = (weight[..., None] * goals).sum(-2) / weight.sum(-1)[..., None]
    # Lightness follows less than hue: night must stay night under a palette of pastels.
    return from_lab(lab + (goal - lab) * np.array((pull * 0.7, pull, pull)))
