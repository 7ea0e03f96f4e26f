"""loop_closure: whether a loop's last frame leads back into its first.

LPIPS(last, first), 0 for identical frames, lower closes better. It says nothing about the frames between:
read it with temporal_lpips, and compare it with that metric's own step from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines import lpips_backends
from anime_pipeline.quality.engines.learned import begin, unmeasurable
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)

METRIC = "loop_closure"


@dataclass(frozen=True)
class LoopClosure(lpips_backends.LpipsEngine):
    """LPIPS of a loop's last frame to its first."""

    metric: str = METRIC
    reads_frames: bool = True

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        if facts.kind != "loop":
            return unmeasurable(METRIC, provenance, f"a {facts.kind} does not have to lead back to its start")
        return begin(METRIC, provenance, lambda: _Closure(provenance, self.loaded(), self.models_dir))


@dataclass
class _Closure:
    provenance: Provenance
    backend: lpips_backends.LpipsBackend
    models_dir: Path
    first: Frames | None = None
    last: Frames | None = None
    count: int = 0

    def add(self, chunk: FrameChunk) -> None:
        if self.first is None:
            self.first = chunk.frames[0].copy()
        self.last = chunk.frames[-1].copy()
        self.count += len(chunk.frames)

    def finish(self) -> Score:
        if self.first is None or self.last is None or self.count < 2:
            reason = "a loop needs two frames or more"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        ends = lpips_backends.seen(np.stack([self.last, self.first]), self.backend.short_side)
        network = lpips_backends.network(self.backend, self.models_dir)
        # One after the other: together they need twice the room.
        last, first = network.features(ends[:1]), network.features(ends[1:])
        return Score(METRIC, "measured", self.provenance, float(network.distances(last, first)[0]))
