"""Drawing on supersampled sheets in units of the thing drawn: smooth areas, tapered strokes, shadows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from anime_pipeline.preview.drawing.colours import Floats, Rgb

Point = tuple[float, float]
Points = Sequence[Point]
Colour = Rgb | tuple[int, int, int, int]


def spline(points: Points, closed: bool = False, steps: int = 9) -> list[Point]:
    """A curve through all points (Catmull-Rom). A point given twice in a row makes a corner."""
    knots = np.asarray(points, dtype=np.float64)
    count = len(knots)
    if count < 3:
        return [(float(x), float(y)) for x, y in knots]
    index = np.arange(count if closed else count - 1)

    def knot(shift: int) -> Floats:
        where = (index + shift) % count if closed else np.clip(index + shift, 0, count - 1)
        return np.asarray(knots[where][:, None, :], dtype=np.float64)

    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = knot(-1), knot(0), knot(1), knot(2)
    m1, m2 = (p2 - p0) / 2, (p3 - p1) / 2
    corner = np.all(p1 == p2, axis=2, keepdims=True)
    m1 = np.where(np.all(p1 == p0, axis=2, keepdims=True) | corner, 0.0, m1)
    m2 = np.where(np.all(p2 == p3, axis=2, keepdims=True) | corner, 0.0, m2)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * p1
        + (t**3 - 2 * t**2 + t) * m1
        + (-2 * t**3 + 3 * t**2) * p2
        + (t**3 - t**2) * m2
    ).reshape(-1, 2)
    if not closed:
        curve = np.concatenate((curve, knots[-1:]))
    return [(float(x), float(y)) for x, y in curve]


def mirrored(points: Points) -> list[Point]:
    """A right half, listed from top to bottom, completed by its mirror image (a closed outline)."""
    return [*points, *[(-x, y) for x, y in reversed(points) if abs(x) > 1e-9]]


def ellipse_points(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> list[Point]:
    """An ellipse as a polygon; ``turn`` in degrees."""
    angle = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    xs, ys = rx * np.cos(angle), ry * np.sin(angle)
    return [(float(cx + x * c - y * s), float(cy + x * s + y * c)) for x, y in zip(xs, ys, strict=True)]


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    """The four corners of a box."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


class Sheet:
    """A transparent sheet over the box (x0, y0) … (x1, y1) in units; ``scale`` finished pixels per unit."""

    def __init__(self, x0: float, y0: float, x1: float, y1: float, scale: float, oversample: int = 2) -> None:
        self.box = (x0, y0, x1, y1)
        self.scale = scale
        self.oversample = oversample
        self.ratio = scale * oversample
        width, height = (max(1, math.ceil(d * scale)) * oversample for d in (x1 - x0, y1 - y0))
        self.image = Image.new("RGBA", (width, height))
        self._draw = ImageDraw.Draw(self.image)

    @property
    def origin(self) -> Point:
        """Where (0, 0) lies on the finished picture, in pixels."""
        return -self.box[0] * self.scale, -self.box[1] * self.scale

    def layer(self) -> Sheet:
        """An empty sheet of the same frame, for something that is shaded by itself before it is merged."""
        return Sheet(*self.box, self.scale, self.oversample)

    def merge(self, other: Sheet) -> None:
        """Lays ``other`` (same frame) on top."""
        box = other.image.getbbox()
        if box is not None:
            self.image.alpha_composite(other.image, box[:2], box)

    def finished(self) -> Image.Image:
        """The sheet at its finished size."""
        return self.image.reduce(self.oversample) if self.oversample > 1 else self.image

    def area(
        self,
        points: Points,
        fill: Colour | None,
        line: Colour | None = None,
        weight: float = 0.0,
        smooth: bool = True,
    ) -> None:
        """Fills a closed outline and draws its line (``weight`` in units)."""
        outline = spline(points, closed=True) if smooth else list(points)
        if fill is not None:
            self._fill(outline, fill, None)
        if line is not None:
            self._line([*outline, outline[0], outline[1]], line, weight)

    def dot(
        self, cx: float, cy: float, rx: float, ry: float | None = None, fill: Colour | None = None,
        line: Colour | None = None, weight: float = 0.0, turn: float = 0.0,
    ) -> None:  # fmt: skip
        """An ellipse."""
        self.area(
            ellipse_points(cx, cy, rx, rx if ry is None else ry, turn), fill, line, weight, smooth=False
        )

    def box_area(
        self, x0: float, y0: float, x1: float, y1: float, fill: Colour, line: Colour | None = None,
        weight: float = 0.0,
    ) -> None:  # fmt: skip
        """An upright box."""
        self.area(rectangle(x0, y0, x1, y1), fill, line, weight, smooth=False)

    def atop(self, points: Points, fill: Colour, smooth: bool = True, blur: float = 0.0) -> None:
        """Paints only where something is already drawn: shadows, patterns, highlights. ``blur`` in units."""
        outline = spline(points, closed=True) if smooth else list(points)
        self._fill(outline, fill, self.image, blur)

    def atop_stroke(
        self, points: Points, colour: Colour, widths: Sequence[float], smooth: bool = True
    ) -> None:
        """A tapered stroke only where something is already drawn."""
        self._fill(_stroke_outline(points, widths, smooth), colour, self.image)

    def stroke(self, points: Points, colour: Colour, widths: Sequence[float], smooth: bool = True) -> None:
        """A pen stroke whose width (units) swells and tapers along the way."""
        self._fill(_stroke_outline(points, widths, smooth), colour, None)

    def line(self, points: Points, colour: Colour, weight: float, smooth: bool = True) -> None:
        """An even line."""
        self._line(spline(points) if smooth else list(points), colour, weight)

    def cut(self, points: Points, smooth: bool = True) -> None:
        """Takes away all that was drawn inside an outline."""
        self._draw.polygon(self._pixels(spline(points, closed=True) if smooth else points), fill=(0, 0, 0, 0))

    def gradient(self, points: Points, stops: Sequence[tuple[float, Colour]], smooth: bool = False) -> None:
        """Fills an outline from top to bottom with colours at heights (units), alpha included."""
        outline = spline(points, closed=True) if smooth else list(points)
        box = self._bounds(outline)
        if box is None:
            return
        heights = (np.arange(box[1], box[3]) + 0.5) / self.ratio + self.box[1]
        at = [height for height, _ in stops]
        bands = [np.interp(heights, at, [(*c, 255)[i] for _, c in stops]) for i in range(4)]
        column = np.stack(bands, -1).round().astype(np.uint8)[:, None, :]
        strip = Image.fromarray(column, "RGBA").resize(
            (box[2] - box[0], box[3] - box[1]), Image.Resampling.NEAREST
        )
        strip.putalpha(ImageChops.multiply(strip.getchannel("A"), self._mask(outline, box)))
        self.image.alpha_composite(strip, box[:2])

    def glow(self, cx: float, cy: float, radius: float, colour: Rgb, strength: float = 1.0) -> None:
        """A soft round light that fades to nothing at ``radius``."""
        px = max(2, round(radius * self.ratio))
        small = radial(64, colour, strength).resize((2 * px, 2 * px), Image.Resampling.BILINEAR)
        x, y = round((cx - self.box[0]) * self.ratio) - px, round((cy - self.box[1]) * self.ratio) - px
        spread = Image.new("RGBA", self.image.size)
        spread.paste(small, (x, y))
        self.image.alpha_composite(spread)

    def _pixels(self, points: Points) -> list[Point]:
        x0, y0 = self.box[:2]
        return [((x - x0) * self.ratio, (y - y0) * self.ratio) for x, y in points]

    def _line(self, points: Points, colour: Colour, weight: float) -> None:
        self._draw.line(
            self._pixels(points),
            fill=(*colour, 255)[:4],
            width=max(1, round(weight * self.ratio)),
            joint="curve",
        )

    def _bounds(self, outline: Points, grow: int = 0) -> tuple[int, int, int, int] | None:
        pixels = np.asarray(self._pixels(outline))
        low, high = np.floor(pixels.min(0)) - grow, np.ceil(pixels.max(0)) + 1 + grow
        x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
        x1, y1 = min(self.image.width, int(high[0])), min(self.image.height, int(high[1]))
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _mask(self, outline: Points, box: tuple[int, int, int, int]) -> Image.Image:
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in self._pixels(outline)], fill=255)
        return mask

    def _fill(self, outline: Points, fill: Colour, clip: Image.Image | None, blur: float = 0.0) -> None:
        colour = (*fill, 255)[:4]
        if colour[3] == 255 and clip is None:
            self._draw.polygon(self._pixels(outline), fill=colour)
            return
        radius = blur * self.ratio
        box = self._bounds(outline, math.ceil(2 * radius))
        if box is None:
            return
        mask = self._mask(outline, box)
        if radius >= 0.5:
            mask = mask.filter(ImageFilter.GaussianBlur(radius))
        if clip is not None:
            mask = ImageChops.multiply(mask, clip.crop(box).getchannel("A"))
        alpha = colour[3]
        patch = Image.new("RGBA", mask.size, colour)
        patch.putalpha(mask.point([round(value * alpha / 255) for value in range(256)]))
        self.image.alpha_composite(patch, box[:2])


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """An RGBA picture out of focus; what is transparent lends its edges no colour."""
    return image.convert("RGBa").filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")


def radial(radius: int, colour: Rgb, strength: float = 1.0) -> Image.Image:
    """A square RGBA picture of a round light, 2 × radius pixels wide, fading to nothing at its rim."""
    axis = (np.arange(2 * radius) + 0.5 - radius) / radius
    fall = np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 2
    picture = np.empty((2 * radius, 2 * radius, 4), dtype=np.uint8)
    picture[..., :3] = colour
    picture[..., 3] = np.round(fall * 255 * strength).clip(0, 255)
    return Image.fromarray(picture, "RGBA")


def _stroke_outline(points: Points, widths: Sequence[float], smooth: bool) -> list[Point]:
    path = np.asarray(spline(points) if smooth else points, dtype=np.float64)
    along = np.gradient(path, axis=0) if len(path) > 1 else np.ones_like(path)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    normal = np.stack((-along[:, 1], along[:, 0]), -1) / length
    half = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    edge = np.concatenate((path + normal * half, (path - normal * half)[::-1]))
    return [(float(x), float(y)) for x, y in edge]
