"""Anime faces by the detector face_detect_v1.4_s (deepghs, MIT): a YOLOv8 with one class, in ONNX.

Equal to what ``dghs-imgutils`` finds with its defaults; its models are read from the models folder here,
where that package would download them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from anime_pipeline.quality.engines.protocol import Frames

LEAST_CONFIDENCE = 0.25
MOST_OVERLAP = 0.7
DEFAULT_SIDE = 640

Boxes = npt.NDArray[np.float64]
"""N × 5: left, top, right, bottom in pixels of the picture, confidence; the surest first."""


@dataclass(frozen=True)
class AnimeFaceDetector:
    """The detector; ``session`` is an ``onnxruntime.InferenceSession``."""

    session: Any

    def boxes(self, picture: Frames) -> Boxes:
        """The faces of a picture, uint8 height × width × 3."""
        size = self.session.get_modelmeta().custom_metadata_map.get("imgsz")
        width, height = json.loads(size) if size else (DEFAULT_SIDE, DEFAULT_SIDE)
        resized = np.asarray(Image.fromarray(picture).resize((width, height)))
        pixels = resized.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        (output,) = self.session.run(["output0"], {"images": pixels})
        return surest(output[0].T, (width, height), (picture.shape[1], picture.shape[0]))


def surest(candidates: npt.NDArray[np.float32], seen: tuple[int, int], picture: tuple[int, int]) -> Boxes:
    """Of candidates (centre x, centre y, width, height, confidence) the sure ones that don't overlap.

    They are in pixels of what the detector has seen; their corners are rounded to the picture's pixels and
    kept inside. Sizes are width, height. All is float32, as with the detector's makers, down to the rounding.
    """
    candidates = candidates[candidates[:, 4] > LEAST_CONFIDENCE]
    corners = np.concatenate(
        [candidates[:, :2] - candidates[:, 2:4] / 2, candidates[:, :2] + candidates[:, 2:4] / 2], axis=1
    )
    kept: list[int] = []
    for index in np.argsort(candidates[:, 4])[::-1]:
        if all(_overlap(corners[index], corners[other]) <= MOST_OVERLAP for other in kept):
            kept.append(int(index))
    size = np.array(picture * 2, np.float32)
    inside = (corners[kept] / np.array(seen * 2, np.float32) * size).clip(0, size).round()
    return np.concatenate([inside, candidates[kept, 4:5]], axis=1).astype(np.float64)


def _overlap(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Intersection over union, with the pixel at each edge counted in."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1
    shared = float(np.prod(sides.clip(min=0)))
    areas = [float(np.prod(box[2:] - box[:2] + 1)) for box in (one, other)]
    return shared / (sum(areas) - shared)
