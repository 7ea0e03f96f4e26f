"""How different two frames are, on uint8 without overflow and without copies in a wider type."""

from __future__ import annotations

import numpy as np

from anime_pipeline.quality.engines.protocol import Frames

GREATEST = 255.0


def absolute_difference(one: Frames, other: Frames) -> Frames:
    """|one − other| per value, uint8; the arguments have the same shape."""
    return np.maximum(one, other) - np.minimum(one, other)


def mean_absolute_difference(one: Frames, other: Frames) -> float:
    """Mean of |one − other| over all pixels and channels, 0 to 255."""
    return float(absolute_difference(one, other).mean(dtype=np.float64))


def likeness(difference: float) -> float:
    """VBench's scale for a mean absolute difference: (255 − difference) / 255, 1.0 for no difference."""
    return (GREATEST - difference) / GREATEST
