"""temporal_flicker: how steady neighbouring frames are (VBench's temporal flickering).

(255 − mean over t of mean |fₜ₊₁ − fₜ|) / 255, from 0 to 1, higher is steadier. Motion lowers it as flicker
does, so it is a floor against strobing and not a measure of beauty; a frozen film scores 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from anime_pipeline.quality.engines.differences import likeness, mean_absolute_difference
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)

METRIC = "temporal_flicker"


@dataclass(frozen=True)
class TemporalFlicker:
    """Mean likeness of each frame to the one before it."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """No setting changes the value."""
        return Provenance("vbench-formula", "1")

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Flicker(self.provenance(facts))


@dataclass
class _Flicker:
    provenance: Provenance
    last: Frames | None = None
    differences: list[float | None] = field(default_factory=list)

    def add(self, chunk: FrameChunk) -> None:
        for frame in chunk.frames:
            self.differences.append(None if self.last is None else mean_absolute_difference(self.last, frame))
            self.last = frame

    def finish(self) -> Score:
        pairs = [value for value in self.differences if value is not None]
        if not pairs:
            return Score(METRIC, "not_measurable", self.provenance, reason="flicker needs two frames or more")
        return Score(
            METRIC,
            "measured",
            self.provenance,
            likeness(sum(pairs) / len(pairs)),
            tuple(None if value is None else likeness(value) for value in self.differences),
            {"least": likeness(max(pairs)), "least_at_frame": self.differences.index(max(pairs))},
        )
