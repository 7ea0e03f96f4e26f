"""Colours: words and #rrggbb to RGB, shades that lean to violet as painted shadows do, and CIELAB."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

Rgb = tuple[int, int, int]
Floats = npt.NDArray[np.float64]

# Words that a story uses, in tones that suit a painted picture; the CSS names stand behind them.
PAINTER_WORDS: dict[str, str] = {
    "amber": "#e39a2d", "ash": "#b9b4ac", "auburn": "#8a3a22", "azure": "#4a9fe0", "black": "#2b2a33",
    "blond": "#ecc873", "blonde": "#ecc873", "blue": "#3d6fc4", "brass": "#c9a24a", "bronze": "#a9713a",
    "brown": "#7a4b30", "brunette": "#5a3826", "burgundy": "#7c2438", "charcoal": "#3a3d47",
    "chestnut": "#854a2c", "copper": "#c06a3a", "cream": "#f6ead0", "crimson": "#c02c44",
    "emerald": "#2f9e6e",
    "fair": "#fbe3d2", "ginger": "#d9722e", "gold": "#e2b23c", "golden": "#e2b23c", "gray": "#8b909c",
    "green": "#4b9a55", "grey": "#8b909c", "hazel": "#96763c", "honey": "#dca545", "indigo": "#343d8c",
    "ivory": "#f7f0df", "jade": "#3fa284", "lavender": "#b7a5e0", "lilac": "#c3a6dc", "maroon": "#74283a",
    "mint": "#8fd6bb", "mustard": "#d2a230", "navy": "#26365f", "ochre": "#c98f36", "olive": "#7d8143",
    "orange": "#e8823a", "peach": "#f7c3a3", "pink": "#ee8fae", "plum": "#77406f", "purple": "#7d51b0",
    "raven": "#26242f", "red": "#cf3c3c", "rose": "#e07a94", "russet": "#9a4a28", "rust": "#a84e2a",
    "sand": "#dcc59a", "scarlet": "#d4342f", "silver": "#c3cad6", "sky": "#7fbdea", "snow": "#f4f7fb",
    "tan": "#d9aa7c", "teal": "#2a9d8f", "turquoise": "#3cc0b4", "vermilion": "#d8452f", "violet": "#8a5cc9",
    "white": "#f3f1ec", "wine": "#7a2740", "yellow": "#f3c13a",
}  # fmt: skip
_MODIFIERS: dict[str, tuple[str, float]] = {
    "dark": ("#14121f", 0.38), "deep": ("#14121f", 0.26), "midnight": ("#0d1030", 0.5),
    "light": ("#ffffff", 0.34), "pale": ("#ffffff", 0.45), "pastel": ("#ffffff", 0.42),
    "bright": ("#fff2c8", 0.12), "faded": ("#c9c4bd", 0.35),
}  # fmt: skip
_HEX = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b")
_WORD = re.compile(r"[a-z]+")


def find_colours(text: str) -> list[Rgb]:
    """Every colour named in ``text``, in order: #rrggbb, #rgb, or a word with an optional dark, pale …"""
    found: list[tuple[int, Rgb]] = [(m.start(), hex_colour(m.group())) for m in _HEX.finditer(text)]
    before: str | None = None
    for match in _WORD.finditer(_HEX.sub(lambda m: " " * len(m.group()), text.lower())):
        named = PAINTER_WORDS.get(match.group()) or ImageColor.colormap.get(match.group())
        if named is not None:
            colour = hex_colour(str(named))
            if before in _MODIFIERS:
                towards, amount = _MODIFIERS[before]
                colour = mix(colour, hex_colour(towards), amount)
            found.append((match.start(), colour))
        before = match.group()
    return [colour for _, colour in sorted(found, key=lambda item: item[0])]


def hex_colour(text: str) -> Rgb:
    """``#rrggbb`` as RGB. Raises ValueError for anything that Pillow cannot read as a colour."""
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def mix(one: Rgb, other: Rgb, amount: float) -> Rgb:
    """``one`` moved towards ``other``; amount 0 gives ``one``, 1 gives ``other``."""
    a, b, c = (round(x + (y - x) * amount) for x, y in zip(one, other, strict=True))
    return _byte(a), _byte(b), _byte(c)


def shade(colour: Rgb, amount: float = 0.3) -> Rgb:
    """The colour in shadow: darker and a little towards violet, as cel painters mix it."""
    return mix(colour, (34, 22, 66), amount)


def tint(colour: Rgb, amount: float = 0.3) -> Rgb:
    """The colour in light: brighter and a little warm."""
    return mix(colour, (255, 250, 236), amount)


def ink(colour: Rgb) -> Rgb:
    """The outline for an area of this colour: nearly black, with a breath of the colour."""
    return mix(colour, (24, 18, 36), 0.82)


def multiply(colour: Rgb, light: tuple[float, float, float]) -> Rgb:
    """The colour under a coloured light (factors per channel)."""
    a, b, c = (_byte(round(x * f)) for x, f in zip(colour, light, strict=True))
    return a, b, c


def to_lab(rgb: Floats) -> Floats:
    """sRGB in 0 … 1 (any shape × 3) to CIELAB under D65."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _RGB_TO_XYZ.T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack((116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])), -1)


def from_lab(lab: Floats) -> Floats:
    """CIELAB under D65 (any shape × 3) to sRGB, clipped to 0 … 1."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack((fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200), -1)
    xyz = np.where(f**3 > 0.008856, f**3, (f - 16 / 116) / 7.787) * _WHITE
    linear = np.clip(xyz @ np.linalg.inv(_RGB_TO_XYZ).T, 0, 1)
    rgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(rgb, 0, 1), dtype=np.float64)


def _byte(value: int) -> int:
    return max(0, min(255, value))


_RGB_TO_XYZ = np.array(
    ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
)
_WHITE = np.array((0.95047, 1.0, 1.08883))
