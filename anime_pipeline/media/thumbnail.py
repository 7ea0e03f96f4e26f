"""Thumbnails that are small enough to be sent with every event and every row of a list."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_BYTES = 20_000
_QUALITIES = (80, 65, 50, 35, 20, 5)


def webp_thumbnail(frame: npt.NDArray[np.uint8], max_width: int = 320) -> bytes:
    """A frame (uint8 H×W×3) as WebP, at most ``max_width`` pixels wide and never enlarged.

    The quality goes down until it fits into :data:`MAX_BYTES`; noise that never fits is given at the lowest.
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
        if len(data) <= MAX_BYTES:
            break
    return data
