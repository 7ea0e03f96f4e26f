"""What calibrating computes: how alike the same are, how alike the different, and what tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.calibration import LEAST_AUC, auc
from anime_pipeline.quality.engines.faces import FaceBackend
from anime_pipeline.quality.engines.style_reference import left_out_cosines, style_reference
from anime_pipeline.quality.errors import CalibrationError

Values = tuple[float, ...]


@dataclass(frozen=True)
class Separation:
    """Values of the same and of the different, on the metric's scale and raw; ``scale`` is the style's."""

    same: Values
    different: Values
    raw_same: Values
    raw_different: Values
    auc: float
    scale: Mapping[str, Any] = field(default_factory=dict)

    @property
    def separates(self) -> bool:
        """Whether same and different are told apart well enough."""
        return self.auc >= LEAST_AUC

    def passing(self, threshold: float | None) -> tuple[float, float] | None:
        """The shares of same and different at or above a threshold; None without one."""
        if threshold is None:
            return None
        same, different = (float(np.mean(np.array(v) >= threshold)) for v in (self.same, self.different))
        return same, different


def separate_identities(
    backend: FaceBackend, embeddings: Mapping[str, npt.NDArray[np.float32]]
) -> Separation:
    """Each enrolled face against the others of its character, and against every other character's.

    As face_similarity compares: one face with all anchors of a character. Raises
    :class:`CalibrationError` for fewer than two characters, or where none has two faces.
    """
    if len(embeddings) < 2 or all(len(faces) < 2 for faces in embeddings.values()):
        counts = ", ".join(f"{name} {len(faces)}" for name, faces in embeddings.items()) or "none"
        raise CalibrationError(
            f"identity needs two characters with faces and one of them with two; enrolled are: {counts}",
            "anime-pipeline characters enroll PROJECT NAME --image FILE",
        )
    same = [
        float(backend.compare(np.delete(faces, at, axis=0), faces[at : at + 1])[0])
        for faces in embeddings.values()
        if len(faces) > 1
        for at in range(len(faces))
    ]
    different = [
        float(raw)
        for name, anchors in embeddings.items()
        for other, faces in embeddings.items()
        if other != name
        for raw in backend.compare(anchors, faces)
    ]
    same_values, different_values = (backend.similarity(np.array(raw)) for raw in (same, different))
    # A raw value may be a difference: its likeness is what ranks. Clipping makes ties, and they count half.
    found = auc(same_values, different_values)
    return Separation(
        tuple(same_values.tolist()), tuple(different_values.tolist()), tuple(same), tuple(different), found
    )


def separate_styles(
    backend: str,
    approved: npt.NDArray[np.float32],
    others: npt.NDArray[np.float32],
    references_sha256: str,
) -> Separation:
    """Each approved picture against the prototype of the others, and pictures of other styles against it.

    ``approved`` and ``others`` are unit embeddings. Raises StyleReferenceError for too few pictures, and
    where the two cannot be told apart at all.
    """
    style = style_reference(backend, approved, others, references_sha256)
    same, different = left_out_cosines(approved), style.cosines(others)
    scale = {
        "prototype": list(style.prototype),
        "low": style.low,
        "approved": style.approved,
        "best": style.best,
    }
    return Separation(
        tuple(style.adherence(float(cosine)) for cosine in same),
        tuple(style.adherence(float(cosine)) for cosine in different),
        tuple(same.tolist()),
        tuple(different.tolist()),
        style.auc,
        scale,
    )
