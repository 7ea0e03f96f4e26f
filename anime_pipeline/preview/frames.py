"""Pictures between nodes: a film that is drawn frame by frame when someone looks, never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frames:
    """ComfyUI's IMAGE: ``count`` pictures of height × width × 3 (uint8, RGB).

    Each iteration draws them anew and yields the same pixels, so 500 frames cost the memory of one.
    """

    count: int
    height: int
    width: int
    draw: Callable[[], Iterable[Pixels]]

    def __iter__(self) -> Iterator[Pixels]:
        return iter(self.draw())

    @classmethod
    def of(cls, pixels: Pixels) -> Frames:
        """Frames that exist already: count × height × width × 3."""
        count, height, width = pixels.shape[:3]
        return cls(count, height, width, lambda: pixels)

    def map(self, change: Callable[[Iterable[Pixels]], Iterable[Pixels]]) -> Frames:
        """The same film with its frames passed through ``change``, which keeps number and size."""
        return Frames(self.count, self.height, self.width, lambda: change(self))

    def first(self) -> Pixels:
        """The first frame."""
        return next(iter(self))


@dataclass(frozen=True)
class Film:
    """ComfyUI's VIDEO: frames with a rate, encoded when it is saved."""

    frames: Frames
    fps: float
