"""Frames that are shown again: anime is drawn on twos and threes, and a network need not see a drawing twice.

Only frames that are the same to the last bit are left out, so that no value changes. A codec leaves most held
frames of flat drawings so.
"""

from __future__ import annotations

import numpy as np

from anime_pipeline.quality.engines.protocol import Frames


def drawings(frames: Frames) -> tuple[list[int], list[int]]:
    """The indices of frames that differ from the one before, and for each frame which of those it shows."""
    kept: list[int] = []
    shown = []
    for index, frame in enumerate(frames):
        if index == 0 or not np.array_equal(frame, frames[index - 1]):
            kept.append(index)
        shown.append(len(kept) - 1)
    return kept, shown
