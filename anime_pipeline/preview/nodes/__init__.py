"""The nodes that the preview server knows."""

from __future__ import annotations

from anime_pipeline.preview.nodes.animatic import AnimaticBackdrop, AnimaticCast, AnimaticShot
from anime_pipeline.preview.nodes.base import Node
from anime_pipeline.preview.nodes.images import (
    EmptyImage,
    ImageAddNoise,
    LoadImage,
    SaveAnimatedWEBP,
    SaveImage,
)
from anime_pipeline.preview.nodes.video import CreateVideo, SaveVideo

_ALL: tuple[type[Node], ...] = (
    EmptyImage,
    ImageAddNoise,
    LoadImage,
    SaveImage,
    SaveAnimatedWEBP,
    CreateVideo,
    SaveVideo,
    AnimaticBackdrop,
    AnimaticCast,
    AnimaticShot,
)

NODES: dict[str, type[Node]] = {node.class_type: node for node in _ALL}
"""Every node class by its ``class_type``."""
