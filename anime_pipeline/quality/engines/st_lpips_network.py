"""The trunk of shift-tolerant LPIPS (Ghildyal and Liu, 2022): AlexNet that hardly minds a shift by a pixel.

Each stride of AlexNet is taken apart into a dense operation and a small binomial blur that keeps every other
pixel, at reflected borders; the first convolution has no stride of its own. Heads and distance are LPIPS's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anime_pipeline.quality.engines.lpips_network import (
    Convolution,
    LpipsNetwork,
    MaxPool,
    State,
    Trunk,
)
from anime_pipeline.quality.engines.torch_runtime import Tensor, functional

BORDER = 2  # pixels reflected at each side before a blur


@dataclass(frozen=True)
class BlurAndHalve:
    """The checkpoint's blur kernel on each channel, at every other pixel."""

    name: str

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        padded = functional().pad(pictures, [BORDER] * 4, mode="reflect")
        return functional().conv2d(padded, state[f"{self.name}.filt"], stride=2, groups=pictures.shape[1])


@dataclass(frozen=True)
class Relu:
    """What is negative becomes zero."""

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        return pictures.relu_()


ST_ALEX = Trunk(
    "st-alex",
    (
        (Convolution("0", 1, 2, relu=False), BlurAndHalve("1"), Relu()),
        (MaxPool(3, 1), BlurAndHalve("4"), Convolution("5", 1, 2)),
        (MaxPool(3, 1), BlurAndHalve("8"), Convolution("9")),
        (Convolution("11"),),
        (Convolution("13"),),
    ),
    800,
    21,
)


def st_lpips_from(checkpoint: Mapping[str, Tensor], device: str) -> LpipsNetwork:
    """The network of a checkpoint of ``stlpips-pytorch`` (``net.slice1.0.weight`` …)."""
    state = {
        ".".join(name.split(".")[2:]): tensor
        for name, tensor in checkpoint.items()
        if name.startswith("net.slice")
    }
    heads = [checkpoint[f"lin{index}.model.1.weight"] for index in range(len(ST_ALEX.stages))]
    return LpipsNetwork(ST_ALEX, state, heads, device)
