"""AMT-S, the network with which VBench makes a frame from its two neighbours, run from the user's own copy.

AMT's code and weights are CC BY-NC 4.0, so none of either is here and nothing fetches them. The setting
ANIME_AMT_CHECKOUT names a checkout of MCG-NKU/AMT; its modules are imported and run, from there alone and
only once a measurement asks for this backend. The checkpoint is read as tensors, whatever it contains.

VBench shrinks what the network looks at where a graphics card is small for the picture. Here it always sees
the picture at full size, as VBench does on a CPU: a score must not depend on the card.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.quality.engines.protocol import Frames
from anime_pipeline.quality.engines.torch_runtime import (
    Tensor,
    bytes_of,
    device,
    functional,
    load_state,
    torch,
)
from anime_pipeline.quality.engines.weights import WeightsError, remedy, verified_paths, weights_sha256

WEIGHTS = ("amt-s",)
SETTINGS: dict[str, object] = {"scale": 1.0, "precision": "fp32"}

_MULTIPLE = 16  # what a picture's sides must be multiples of
_MODULE = "networks.AMT-S"
_PACKAGES = ("networks", "utils")
_CONFIGURATION = {"corr_radius": 3, "corr_lvls": 4, "num_flows": 3}  # of its cfgs/AMT-S.yaml


@dataclass(frozen=True)
class Amt:
    """The loaded network, a ``torch.nn.Module`` of the user's checkout."""

    network: Any
    bytes: int

    def middle_frame(self, before: Frames, after: Frames) -> Frames:
        """The frame half-way between two, uint8 height × width × 3; fractions are cut off, as VBench does."""
        height, width = before.shape[:2]
        top, left = -height % _MULTIPLE // 2, -width % _MULTIPLE // 2
        with torch().inference_mode():
            half = torch().full((1, 1, 1, 1), 0.5, device=device())
            made = self.network(_padded(before), _padded(after), half, scale_factor=1.0, eval=True)
            picture = made["imgt_pred"][0, :, top : top + height, left : left + width]
            values = (picture.cpu() * 255).permute(1, 2, 0).numpy()
        whole: Frames = values.clip(0, 255).astype(np.uint8)
        return whole


def _padded(frame: Frames) -> Tensor:
    """float32 1 × 3 × height × width, 0 to 1, its edges repeated up to the next multiple on both sides."""
    height, width = (-side % _MULTIPLE for side in frame.shape[:2])
    border = (width // 2, width - width // 2, height // 2, height - height // 2)
    picture = torch().from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].to(device()) / 255
    return functional().pad(picture, border, mode="replicate")


def load(models_dir: Path) -> Amt:
    """The network of the user's checkout.

    Raises WeightsError where no checkout is named, where files are absent, and where it cannot be run.
    """
    key = ("amt-s", weights_sha256(WEIGHTS, models_dir), device())
    return models().get(key, lambda: _loaded(verified_paths(WEIGHTS[0], models_dir)))


def _loaded(files: tuple[Path, ...]) -> Amt:
    checkpoint, code = files[:2]
    checkout = code.parents[1]
    try:
        with _importable(checkout):
            network = importlib.import_module(_MODULE).Model(**_CONFIGURATION)
    except Exception as error:
        raise WeightsError(
            f"the checkout {checkout} cannot be run: {type(error).__name__}: {error}", remedy(WEIGHTS[0])
        ) from error
    try:
        state = load_state(checkpoint)["state_dict"]
        network.load_state_dict(state)
    except Exception as error:
        raise WeightsError(
            f"{checkpoint} is no checkpoint of AMT-S: {type(error).__name__}: {error}", remedy(WEIGHTS[0])
        ) from error
    return Amt(network.to(device()).eval(), bytes_of(state))


@contextmanager
def _importable(checkout: Path) -> Iterator[None]:
    """Inside, the checkout's packages can be imported; afterwards their common names are free again."""
    others = _taken_out()
    sys.path.insert(0, str(checkout))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(checkout))
        _taken_out()
        sys.modules.update(others)


def _taken_out() -> dict[str, Any]:
    names = [name for name in sys.modules if name.partition(".")[0] in _PACKAGES]
    return {name: sys.modules.pop(name) for name in names}
