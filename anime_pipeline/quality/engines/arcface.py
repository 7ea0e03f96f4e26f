"""ArcFace by InsightFace's pack buffalo_l: photo faces, a cosine, weights for non-commercial research only.

SCRFD-10G finds faces and five landmarks; the face is warped onto 112 × 112 and embedded by a ResNet-50. Its
makers say that it is not for drawn faces: on clear anime sprites a photo detector finds almost none.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.faces import Embeddings, Face
from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.quality.engines.protocol import Frames
from anime_pipeline.quality.engines.torch_runtime import in_batches, onnx_providers, provider_of
from anime_pipeline.quality.engines.weights import verified_paths, weights_sha256

WEIGHTS = ("buffalo_l",)
LEAST_CONFIDENCE = 0.5
DETECTION_SIDE = 640  # insightface 2 looks at two sizes unless it is told one
CROPS_AT_ONCE = 64
SETTINGS: dict[str, object] = {"detection_side": DETECTION_SIDE}


@dataclass(frozen=True)
class ArcFace:
    """The loaded pack. ``analysis`` is an ``insightface.app.FaceAnalysis``, ``crop`` its alignment.

    ``folder`` is where it reads its files, again when it meets a new size; it goes when this goes.
    """

    analysis: Any
    crop: Any
    bytes: int
    folder: tempfile.TemporaryDirectory[str]
    provider: str

    def find(self, frames: Sequence[Frames]) -> list[list[Face]]:
        """Faces with embeddings of unit length; those of all frames go through the embedder in batches."""
        pictures = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]  # it reads BGR
        detections = [self.analysis.det_model.detect(picture) for picture in pictures]
        recogniser = self.analysis.models["recognition"]
        side = recogniser.input_size[0]
        crops = [
            self.crop(picture, points, side)
            for picture, (_, landmarks) in zip(pictures, detections, strict=True)
            for points in (() if landmarks is None else landmarks)
        ]
        if not crops:
            return [[] for _ in frames]
        parts = in_batches(len(crops), CROPS_AT_ONCE, lambda part: recogniser.get_feat(crops[part]))
        embeddings = iter(_unit(np.concatenate(list(parts))))
        return [
            [
                Face(
                    _box(box), float(box[4]), next(embeddings), tuple((float(x), float(y)) for x, y in points)
                )
                for box, points in zip(boxes, () if landmarks is None else landmarks, strict=True)
            ]
            for boxes, landmarks in detections
        ]

    def compare(self, anchors: Embeddings, faces: Embeddings) -> npt.NDArray[np.float64]:
        """Cosine of each face with the normalised mean of the anchors."""
        prototype = _unit(_unit(anchors).mean(axis=0, keepdims=True))[0]
        cosines: npt.NDArray[np.float64] = _unit(faces).astype(np.float64) @ prototype.astype(np.float64)
        return cosines

    def similarity(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The cosine itself; below zero counts as zero."""
        return raw.clip(0, 1)


def load(models_dir: Path) -> ArcFace:
    """The pack from the models folder. Raises WeightsError for files that are absent or wrong."""
    key = ("arcface", weights_sha256(WEIGHTS, models_dir), tuple(onnx_providers()))
    return models().get(key, lambda: _loaded(verified_paths(WEIGHTS[0], models_dir)))


def _loaded(files: Sequence[Path]) -> ArcFace:
    app = importlib.import_module("insightface.app")
    align = importlib.import_module("insightface.utils.face_align")
    # FaceAnalysis opens every model in a folder, so it is given one with the verified files and no others
    folder = tempfile.TemporaryDirectory(prefix="arcface-")
    for file in files:
        (Path(folder.name) / file.name).symlink_to(file.absolute())
    analysis = app.FaceAnalysis(
        name=folder.name, allowed_modules=["detection", "recognition"], providers=onnx_providers()
    )
    analysis.prepare(0, det_thresh=LEAST_CONFIDENCE, det_size=(DETECTION_SIDE, DETECTION_SIDE))
    provider = provider_of(model.session for model in analysis.models.values())
    return ArcFace(analysis, align.norm_crop, sum(file.stat().st_size for file in files), folder, provider)


def _box(box: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box[:4])
    return left, top, right, bottom


def _unit(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = (embeddings / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit
