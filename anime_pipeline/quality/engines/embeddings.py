"""Unit embeddings of frames by CLIP, CSD and DINO; engines that look at the same frames share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines import pictures
from anime_pipeline.quality.engines.held_frames import drawings
from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.quality.engines.protocol import FrameChunk, Frames
from anime_pipeline.quality.engines.torch_runtime import (
    Tensor,
    batch_size,
    device,
    in_batches,
    load_state,
    torch,
)
from anime_pipeline.quality.engines.vision_transformer import VisionTransformer, clip_tower, dino_tower
from anime_pipeline.quality.engines.weights import verified_paths, weights_sha256

Embeddings = npt.NDArray[np.float32]
"""float32, N × width, of unit length."""

BYTES_PER_PICTURE = 24 * 1024 * 1024  # of a ViT's working set at 224 × 400


@dataclass(frozen=True)
class Embedder:
    """A model by its name in the weights catalogue, and how pictures are prepared for it.

    ``prepare`` is given frames and a device; it is part of the name under which engines share features.
    """

    weights: str
    prepared: str
    prepare: Callable[[Frames, str], Tensor]
    load: Callable[[Path], VisionTransformer]

    def model(self, models_dir: Path) -> VisionTransformer:
        """The loaded model. Raises WeightsError for files that are absent or not what they should be."""
        key = (self.weights, weights_sha256((self.weights,), models_dir), device())
        return models().get(key, lambda: self.load(verified_paths(self.weights, models_dir)[0]))

    def embed(self, frames: Frames, models_dir: Path) -> Embeddings:
        """Unit embeddings of frames, uint8 T × height × width × 3."""
        model = self.model(models_dir)
        where = device()
        kept, shown = drawings(frames)

        def part_of(part: slice) -> Embeddings:
            return unit(model.embed(self.prepare(frames[kept[part]], where)))

        found = np.concatenate(list(in_batches(len(kept), batch_size(BYTES_PER_PICTURE), part_of)))
        return found[shown]

    def of_chunk(self, chunk: FrameChunk, models_dir: Path, step: int = 1) -> dict[int, Embeddings]:
        """The embedding of every ``step``-th frame by its index in the take, computed once for all."""
        looked_at = list(chunk.indexed(step))
        if not looked_at:
            return {}
        name = f"{self.weights}/{self.prepared}/{step}"
        inside = [index for _, index in looked_at]
        found = chunk.feature(name, lambda frames: self.embed(frames[inside], models_dir))
        return {at: embedding for (at, _), embedding in zip(looked_at, found, strict=True)}


def unit(embeddings: Tensor) -> Embeddings:
    """Embeddings at length one, as numpy."""
    embeddings = embeddings.float()
    with torch().inference_mode():
        lengths = torch().linalg.vector_norm(embeddings, dim=-1, keepdim=True).clamp_min(1e-12)
        normal: Embeddings = (embeddings / lengths).cpu().numpy()
    return normal


def _load_clip(path: Path) -> VisionTransformer:
    prefix = "visual."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in load_state(path).items()
        if name.startswith(prefix)
    }
    return clip_tower(state, device())


def _load_csd(path: Path) -> VisionTransformer:
    """CSD: CLIP's tower with a style head in place of its projection; the checkpoint is a trainer's."""
    state = {
        name.removeprefix("module."): tensor for name, tensor in load_state(path)["model_state_dict"].items()
    }
    prefix = "backbone."
    tower = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    return clip_tower({**tower, "proj": state["last_layer_style"]}, device())


def _load_dino(path: Path) -> VisionTransformer:
    return dino_tower(load_state(path), device())


CLIP = Embedder("clip-vit-l-14", "open_clip", lambda frames, _: pictures.clip_pictures(frames), _load_clip)
CLIP_VBENCH = Embedder("clip-vit-l-14", "vbench", pictures.vbench_clip_pictures, _load_clip)
CSD = Embedder("csd-vit-l", "open_clip", lambda frames, _: pictures.clip_pictures(frames), _load_csd)
DINO = Embedder("dino-vit-b-16", "vbench", pictures.vbench_dino_pictures, _load_dino)
