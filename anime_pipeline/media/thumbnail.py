"""Thumbnails that are small enough to be sent with every event and every row of a list."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_BYTES = 20_000
STRIP_FRAMES = 4
_QUALITIES = (80, 65, 50, 35, 20, 5)


def webp_thumbnail(frame: npt.NDArray[np.uint8], max_width: int = 320, max_bytes: int = MAX_BYTES) -> bytes:
    """A frame (uint8 H×W×3) as WebP, at most ``max_width`` pixels wide and never enlarged.

    The quality goes down until it fits into ``max_bytes``; noise that never fits is given at the lowest.
    """
    picture = Image.fromarray(frame)
    width = min(picture.width, max_width)
    height = max(1, round(picture.height * width / picture.width))
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    data = b""
    for quality in _QUALITIES:
        buffer = BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=4)
        data = buffer.getvalue()
        if len(data) <= max_bytes:
            break
    return data


def strip_positions(frame_count: int) -> tuple[int, ...]:
    """Which frames stand for a take of so many: the only one, or up to four evenly from first to last."""
    shown = min(frame_count, STRIP_FRAMES)
    return tuple(round(n * (frame_count - 1) / max(1, shown - 1)) for n in range(shown))


def webp_strip(frames: Sequence[npt.NDArray[np.uint8]]) -> bytes:
    """Frames of one size side by side as one WebP, each as large and as heavy as a thumbnail at most.

    Frames of another size than the first are left out.
    """
    fitting = [frame for frame in frames if frame.shape == frames[0].shape]
    strip = np.concatenate(fitting, axis=1)
    return webp_thumbnail(strip, 320 * len(fitting), MAX_BYTES * len(fitting))
