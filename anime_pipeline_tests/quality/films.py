"""Small moving pictures for the tests of quality: a picture that pans, and what can go wrong with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Film = npt.NDArray[np.uint8]
"""uint8, T × height × width × 3."""


def pattern(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A smooth, colourful texture, uint8 height × width × 3, with enough contrast to follow."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = []
    for _ in range(3):
        waves = sum(
            np.sin(rows * rng.uniform(-0.5, 0.5) + columns * rng.uniform(-0.5, 0.5) + rng.uniform(0, 6.3))
            for _ in range(6)
        )
        channels.append(127.5 + 120 * np.asarray(waves) / 6)
    return np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)


def panning(frames: int, height: int = 64, width: int = 96, step: int = 1, seed: int = 0) -> Film:
    """A camera pan of ``step`` pixels a frame."""
    wide = pattern(height, width + step * frames, seed)
    return np.stack([wide[:, step * t : step * t + width] for t in range(frames)])


def held(film: Film, times: int) -> Film:
    """Each frame shown ``times`` times, as animation on twos or threes."""
    return np.repeat(film, times, axis=0)


def noisy(film: Film, amount: float, seed: int = 0) -> Film:
    """The film with independent noise of this standard deviation in each frame."""
    noise = np.random.default_rng(seed).normal(0, amount, film.shape)
    return (film + noise).clip(0, 255).astype(np.uint8)
