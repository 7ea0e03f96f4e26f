"""The backends of the LPIPS metrics: which weights each loads and at what size it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_pipeline.quality.engines import opencv
from anime_pipeline.quality.engines.learned import learned_provenance
from anime_pipeline.quality.engines.lpips_network import ALEX, SQUEEZE, VGG, LpipsNetwork, Trunk
from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.quality.engines.protocol import Frames, Provenance, TakeFacts
from anime_pipeline.quality.engines.st_lpips_network import ST_ALEX, st_lpips_from
from anime_pipeline.quality.engines.torch_runtime import Tensor, batch_size, device, load_state
from anime_pipeline.quality.engines.weights import missing_files, verified_paths, weights_sha256


@dataclass(frozen=True)
class LpipsBackend:
    """A network by name. ``short_side``: larger pictures are shrunk until their shorter side is that."""

    name: str
    trunk: Trunk
    short_side: int | None = None


BACKENDS = {
    backend.name: backend
    for backend in (
        LpipsBackend("lpips-alex", ALEX),
        LpipsBackend("lpips-vgg", VGG),
        LpipsBackend("lpips-squeeze", SQUEEZE),
        # it has no early stride, and costs fifteen times AlexNet's time at full size
        LpipsBackend("st-lpips-alex", ST_ALEX, short_side=256),
    )
}
"""The names are those of the weights catalogue."""


def default_backend(models_dir: Path) -> str:
    """``lpips-alex`` where its weights are, else ``st-lpips-alex``, which a package index carries.

    Their numbers are not comparable: the score's provenance names the backend, and a gate mixes none.
    """
    return "st-lpips-alex" if missing_files("lpips-alex", models_dir) else "lpips-alex"


@dataclass(frozen=True)
class LpipsEngine:
    """What the engines that measure by LPIPS share. ``backend``: a name of :data:`BACKENDS`."""

    models_dir: Path
    backend: str

    @property
    def weights(self) -> tuple[str, ...]:
        """The backend's weights."""
        return (self.backend,)

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The backend, its weights and the size it looks at."""
        settings = {"short_side": BACKENDS[self.backend].short_side, "precision": "fp32"}
        return learned_provenance(self.backend, "v0.1", self.weights, self.models_dir, settings)

    def loaded(self) -> LpipsBackend:
        """The backend, its network loaded. Raises WeightsError, as :func:`network`."""
        backend = BACKENDS[self.backend]
        network(backend, self.models_dir)
        return backend


def network(backend: LpipsBackend, models_dir: Path) -> LpipsNetwork:
    """The loaded network. Raises WeightsError for files that are absent or not what they should be."""
    key = ("lpips", backend.name, weights_sha256((backend.name,), models_dir), device())
    return models().get(key, lambda: _loaded(backend, verified_paths(backend.name, models_dir)))


def lpips_from(trunk: Trunk, trunk_state: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> LpipsNetwork:
    """LPIPS of a torchvision state dict (``features.0.weight`` …) and the heads of the package ``lpips``."""
    prefix = "features."
    state = {
        name.removeprefix(prefix): tensor for name, tensor in trunk_state.items() if name.startswith(prefix)
    }
    layers = range(len(trunk.stages))
    return LpipsNetwork(trunk, state, [heads[f"lin{layer}.model.1.weight"] for layer in layers], device())


def _loaded(backend: LpipsBackend, files: tuple[Path, ...]) -> LpipsNetwork:
    if backend.trunk is ST_ALEX:
        return st_lpips_from(load_state(files[0]), device())
    return lpips_from(backend.trunk, load_state(files[0]), load_state(files[1]))


def seen(frames: Frames, short_side: int | None) -> Frames:
    """The frames at the size that a backend looks at, shrunk by areas where they are larger."""
    height, width = frames.shape[1:3]
    if short_side is None or min(height, width) <= short_side:
        return frames
    shrink = short_side / min(height, width)
    size = (round(width * shrink), round(height * shrink))
    cv2 = opencv.cv2()
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    return small


def frames_at_once(trunk: Trunk, frames: Frames) -> int:
    """How many frames of this size a network takes at once."""
    return batch_size(trunk.bytes_per_pixel * frames.shape[1] * frames.shape[2])
