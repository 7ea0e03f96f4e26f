"""How far two renderings of one thing are apart, frame by frame, with a picture of where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from anime_pipeline.media.film import Frame

_WINDOW = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class FrameDifference:
    """Two sequences of frames compared.

    ``max_difference`` is 0 to 255, ``changed_share`` the share of values that differ, ``psnr`` in dB over all
    frames (None where they are equal), ``ssim`` the mean over frames: of luma, in windows of 8 × 8 pixels.
    ``picture`` shows the frame ``worst_frame``, each difference made large enough to be seen.
    """

    frames: int
    max_difference: int
    changed_share: float
    psnr: float | None
    ssim: float
    worst_frame: int
    picture: Frame | None


class UnlikeFramesError(ValueError):
    """Two sequences cannot be compared: their lengths or sizes differ."""


def compare_frames(first: Iterable[Frame], second: Iterable[Frame]) -> FrameDifference:
    """Compare frame with frame, holding one pair at a time. Raises :class:`UnlikeFramesError`."""
    count = values = changed = largest = worst = 0
    squares, ssims = 0.0, 0.0
    worst_squares = -1.0
    picture: Frame | None = None
    for one, other in zip_longest(first, second):
        if one is None or other is None:
            raise UnlikeFramesError("one has more frames than the other")
        if one.shape != other.shape:
            sizes = " and ".join(f"{frame.shape[1]}×{frame.shape[0]}" for frame in (one, other))
            raise UnlikeFramesError(f"frame {count} is {sizes}")
        apart = np.abs(one.astype(np.int16) - other.astype(np.int16))
        frame_squares = float(np.square(apart, dtype=np.int64).sum())
        if frame_squares > worst_squares:
            worst, worst_squares = count, frame_squares
            picture = _seen(apart) if frame_squares else None
        changed += int(np.count_nonzero(apart))
        largest = max(largest, int(apart.max(initial=0)))
        squares += frame_squares
        values += apart.size
        ssims += _ssim(one, other) if frame_squares else 1.0
        count += 1
    if not count:
        raise UnlikeFramesError("there is no frame to compare")
    psnr = 10 * math.log10(255**2 * values / squares) if squares else None
    return FrameDifference(count, largest, changed / values, psnr, ssims / count, worst, picture)


def _seen(apart: npt.NDArray[np.int16]) -> Frame:
    scaled = apart.astype(np.float32) * (255.0 / max(1, int(apart.max(initial=0))))
    return np.asarray(np.rint(scaled), dtype=np.uint8)


def _ssim(one: Frame, other: Frame) -> float:
    """Structural similarity (Wang et al. 2004) in uniform windows; a small picture is one window."""
    x, y = one @ _LUMA, other @ _LUMA
    mean_x, mean_y = _means(x), _means(y)
    variance_x = _means(x * x) - mean_x**2
    variance_y = _means(y * y) - mean_y**2
    covariance = _means(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float(np.mean(likeness / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))))


def _means(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of each window, from running sums."""
    rows, columns = min(_WINDOW, values.shape[0]), min(_WINDOW, values.shape[1])
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    windows = (
        sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    )
    return np.asarray(windows / (rows * columns))
