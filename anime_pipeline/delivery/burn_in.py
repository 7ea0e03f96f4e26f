"""Dialogue drawn into the picture, for players without subtitles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from anime_pipeline.media.film import Frame
from anime_pipeline.media.lettering import font_for, wrap_evenly


def burn_in(frame: Frame, text: str) -> Frame:
    """A copy of the frame with the text at its foot: white, edged in black, each line in at most two rows."""
    height, width = frame.shape[:2]
    top, letters, alpha = _lettering(text, width, height)
    burnt = frame.copy()
    strip = burnt[top : top + len(letters)]
    strip[:] = (letters * alpha + strip * (1.0 - alpha) + 0.5).astype(np.uint8)
    return burnt


@lru_cache(maxsize=4)
def _lettering(
    text: str, width: int, height: int
) -> tuple[int, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The first row that text covers, its colours (rows × width × 3) and how much they cover (0 to 1)."""
    size = max(8.0, min(height / 19, width / 28))
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    rows = [
        (row, font)
        for line in text.splitlines()
        for font in [font_for(line, size)]
        for row in wrap_evenly(line, font, width * 0.82, 2)
    ]
    edge = max(1, round(size / 12))
    y = height * 0.945 - (len(rows) - 1) * size * 1.25
    for row, font in rows:
        draw.text((width / 2, y), row, "white", font, "ms", stroke_width=edge, stroke_fill="black")
        y += size * 1.25
    covered = layer.getbbox() or (0, height - 1, width, height)
    pixels = np.asarray(layer, np.float32)[covered[1] : covered[3]]
    return covered[1], pixels[..., :3], pixels[..., 3:] / 255.0
