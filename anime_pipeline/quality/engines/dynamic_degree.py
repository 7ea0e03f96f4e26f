"""dynamic_degree: how much a film moves.

Mean length of the optical flow from each frame to the next (OpenCV DIS), over all pixels and pairs, as a
share of the frame's diagonal: 0 for a frozen film, 0.001 for a pan of about 0.7 pixels a frame at 640 × 360.
Higher is more motion, not better motion: it is the floor that keeps a still from passing for a smooth film.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anime_pipeline.quality.engines import opencv
from anime_pipeline.quality.engines.protocol import Accumulator, FrameChunk, Provenance, Score, TakeFacts

METRIC = "dynamic_degree"


@dataclass(frozen=True)
class DynamicDegree:
    """Mean optical-flow length per frame, in parts of the diagonal."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The flow's version and the size it is computed at."""
        return opencv.flow_provenance()

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Dynamics(self.provenance(facts), opencv.new_flow())


@dataclass
class _Dynamics:
    provenance: Provenance
    flow: Any
    last: opencv.Gray | None = None
    degrees: list[float | None] = field(default_factory=list)

    def add(self, chunk: FrameChunk) -> None:
        for picture in opencv.flow_pictures(chunk):
            self.degrees.append(None if self.last is None else self._degree(self.last, picture))
            self.last = picture

    def _degree(self, before: opencv.Gray, after: opencv.Gray) -> float:
        flow = self.flow.calc(before, after, None)
        return float(np.hypot(flow[..., 0], flow[..., 1]).mean(dtype=np.float64)) / math.hypot(*after.shape)

    def finish(self) -> Score:
        pairs = [value for value in self.degrees if value is not None]
        if not pairs:
            return Score(METRIC, "not_measurable", self.provenance, reason="motion needs two frames or more")
        return Score(
            METRIC,
            "measured",
            self.provenance,
            sum(pairs) / len(pairs),
            tuple(self.degrees),
            {"most": max(pairs), "most_at_frame": self.degrees.index(max(pairs))},
        )
