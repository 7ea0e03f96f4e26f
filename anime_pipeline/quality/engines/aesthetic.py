"""aesthetic: how much people would like the picture, from about 1 to 10, by LAION's predictors.

A linear function of the unit embedding of CLIP ViT-L/14, averaged over sampled frames. ``laion-v2`` is the
improved predictor (sac+logos+ava1-l14-linearMSE): its five layers have nothing between them, and are the one
linear function they amount to. ``laion-v1`` is VBench's mode: the first predictor, VBench's preparation of
pictures, and every frame; VBench then divides by ten. Photographs and renders of famous styles fool it; an
embedding that is not of unit length scores 20 to 30.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.embeddings import CLIP, CLIP_VBENCH, Embedder, Embeddings
from anime_pipeline.quality.engines.learned import begin, learned_provenance, sampled_score
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Provenance,
    Score,
    TakeFacts,
    sampling_step,
)
from anime_pipeline.quality.engines.torch_runtime import Tensor, load_state
from anime_pipeline.quality.engines.weights import verified_paths

METRIC = "aesthetic"
LOOKS_PER_SECOND = 4.0

_HEADS: Mapping[str, tuple[str, Embedder]] = {
    "laion-v2": ("laion-aesthetic-v2", CLIP),
    "laion-v1": ("laion-aesthetic-v1", CLIP_VBENCH),
}
_V2_LAYERS = (0, 2, 4, 6, 7)


@dataclass(frozen=True)
class LinearHead:
    """score = weight · embedding + bias."""

    weight: npt.NDArray[np.float64]
    bias: float

    def scores(self, embeddings: Embeddings) -> npt.NDArray[np.float64]:
        """The scores of embeddings, N × width."""
        scores: npt.NDArray[np.float64] = embeddings.astype(np.float64) @ self.weight + self.bias
        return scores


def head_from(state: Mapping[str, Tensor]) -> LinearHead:
    """The head of V1's state dict (``weight``, ``bias``) or of V2's (``layers.0.weight`` …), collapsed."""
    names = [""] if "weight" in state else [f"layers.{index}." for index in _V2_LAYERS]
    width = state[f"{names[0]}weight"].shape[1]
    weight, bias = np.eye(width), np.zeros(width)
    for name in names:
        layer = state[f"{name}weight"].double().numpy()
        weight, bias = layer @ weight, layer @ bias + state[f"{name}bias"].double().numpy()
    return LinearHead(weight[0], float(bias[0]))


@dataclass(frozen=True)
class Aesthetic:
    """LAION's aesthetic score, mean over sampled frames."""

    models_dir: Path
    backend: str = "laion-v2"
    metric: str = METRIC
    reads_frames: bool = True

    @property
    def weights(self) -> tuple[str, ...]:
        """CLIP's and the head's."""
        head, embedder = _HEADS[self.backend]
        return (embedder.weights, head)

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The head, the tower, and which frames are looked at."""
        settings = {"prepared": _HEADS[self.backend][1].prepared, "every": self._step(facts)}
        return learned_provenance(self.backend, "1", self.weights, self.models_dir, settings)

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        return begin(METRIC, provenance, lambda: self._loaded(provenance, self._step(facts)))

    def _step(self, facts: TakeFacts) -> int:
        return 1 if self.backend == "laion-v1" else sampling_step(facts.fps, LOOKS_PER_SECOND)

    def _loaded(self, provenance: Provenance, step: int) -> Accumulator:
        name, embedder = _HEADS[self.backend]
        head = head_from(load_state(verified_paths(name, self.models_dir)[0]))
        embedder.model(self.models_dir)
        return _Appeal(provenance, embedder, head, self.models_dir, step)


@dataclass
class _Appeal:
    provenance: Provenance
    embedder: Embedder
    head: LinearHead
    models_dir: Path
    step: int
    count: int = 0
    scores: dict[int, float] = field(default_factory=dict)  # by index of the frame

    def add(self, chunk: FrameChunk) -> None:
        self.count += len(chunk.frames)
        for at, embedding in self.embedder.of_chunk(chunk, self.models_dir, self.step).items():
            self.scores[at] = float(self.head.scores(embedding[None])[0])

    def finish(self) -> Score:
        details = {"frames_looked_at": len(self.scores)}
        return sampled_score(METRIC, self.provenance, self.scores, self.count, details)
