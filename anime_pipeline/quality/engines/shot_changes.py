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
STILL = LEAST / 10  # a smaller difference is a drawing that is held
FEWEST_DRAWINGS = 3  # that say how much a held film moves from one to the next


@dataclass(frozen=True)
class ShotChanges:
    """The number of jumps, and where they are."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The thresholds are fixed with the version."""
        return Provenance("thumbnails", f"2 opencv {opencv.version()}")

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Jumps(self.provenance(facts))


@dataclass
class ShotFinder:
    """Looks for jumps while a take goes by; it keeps two numbers a frame.

    ``steps``: the difference of each frame's thumbnail to that of the one before it, 0 to 1; 0 for the first.
    """

    steps: list[float] = field(default_factory=list)
    _strides: list[float] = field(default_factory=list)  # to the one two before it
    _last: npt.NDArray[np.float32] | None = None  # at most two thumbnails

    def add(self, chunk: FrameChunk) -> None:
        """Look at the next frames."""
        thumbnails = chunk.feature("thumbnails", _thumbnails)
        for thumbnail in thumbnails:
            known = thumbnail[None] if self._last is None else np.vstack([self._last, thumbnail])
            differences = np.abs(known[:-1] - thumbnail).mean(axis=1, dtype=np.float64).tolist()
            self.steps.append(differences[-1] if differences else 0.0)
            # of the second frame there is no other than the one before it
            self._strides.append(differences[0] if differences else 0.0)
            self._last = known[-2:]

    def changes(self) -> list[int]:
        """The indices at which a new shot begins."""
        return [at for at in range(1, len(self.steps)) if self._is_jump(at)]

    def _is_jump(self, at: int) -> bool:
        step = self.steps[at]
        if step < LEAST or step < STANDS_OUT * self._usual(at):
            return False
        # a flash: the picture is back one frame later, or was there one frame before
        back = self._strides[at + 1] if at + 1 < len(self.steps) else step
        return min(back, self._strides[at]) >= step / 2

    def _usual(self, at: int) -> float:
        """The median difference around a frame; of drawings, where a film is drawn on twos to fours."""
        before, after = self.steps[max(1, at - 2 * AROUND) : at], self.steps[at + 1 : at + 1 + 2 * AROUND]
        around = before[-AROUND:] + after[:AROUND]
        drawings = [step for step in before if step > STILL][-AROUND:]
        drawings += [step for step in after if step > STILL][:AROUND]
        if len(drawings) >= FEWEST_DRAWINGS:
            around = drawings
        return float(np.median(around)) if around else 0.0


def _thumbnails(frames: Frames) -> npt.NDArray[np.float32]:
    """Frames as thumbnails, T × N, 0 to 1; engines that look for shots share them."""
    cv2 = opencv.cv2()
    small = np.stack([cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA) for frame in frames])
    return small.reshape(len(frames), -1).astype(np.float32) / np.float32(255)


@dataclass
class _Jumps:
    provenance: Provenance
    shots: ShotFinder = field(default_factory=ShotFinder)

    def add(self, chunk: FrameChunk) -> None:
        self.shots.add(chunk)

    def finish(self) -> Score:
        if len(self.shots.steps) < 2:
            reason = "a shot changes between two frames or more"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        changes, per_frame = self.shots.changes(), (None, *self.shots.steps[1:])
        return Score(
            METRIC, "measured", self.provenance, float(len(changes)), per_frame, {"at_frames": changes}
        )
