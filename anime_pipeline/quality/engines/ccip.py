"""CCIP: whether two drawings show the same anime character, as a difference; the lower, the more the same.

Model ccip-caformer-24-randaug-pruned (deepghs, OpenRAIL) with its published threshold of 0.178475. The
similarity is 1 − 0.30 · difference / threshold, so that 0.70 is the threshold exactly. CCIP was trained on
whole figures: the face's box is widened to the head around it, for approved pictures and frames alike.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from anime_pipeline.quality.engines.anime_faces import AnimeFaceDetector
from anime_pipeline.quality.engines.faces import Embeddings, Face
from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.quality.engines.pictures import CLIP_MEAN, CLIP_STD
from anime_pipeline.quality.engines.protocol import Frames
from anime_pipeline.quality.engines.torch_runtime import in_batches, onnx_providers, provider_of
from anime_pipeline.quality.engines.weights import verified_paths, weights_sha256

WEIGHTS = ("ccip", "anime-face")
THRESHOLD = 0.17847511429108218
AT_THRESHOLD = 0.70
SIDE = 384
HEADS_AT_ONCE = 16
HEAD = 2.0  # side of the square that is looked at, in longer sides of the face
SETTINGS: dict[str, object] = {"threshold": THRESHOLD, "head": HEAD}


@dataclass(frozen=True)
class Ccip:
    """The loaded models, as ``onnxruntime.InferenceSession``."""

    detector: AnimeFaceDetector
    features: Any
    metrics: Any
    bytes: int
    provider: str = ""

    def find(self, frames: Sequence[Frames]) -> list[list[Face]]:
        """Faces with CCIP's embedding of the head around each; the heads of all frames go in batches."""
        boxes = [self.detector.boxes(frame) for frame in frames]
        heads = [
            head_of(frame, box) for frame, of_frame in zip(frames, boxes, strict=True) for box in of_frame
        ]
        if not heads:
            return [[] for _ in frames]
        embeddings = iter(self.embed(heads))
        return [
            [Face((box[0], box[1], box[2], box[3]), box[4], next(embeddings)) for box in of_frame.tolist()]
            for of_frame in boxes
        ]

    def embed(self, pictures: Sequence[Frames]) -> Embeddings:
        """CCIP's embeddings of pictures of one character each, prepared as its makers do."""
        parts = in_batches(len(pictures), HEADS_AT_ONCE, lambda part: self._embed(pictures[part]))
        return np.concatenate(list(parts))

    def _embed(self, pictures: Sequence[Frames]) -> Embeddings:
        squares = np.stack(
            [
                np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
                for picture in pictures
            ]
        )
        normal = (squares.astype(np.float32) / np.float32(255) - np.asarray(CLIP_MEAN)) / np.asarray(CLIP_STD)
        pixels = np.ascontiguousarray(normal.transpose(0, 3, 1, 2), np.float32)
        (embeddings,) = self.features.run(["output"], {"input": pixels})
        found: Embeddings = embeddings
        return found

    def compare(self, anchors: Embeddings, faces: Embeddings) -> npt.NDArray[np.float64]:
        """CCIP's difference of each face, mean over the anchors."""
        together = np.concatenate([anchors, faces]).astype(np.float32)
        (differences,) = self.metrics.run(["output"], {"input": together})
        mean: npt.NDArray[np.float64] = differences[: len(anchors), len(anchors) :].mean(
            axis=0, dtype=np.float64
        )
        return mean

    def similarity(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """1 − 0.30 · difference / threshold, between 0 and 1."""
        return (1 - (1 - AT_THRESHOLD) * raw / THRESHOLD).clip(0, 1)


def head_of(picture: Frames, box: npt.NDArray[np.float64]) -> Frames:
    """The square around a face's box, as far as it is in the picture; one pixel at least."""
    left, top, right, bottom = box[:4]
    half = HEAD * max(right - left, bottom - top) / 2
    height, width = picture.shape[:2]
    rows, columns = _side((top + bottom) / 2, half, height), _side((left + right) / 2, half, width)
    return picture[rows, columns]


def _side(middle: float, half: float, length: int) -> slice:
    start = min(max(0, round(middle - half)), length - 1)
    return slice(start, max(start + 1, round(middle + half)))


def load(models_dir: Path) -> Ccip:
    """The models from the models folder. Raises WeightsError for files absent or not the right ones."""
    key = ("ccip", weights_sha256(WEIGHTS, models_dir), tuple(onnx_providers()))
    return models().get(key, lambda: _loaded(models_dir))


def _loaded(models_dir: Path) -> Ccip:
    session = importlib.import_module("onnxruntime").InferenceSession
    files = [file for name in WEIGHTS for file in verified_paths(name, models_dir)]
    sessions = [session(str(file), providers=onnx_providers()) for file in files]
    features, metrics, detector = sessions
    size = sum(file.stat().st_size for file in files)
    return Ccip(AnimeFaceDetector(detector), features, metrics, size, provider_of(sessions))
