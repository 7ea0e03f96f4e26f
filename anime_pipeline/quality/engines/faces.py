"""Faces in frames, and what a backend that finds and compares them offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from anime_pipeline.errors import UserError
from anime_pipeline.quality.engines.protocol import Frames

Embeddings = npt.NDArray[np.float32]
"""float32, N × width."""


class FaceError(UserError):
    """A picture that no character can be enrolled from."""


@dataclass(frozen=True)
class Face:
    """A face found in a picture.

    ``box`` is left, top, right, bottom in pixels. ``landmarks`` are five points (x, y), none where the
    backend finds no such points. ``confidence`` is the detector's, 0 to 1.
    """

    box: tuple[float, float, float, float]
    confidence: float
    embedding: npt.NDArray[np.float32]
    landmarks: tuple[tuple[float, float], ...] = ()


class FaceBackend(Protocol):
    """A detector and an embedder of faces that belong together."""

    @property
    def provider(self) -> str:
        """What computes them, as onnxruntime calls it."""

    def find(self, frames: Sequence[Frames]) -> list[list[Face]]:
        """The faces in each picture, uint8 height × width × 3; detected one by one, embedded in batches."""

    def compare(self, anchors: Embeddings, faces: Embeddings) -> npt.NDArray[np.float64]:
        """The raw likeness of each face to a character with these anchors: a cosine or a difference."""

    def similarity(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Raw values on the common scale, where 0.70 and more is the same character."""


def only_face(picture: Frames, backend: FaceBackend) -> Face:
    """The one face of an approved picture, to enrol a character with.

    Raises :class:`FaceError` for a picture with no face or with several.
    """
    faces = backend.find([picture])[0]
    if len(faces) == 1:
        return faces[0]
    if not faces:
        raise FaceError(
            "no face was found in the picture", "use a picture with a clear face, or another backend"
        )
    raise FaceError(
        f"there are {len(faces)} faces in the picture", "crop the picture to the character's face"
    )
