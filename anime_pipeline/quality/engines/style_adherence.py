"""style_adherence: how close frames come to the project's approved pictures, 0 to 1, higher is closer.

The cosine of a style embedding to the style's prototype, on the scale of the project's own calibration (see
style_reference): 0.85 is as close as the approved pictures are to each other. ``csd`` embeds style apart from
content (Somepalli et al., 2024); ``clip`` is CLIP's image embedding, which mixes both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines.embeddings import CLIP, CSD, Embedder
from anime_pipeline.quality.engines.learned import (
    begin,
    learned_provenance,
    sampled_score,
    unmeasurable,
)
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Provenance,
    Score,
    TakeFacts,
    sampling_step,
)
from anime_pipeline.quality.engines.style_reference import StyleReference

METRIC = "style_adherence"
LOOKS_PER_SECOND = 4.0  # aesthetic's, so that both share CLIP's embeddings

REMEDY = "anime-pipeline calibrate PROJECT"
EMBEDDERS = {"csd": CSD, "clip": CLIP}


@dataclass(frozen=True)
class StyleAdherence:
    """Mean closeness of sampled frames to the project's style."""

    models_dir: Path
    backend: str = "csd"
    metric: str = METRIC
    reads_frames: bool = True

    @property
    def weights(self) -> tuple[str, ...]:
        """The embedder's."""
        return (EMBEDDERS[self.backend].weights,)

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The embedder, the references and their calibration, and which frames are looked at."""
        settings: dict[str, object] = {"every": sampling_step(facts.fps, LOOKS_PER_SECOND)}
        if facts.style is not None:
            settings |= {
                "references_sha256": facts.style.references_sha256,
                "anchors": [facts.style.low, facts.style.approved, facts.style.best],
            }
        made = learned_provenance(self.backend, "1", self.weights, self.models_dir, settings)
        if _foreign(facts.style, made):
            settings["calibration_of_other_weights"] = True
        return made

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        style = facts.style
        if style is None or style.backend != self.backend:
            reason = "the project's style has no calibration"
            if style is not None:
                reason += f" for {self.backend}; it was made with {style.backend}"
            return unmeasurable(METRIC, provenance, reason, REMEDY)
        if _foreign(style, provenance):
            reason = "the project's style was calibrated with other weights"
            return unmeasurable(METRIC, provenance, reason, REMEDY)
        return begin(METRIC, provenance, lambda: self._loaded(provenance, style, facts))

    def _loaded(self, provenance: Provenance, style: StyleReference, facts: TakeFacts) -> Accumulator:
        embedder = EMBEDDERS[self.backend]
        embedder.model(self.models_dir)
        return _Adherence(
            provenance, embedder, style, self.models_dir, sampling_step(facts.fps, LOOKS_PER_SECOND)
        )


def _foreign(style: StyleReference | None, provenance: Provenance) -> bool:
    """Whether a style was embedded with other weights than these; absent weights are another matter."""
    weights = provenance.weights_sha256
    return style is not None and weights is not None and style.weights_sha256 not in (None, weights)


@dataclass
class _Adherence:
    provenance: Provenance
    embedder: Embedder
    style: StyleReference
    models_dir: Path
    step: int
    count: int = 0
    cosines: dict[int, float] = field(default_factory=dict)  # by index of the frame

    def add(self, chunk: FrameChunk) -> None:
        self.count += len(chunk.frames)
        for at, embedding in self.embedder.of_chunk(chunk, self.models_dir, self.step).items():
            self.cosines[at] = float(self.style.cosines(embedding[None])[0])

    def finish(self) -> Score:
        values = {at: self.style.adherence(cosine) for at, cosine in self.cosines.items()}
        details = {
            "cosine": float(np.mean(list(self.cosines.values()))) if self.cosines else None,
            "calibration": self.style.calibration.as_details(),
        }
        return sampled_score(METRIC, self.provenance, values, self.count, details)
