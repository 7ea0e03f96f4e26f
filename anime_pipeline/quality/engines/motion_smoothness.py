"""motion_smoothness: whether each frame is where its neighbours say it should be (VBench).

The odd frames are dropped and made again from the even frames around them; the value is (255 − mean |made −
dropped|) / 255, from 0 to 1, higher is smoother. VBench makes them with AMT-S, whose licence forbids
commercial use: the backend ``amt-s`` runs the copy that a user has installed. ``dis`` warps both neighbours
half-way along OpenCV's DIS optical flow and averages them. Numbers of the two interpolators are not
comparable. A still scores 1.0: read it with dynamic_degree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anime_pipeline.quality.engines import amt, opencv
from anime_pipeline.quality.engines.differences import likeness, mean_absolute_difference
from anime_pipeline.quality.engines.learned import begin, learned_provenance
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)

METRIC = "motion_smoothness"


@dataclass(frozen=True)
class MotionSmoothness:
    """Likeness of the odd frames to what their neighbours predict, by optical flow."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The flow's version and the size it is computed at."""
        return opencv.flow_provenance()

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Smoothness(self.provenance(facts), _AlongTheFlow(opencv.new_flow()))


@dataclass(frozen=True)
class AmtMotionSmoothness:
    """Likeness of the odd frames to what AMT-S makes of their neighbours: VBench's own definition."""

    models_dir: Path
    metric: str = METRIC
    weights: tuple[str, ...] = amt.WEIGHTS
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """One hash of the user's checkpoint and of the code that it is run with."""
        return learned_provenance("amt-s", "vbench-1", self.weights, self.models_dir, amt.SETTINGS)

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        return begin(METRIC, provenance, lambda: self._loaded(provenance))

    def _loaded(self, provenance: Provenance) -> Accumulator:
        amt.load(self.models_dir)
        return _Smoothness(provenance, _ByAmt(self.models_dir))


@dataclass(frozen=True)
class _Shown:
    """A frame, and what the interpolator wanted of it."""

    frame: Frames
    picture: Frames


class _Interpolator(Protocol):
    """What makes a frame again from the two around it."""

    def pictures(self, chunk: FrameChunk) -> Sequence[Frames]:
        """What it wants of each frame besides the frame itself."""

    def middle(self, before: _Shown, after: _Shown) -> Frames:
        """The frame half-way between two."""


@dataclass(frozen=True)
class _AlongTheFlow:
    flow: Any

    def pictures(self, chunk: FrameChunk) -> Sequence[Frames]:
        return opencv.flow_pictures(chunk)

    def middle(self, before: _Shown, after: _Shown) -> Frames:
        return middle_frame(self.flow, before.frame, after.frame, before.picture, after.picture)


@dataclass(frozen=True)
class _ByAmt:
    models_dir: Path

    def pictures(self, chunk: FrameChunk) -> Sequence[Frames]:
        return list(chunk.frames)

    def middle(self, before: _Shown, after: _Shown) -> Frames:
        return amt.load(self.models_dir).middle_frame(before.frame, after.frame)


def middle_frame(
    flow: Any, before: Frames, after: Frames, before_picture: opencv.Gray, after_picture: opencv.Gray
) -> Frames:
    """The frame half-way between two, from the flow to each other; the same when time runs backwards."""
    one = _half_way(flow.calc(before_picture, after_picture, None), before)
    other = _half_way(flow.calc(after_picture, before_picture, None), after)
    middle: Frames = opencv.cv2().addWeighted(one, 0.5, other, 0.5, 0.0)
    return middle


def _half_way(flow: opencv.Flow, frame: Frames) -> Frames:
    height, width = frame.shape[:2]
    half = opencv.flow_at(flow, height, width) * np.float32(0.5)
    columns = np.arange(width, dtype=np.float32) - half[..., 0]
    rows = np.arange(height, dtype=np.float32)[:, None] - half[..., 1]
    module = opencv.cv2()
    moved: Frames = module.remap(
        frame, columns, rows, module.INTER_LINEAR, borderMode=module.BORDER_REPLICATE
    )
    return moved


@dataclass
class _Smoothness:
    provenance: Provenance
    interpolator: _Interpolator
    even: _Shown | None = None
    odd: Frames | None = None
    count: int = 0
    differences: dict[int, float] = field(default_factory=dict)  # by index of the odd frame

    def add(self, chunk: FrameChunk) -> None:
        for frame, picture in zip(chunk.frames, self.interpolator.pictures(chunk), strict=True):
            if self.count % 2:
                self.odd = frame
            else:
                self._even(_Shown(frame, picture))
            self.count += 1

    def _even(self, shown: _Shown) -> None:
        if self.even is not None and self.odd is not None:
            made = self.interpolator.middle(self.even, shown)
            self.differences[self.count - 1] = mean_absolute_difference(made, self.odd)
        self.even = shown

    def finish(self) -> Score:
        if not self.differences:
            return Score(
                METRIC, "not_measurable", self.provenance, reason="smoothness needs three frames or more"
            )
        worst = max(self.differences, key=lambda index: self.differences[index])
        return Score(
            METRIC,
            "measured",
            self.provenance,
            likeness(sum(self.differences.values()) / len(self.differences)),
            tuple(
                likeness(self.differences[t]) if t in self.differences else None for t in range(self.count)
            ),
            {"least": likeness(self.differences[worst]), "least_at_frame": worst},
        )
