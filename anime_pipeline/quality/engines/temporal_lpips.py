"""temporal_lpips: how far each frame looks from the one before it, by LPIPS.

Mean over t of LPIPS(fₜ, fₜ₊₁), 0 for identical frames, lower is calmer. Anime is drawn on twos and threes,
and held frames dilute a mean: the details also give the mean of the pairs that moved, the 95th percentile,
the worst pair, and the frames at which the shot itself changes. Every frame's features are computed once; the
last frame's are carried from chunk to chunk, so memory does not grow with a film's length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines import lpips_backends
from anime_pipeline.quality.engines.held_frames import drawings
from anime_pipeline.quality.engines.learned import begin
from anime_pipeline.quality.engines.lpips_network import Features, LpipsNetwork, joined, picture_features
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)
from anime_pipeline.quality.engines.shot_changes import ShotFinder
from anime_pipeline.quality.engines.torch_runtime import in_batches

METRIC = "temporal_lpips"

HELD_LEVELS = 12  # a codec moves a held frame's values by less
HELD_SHARE = 1 / 5000  # of its values may move by more, and the frame still counts as held


@dataclass(frozen=True)
class TemporalLpips(lpips_backends.LpipsEngine):
    """Mean LPIPS of consecutive frames."""

    metric: str = METRIC
    reads_frames: bool = True

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        return begin(METRIC, provenance, lambda: _Temporal(provenance, self.loaded(), self.models_dir))


def is_held(before: Frames, after: Frames) -> bool:
    """Whether a frame is the one before it again, but for what a codec does to it."""
    moved = np.maximum(before, after) - np.minimum(before, after) > HELD_LEVELS
    return int(np.count_nonzero(moved)) <= moved.size * HELD_SHARE


@dataclass
class _Temporal:
    provenance: Provenance
    backend: lpips_backends.LpipsBackend
    models_dir: Path
    carried: Features | None = None
    last: Frames | None = None
    distances: list[float | None] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    shots: ShotFinder = field(default_factory=ShotFinder)

    def add(self, chunk: FrameChunk) -> None:
        for frame in chunk.frames:
            self.held.append(self.last is not None and is_held(self.last, frame))
            self.last = frame
        self.shots.add(chunk)
        frames = lpips_backends.seen(chunk.frames, self.backend.short_side)
        kept, shown = drawings(frames)
        network = lpips_backends.network(self.backend, self.models_dir)
        at_once = lpips_backends.frames_at_once(self.backend.trunk, frames)
        parts = in_batches(len(kept), at_once, lambda part: self._walk(network, frames[kept[part]]))
        distances = [distance for part in parts for distance in part]
        self.distances.extend(
            distances[drawing] if index == kept[drawing] else 0.0 for index, drawing in enumerate(shown)
        )

    def _walk(self, network: LpipsNetwork, frames: Frames) -> list[float | None]:
        """The distance of each frame to the one before it; None for a take's first."""
        first: list[float | None] = [None] if self.carried is None else []
        row = joined(self.carried, network.features(frames))
        before, after = picture_features(row, slice(None, -1)), picture_features(row, slice(1, None))
        distances: list[float | None] = first + network.distances(before, after).tolist()
        self.carried = [layer[-1:].clone() for layer in row]
        return distances

    def finish(self) -> Score:
        pairs = [value for value in self.distances if value is not None]
        if not pairs:
            reason = "the distance of frames needs two frames or more"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        moving = [
            value
            for value, held in zip(self.distances, self.held, strict=True)
            if value is not None and not held
        ]
        details: dict[str, object] = {
            "p95": float(np.percentile(pairs, 95)),
            "most": max(pairs),
            "most_at_frame": self.distances.index(max(pairs)),
            "held_frames": sum(self.held),
            "mean_without_held": float(np.mean(moving)) if moving else None,
            "shot_changes": self.shots.changes(),
        }
        return Score(
            METRIC, "measured", self.provenance, float(np.mean(pairs)), tuple(self.distances), details
        )
