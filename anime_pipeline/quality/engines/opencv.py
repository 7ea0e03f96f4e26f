"""OpenCV, imported when first used, and set so that a measurement comes out the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.protocol import FrameChunk, Frames, Provenance

FLOW_SIDE = 640  # longer side, in pixels, of the pictures that flow is computed on
_SMALLEST_SIDE = 64  # below it the coarsest scale of DIS has less than one patch

Gray = npt.NDArray[np.uint8]
"""uint8, height × width."""
Flow = npt.NDArray[np.float32]
"""float32, height × width × 2: pixels to the right, pixels down."""


@lru_cache(maxsize=1)
def cv2() -> Any:
    """The module, with no GPU and one thread: DIS splits a picture by threads, which shows in its result."""
    import cv2 as module

    module.setNumThreads(1)
    module.ocl.setUseOpenCL(False)
    return module


def version() -> str:
    """The version of OpenCV, a part of the provenance of every score made with it."""
    return str(cv2().__version__)


def flow_provenance() -> Provenance:
    """How the engines of motion find flow."""
    return Provenance("dis", f"1 opencv {version()}", None, {"preset": "fast", "side": FLOW_SIDE})


def new_flow() -> Any:
    """A DIS optical-flow object; it keeps buffers, so each accumulator has its own."""
    return cv2().DISOpticalFlow_create(cv2().DISOPTICAL_FLOW_PRESET_FAST)


def flow_pictures(chunk: FrameChunk) -> list[Gray]:
    """The chunk in grey and at the size that flow is computed at; shared by the engines of motion."""
    return chunk.feature(f"gray@{FLOW_SIDE}", _flow_pictures)


def _flow_pictures(frames: Frames) -> list[Gray]:
    height, width = frames.shape[1:3]
    shrink = min(1.0, FLOW_SIDE / max(height, width))
    size = tuple(max(_SMALLEST_SIDE, round(side * shrink)) for side in (width, height))
    module = cv2()
    grays = (module.cvtColor(frame, module.COLOR_RGB2GRAY) for frame in frames)
    if size == (width, height):
        return list(grays)
    return [module.resize(gray, size, interpolation=module.INTER_AREA) for gray in grays]


def flow_at(flow: Flow, height: int, width: int) -> Flow:
    """A flow in the pixels of a picture of another size."""
    if flow.shape[:2] == (height, width):
        return flow
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], dtype=np.float32)
    module = cv2()
    resized: Flow = module.resize(flow, (width, height), interpolation=module.INTER_LINEAR) * scale
    return resized
