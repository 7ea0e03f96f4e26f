"""face_similarity: whether each expected character has its own face, 0 to 1, 0.70 and more is the same one.

In sampled frames faces are found, compared with the characters' approved pictures and assigned, each face to
one character. The value is that of the worst character: its mean over the frames in which it was found. A
character that is found in less than 80 % of the frames makes the take not measurable, since the frames that
are left say nothing about the others: a human looks. Never is "no face" a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines import arcface, ccip
from anime_pipeline.quality.engines.calibration import Calibration
from anime_pipeline.quality.engines.face_assignment import assign
from anime_pipeline.quality.engines.faces import Embeddings, Face, FaceBackend
from anime_pipeline.quality.engines.learned import begin, learned_provenance, unmeasurable
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Provenance,
    Score,
    TakeFacts,
    sampling_step,
)

METRIC = "face_similarity"
LOOKS_PER_SECOND = 4.0
LEAST_COVERAGE = 0.8


@dataclass(frozen=True)
class FaceSimilarity:
    """The worst expected character's mean similarity to its approved pictures."""

    models_dir: Path
    backend: str
    metric: str = METRIC
    reads_frames: bool = True

    @property
    def weights(self) -> tuple[str, ...]:
        """The detector's and the embedder's."""
        return _WEIGHTS[self.backend]

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The backend, the anchors it compares with, and which frames are looked at."""
        settings: dict[str, object] = {
            **_SETTINGS[self.backend],
            "every": sampling_step(facts.fps, LOOKS_PER_SECOND),
            "figures": list(facts.figures),
            "anchors": {name: sorted(sha256s) for name, sha256s in sorted(facts.anchors.items())},
        }
        if facts.identity_calibration is not None:  # the verdict names it
            settings["calibration"] = facts.identity_calibration.as_details()
        made = learned_provenance(self.backend, "1", self.weights, self.models_dir, settings)
        if _foreign(facts, made):
            settings["anchors_of_other_weights"] = True
        return made

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        provenance = self.provenance(facts)
        if not facts.figures:
            return unmeasurable(METRIC, provenance, "no character is expected in this cut")
        strangers = [name for name in facts.figures if len(facts.face_anchors.get(name, ())) == 0]
        if strangers:
            reason = f"no approved picture of {', '.join(strangers)} is enrolled"
            return unmeasurable(METRIC, provenance, reason, "anime-pipeline characters enroll")
        if _foreign(facts, provenance):
            reason = "the approved pictures were enrolled with other weights"
            return unmeasurable(METRIC, provenance, reason, "anime-pipeline characters enroll")
        return begin(METRIC, provenance, lambda: self._loaded(provenance, facts))

    def _loaded(self, provenance: Provenance, facts: TakeFacts) -> Accumulator:
        face_backend(self.backend, self.models_dir)
        anchors = {name: facts.face_anchors[name] for name in facts.figures}
        step = sampling_step(facts.fps, LOOKS_PER_SECOND)
        return Likenesses(
            provenance,
            anchors,
            lambda: face_backend(self.backend, self.models_dir),
            step,
            facts.identity_calibration,
        )


def _foreign(facts: TakeFacts, provenance: Provenance) -> bool:
    """Whether some anchor was embedded with other weights than these; absent weights are another matter."""
    return provenance.weights_sha256 is not None and bool(facts.anchor_weights - {provenance.weights_sha256})


_WEIGHTS = {"arcface": arcface.WEIGHTS, "ccip": ccip.WEIGHTS}
_SETTINGS = {"arcface": arcface.SETTINGS, "ccip": ccip.SETTINGS}
_LOADERS: dict[str, Callable[[Path], FaceBackend]] = {"arcface": arcface.load, "ccip": ccip.load}


def face_backend(name: str, models_dir: Path) -> FaceBackend:
    """The loaded backend, ``arcface`` or ``ccip``, to enrol and calibrate with.

    Raises WeightsError for model files that are absent or wrong, DeviceError for a device that onnxruntime
    cannot compute with, ImportError for an absent package.
    """
    return _LOADERS[name](models_dir)


@dataclass
class Likenesses:
    """The accumulator: each character's similarity by frame. ``backend`` gives the loaded models."""

    provenance: Provenance
    anchors: dict[str, Embeddings]
    backend: Callable[[], FaceBackend]
    step: int
    calibration: Calibration | None = None
    count: int = 0
    looks: dict[int, dict[str, float]] = field(default_factory=dict)  # by frame, by character
    raws: dict[str, list[float]] = field(default_factory=dict)
    strangers: int = 0  # faces that were nobody's
    provider: str = ""  # what computed them

    def add(self, chunk: FrameChunk) -> None:
        """Find and assign the faces of the sampled frames."""
        self.count += len(chunk.frames)
        looked_at = list(chunk.indexed(self.step))
        if not looked_at:
            return
        backend = self.backend()
        self.provider = backend.provider
        found = backend.find([chunk.frames[index] for _, index in looked_at])
        for (at, _), faces in zip(looked_at, found, strict=True):
            self.looks[at] = self._look(backend, faces)

    def _look(self, backend: FaceBackend, faces: Sequence[Face]) -> dict[str, float]:
        if not faces:
            return {}
        embeddings = np.stack([face.embedding for face in faces])
        raw = np.stack([backend.compare(anchors, embeddings) for anchors in self.anchors.values()])
        similarities = backend.similarity(raw)
        assigned = assign(similarities)
        self.strangers += len(faces) - len(assigned)
        look = {}
        for character, name in enumerate(self.anchors):
            if character in assigned:
                look[name] = float(similarities[character, assigned[character]])
                self.raws.setdefault(name, []).append(float(raw[character, assigned[character]]))
        return look

    def finish(self) -> Score:
        """The worst character's mean, or why there is none."""
        if not self.looks:
            return Score(METRIC, "not_measurable", self.provenance, reason="the take has no frames")
        characters = {name: self._of(name) for name in self.anchors}
        details: dict[str, object] = {
            "characters": characters,
            "frames_looked_at": len(self.looks),
            "other_faces": self.strangers,
            "provider": self.provider,
        }
        if self.calibration is not None:
            details["calibration"] = self.calibration.as_details()
        missing = [name for name in characters if float(characters[name]["coverage"] or 0) < LEAST_COVERAGE]
        if missing:
            looks = len(self.looks)
            reason = ", ".join(
                f"{name} was found in {sum(name in look for look in self.looks.values())} of {looks} frames"
                for name in missing
            )
            return Score(
                METRIC,
                "not_measurable",
                self.provenance,
                details=details,
                reason=f"{reason}; {LEAST_COVERAGE:.0%} of them are needed",
                remedy="look at the take and decide",
            )
        worst = min(float(entry["similarity"] or 0) for entry in characters.values())
        per_frame = tuple(min(self.looks.get(at, {}).values(), default=None) for at in range(self.count))
        return Score(METRIC, "measured", self.provenance, worst, per_frame, details)

    def _of(self, name: str) -> dict[str, float | None]:
        values = [look[name] for look in self.looks.values() if name in look]
        return {
            "coverage": len(values) / len(self.looks),
            "similarity": float(np.mean(values)) if values else None,
            "least": min(values) if values else None,
            "raw": float(np.mean(self.raws[name])) if values else None,
        }
