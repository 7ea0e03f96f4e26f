"""Small plots drawn with Pillow: two distributions with a threshold, and values along a film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from anime_pipeline.media.lettering import font_for

_BACKGROUND, _BRIGHT, _TEXT, _GRID = "#12141a", "#f3f4f6", "#b6bcc8", "#2a2e3a"
_SAME, _DIFFERENT, _THRESHOLD, _LINE = "#3ecf8e", "#f25f5c", "#f2b84b", "#7cb7ff"
_SIZE, _MARGIN, _TOP, _BOTTOM = (900, 460), 56, 104, 56
_BINS = 40
_ROW, _NAME, _SPARK, _NUMBERS = 44, 170, 420, 150


def draw_distributions(
    title: str,
    subtitle: str,
    same: Sequence[float],
    different: Sequence[float],
    threshold: float | None,
    names: tuple[str, str] = ("same", "different"),
) -> Image.Image:
    """Two sets of values in 0 to 1 as histograms, each to its own height, and the threshold between; RGB.

    Each value is also a tick below its histogram: with few pictures the histogram alone would pretend.
    """
    picture = Image.new("RGB", _SIZE, _BACKGROUND)
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.text((_MARGIN, 20), title, _BRIGHT, font_for(title, 22))
    pen.text((_MARGIN, 50), subtitle, _TEXT, font_for(subtitle, 15))
    width, floor = _SIZE[0] - 2 * _MARGIN, _SIZE[1] - _BOTTOM
    for tenth in range(0, 11, 2):
        x = _MARGIN + width * tenth / 10
        pen.line((x, _TOP, x, floor), _GRID)
        pen.text((x, floor + 26), f"{tenth / 10:.1f}", _TEXT, font_for("0", 13), anchor="mt")
    for at, (values, colour, name) in enumerate(((different, _DIFFERENT, names[1]), (same, _SAME, names[0]))):
        counts, _ = np.histogram(np.clip(values, 0, 1), _BINS, (0, 1))
        for index, count in enumerate(counts):
            left = _MARGIN + width * index / _BINS
            height = (floor - _TOP) * count / max(1, counts.max())
            pen.rectangle((left + 1, floor - height, left + width / _BINS - 1, floor), f"{colour}88")
        for value in values:
            x, y = _MARGIN + width * min(1.0, max(0.0, value)), floor + 6 + 9 * at
            pen.line((x, y, x, y + 7), colour)
        legend = f"{name}: {len(values)}"
        pen.text((_SIZE[0] - _MARGIN, 76 - 20 * at), legend, colour, font_for(legend, 15), anchor="rm")
    if threshold is not None:
        x = _MARGIN + width * threshold
        pen.line((x, _TOP - 14, x, floor), _THRESHOLD, 2)
        pen.text((x, _TOP - 16), f"{threshold:g}", _THRESHOLD, font_for("0", 15), anchor="mb")
    return picture


def png(picture: Image.Image) -> bytes:
    """A drawn picture as PNG."""
    return _encoded(picture, "PNG", optimize=True)


def webp(picture: Image.Image) -> bytes:
    """A drawn picture as lossless WebP: a few kilobytes for a plot."""
    return _encoded(picture, "WEBP", lossless=True, method=4)


def draw_lines(series: Mapping[str, Sequence[float | None]]) -> Image.Image:
    """One row for each named series: its name, its values over the frames, and its range; RGB.

    Each row has its own scale, from its least to its greatest value. A frame without a value is a gap; a
    value between two gaps is a dot.
    """
    size = (_NAME + _SPARK + _NUMBERS, max(1, len(series)) * _ROW)
    picture = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for row, (name, values) in enumerate(series.items()):
        _draw_row(pen, row * _ROW, name, values)
    return picture


def _draw_row(pen: ImageDraw.ImageDraw, top: int, name: str, values: Sequence[float | None]) -> None:
    pen.text((10, top + _ROW / 2), name, _TEXT, font_for(name, 13), anchor="lm")
    pen.line((0, top + _ROW - 1, _NAME + _SPARK + _NUMBERS, top + _ROW - 1), _GRID)
    known = [value for value in values if value is not None]
    if not known:
        return
    low, high = min(known), max(known)
    said = f"{low:.3g} … {high:.3g}" if high > low else f"{low:.3g}"
    pen.text((_NAME + _SPARK + 12, top + _ROW / 2), said, _TEXT, font_for(said, 13), anchor="lm")
    for run in _runs(values):
        points = [
            (
                _NAME + _SPARK * at / max(1, len(values) - 1),
                top + _ROW - 9 - (_ROW - 18) * ((value - low) / (high - low) if high > low else 0.5),
            )
            for at, value in run
        ]
        if len(points) > 1:
            pen.line(points, _LINE, 2)
        else:
            x, y = points[0]
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), _LINE)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Neighbouring values with their indices, split where there are none."""
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
