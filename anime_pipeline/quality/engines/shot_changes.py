"""shot_changes: how many times a take jumps to another picture, 0 for one shot; it needs no model.

A cut is one shot. A jump inside it, a renderer's usual failure in long videos, hardly shows in a mean over
frames. Frames are compared as thumbnails: a jump stands out from the differences around it, and what follows
stays different, which a flash of one frame does not. A whip pan can pass for a jump, a slow dissolve cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines import opencv
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)

METRIC = "shot_changes"

THUMBNAIL = (32, 18)
LEAST = 0.06  # mean difference of two thumbnails, 0 to 1, that can be a jump at all
STANDS_OUT = 3.0  # times the median difference around it
AROUND = 6  # frames before and after


@dataclass(frozen=True)
class ShotChanges:
    """The number of jumps, and where they are."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The thresholds are fixed with the version."""
        return Provenance("thumbnails", f"1 opencv {opencv.version()}")

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Jumps(self.provenance(facts))


def thumbnails_of(chunk: FrameChunk) -> npt.NDArray[np.float32]:
    """The chunk's frames as thumbnails, T × N, 0 to 1; shared by the engines that look for shots."""
    return chunk.feature("thumbnails", _thumbnails)


def _thumbnails(frames: Frames) -> npt.NDArray[np.float32]:
    cv2 = opencv.cv2()
    small = np.stack([cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA) for frame in frames])
    return small.reshape(len(frames), -1).astype(np.float32) / np.float32(255)


def shot_changes(thumbnails: npt.NDArray[np.float32]) -> tuple[list[int], npt.NDArray[np.float64]]:
    """The indices at which a new shot begins, and the difference of each frame to the one before it.

    ``thumbnails`` is T × N, 0 to 1. The first difference is 0.
    """
    steps = np.zeros(len(thumbnails))
    steps[1:] = np.abs(thumbnails[1:] - thumbnails[:-1]).mean(axis=1)
    return [at for at in range(1, len(steps)) if _is_jump(thumbnails, steps, at)], steps


def _is_jump(thumbnails: npt.NDArray[np.float32], steps: npt.NDArray[np.float64], at: int) -> bool:
    around = np.concatenate([steps[max(1, at - AROUND) : at], steps[at + 1 : at + 1 + AROUND]])
    usual = float(np.median(around)) if len(around) else 0.0
    if steps[at] < LEAST or steps[at] < STANDS_OUT * usual:
        return False
    after = min(at + 1, len(thumbnails) - 1)
    before = max(at - 2, 0)
    # a flash: the picture is back one frame later, or was there one frame before
    return bool(
        np.abs(thumbnails[after] - thumbnails[at - 1]).mean() >= steps[at] / 2
        and np.abs(thumbnails[at] - thumbnails[before]).mean() >= steps[at] / 2
    )


@dataclass
class _Jumps:
    provenance: Provenance
    thumbnails: list[npt.NDArray[np.float32]] = field(default_factory=list)  # 7 KB a frame

    def add(self, chunk: FrameChunk) -> None:
        self.thumbnails.extend(thumbnails_of(chunk))

    def finish(self) -> Score:
        if len(self.thumbnails) < 2:
            reason = "a shot changes between two frames or more"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        changes, steps = shot_changes(np.stack(self.thumbnails))
        per_frame = (None, *steps[1:].tolist())
        return Score(
            METRIC, "measured", self.provenance, float(len(changes)), per_frame, {"at_frames": changes}
        )
