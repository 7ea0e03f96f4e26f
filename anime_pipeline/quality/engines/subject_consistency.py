"""subject_consistency: whether the subject stays itself through a film (VBench's definition).

DINO ViT-B/16 features of all frames; mean over the frames after the first of
½ [max(0, cos(fᵢ, fᵢ₋₁)) + max(0, cos(fᵢ, f₀))], 0 to 1, higher is steadier. A film of five seconds or more is
also reported as VBench-Long does it: in clips of two seconds, each against its own first frame, with the
clips' first frames against each other beside it. Motion lowers it, a frozen film scores 1.0, and it looks at
the whole picture, not at one character.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines.embeddings import DINO, Embeddings
from anime_pipeline.quality.engines.learned import begin, learned_provenance
from anime_pipeline.quality.engines.protocol import Accumulator, FrameChunk, Provenance, Score, TakeFacts

METRIC = "subject_consistency"
LONG_SECONDS = 5.0
CLIP_SECONDS = 2


@dataclass(frozen=True)
class SubjectConsistency:
    """Likeness of each frame to the one before it and to the first, in DINO's features."""

    models_dir: Path
    metric: str = METRIC
    weights: tuple[str, ...] = (DINO.weights,)
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The weights and the size of the pictures."""
        settings = {"short_side": 224, "precision": "fp32"}
        return learned_provenance("dino-vit-b-16", "vbench-1", self.weights, self.models_dir, settings)

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        return begin(METRIC, provenance, lambda: self._loaded(provenance, facts))

    def _loaded(self, provenance: Provenance, facts: TakeFacts) -> Accumulator:
        DINO.model(self.models_dir)
        return _Consistency(provenance, self.models_dir, facts.file_fps or facts.fps)


def consistency(features: Embeddings) -> list[float]:
    """VBench's value of each frame after the first, from unit features, frames × width."""
    exact = features.astype(np.float64)
    before = (exact[1:] * exact[:-1]).sum(axis=1).clip(min=0)
    first = (exact[1:] @ exact[0]).clip(min=0)
    values: list[float] = ((before + first) / 2).tolist()
    return values


def long_consistency(features: Embeddings, clip_frames: int) -> dict[str, object]:
    """VBench-Long's two numbers: the mean over clips, and the clips' first frames against each other.

    The last clip is filled up with frames before it, so that all have the same length.
    """
    starts = list(range(0, len(features) - clip_frames + 1, clip_frames))
    if len(features) % clip_frames:
        starts.append(len(features) - clip_frames)
    between = consistency(features[starts])
    clips = [float(np.mean(consistency(features[start : start + clip_frames]))) for start in starts]
    return {
        "within_clips": float(np.mean(clips)),
        "between_clips": float(np.mean(between)) if between else None,  # a film may be one clip
        "clip_starts": starts,
        "least_clip": min(clips),
    }


@dataclass
class _Consistency:
    provenance: Provenance
    models_dir: Path
    fps: float | None
    features: list[Embeddings] = field(default_factory=list)  # 3 KB a frame

    def add(self, chunk: FrameChunk) -> None:
        self.features.extend(DINO.of_chunk(chunk, self.models_dir).values())

    def finish(self) -> Score:
        if len(self.features) < 2:
            reason = "consistency needs two frames or more"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        features = np.stack(self.features)
        values = consistency(features)
        details: dict[str, object] = {"least": min(values), "least_at_frame": 1 + values.index(min(values))}
        if self.fps and len(features) >= LONG_SECONDS * self.fps:
            details["long"] = long_consistency(features, max(2, CLIP_SECONDS * int(self.fps)))
        return Score(METRIC, "measured", self.provenance, float(np.mean(values)), (None, *values), details)
