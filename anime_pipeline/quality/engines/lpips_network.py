"""LPIPS v0.1: the distance of two pictures in the features of a network that was trained to see.

Zhang et al., *The Unreasonable Effectiveness of Deep Features as a Perceptual Metric* (2018). A picture in
[−1, 1] is scaled per channel, goes through a trunk (AlexNet, VGG-16 or SqueezeNet 1.1 up to its last
convolution), and each tapped layer is normalised to unit length per pixel; the distance is the sum over
layers of the head's weights times the squared difference, averaged over space. Equal in value to the package
``lpips`` 0.1.4; a picture's features are computed once here, however many pictures it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.protocol import Frames, NotMeasurableError
from anime_pipeline.quality.engines.torch_runtime import Tensor, bytes_of, functional, torch

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10

State = Mapping[str, Tensor]
Features = list[Tensor]
"""One tensor per tapped layer, pictures × channels × height × width, of unit length along the channels."""


class Step(Protocol):
    """One operation of a trunk."""

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        """The next activations."""


@dataclass(frozen=True)
class Convolution:
    """A convolution, followed by ReLU unless told otherwise."""

    name: str
    stride: int = 1
    padding: int = 1
    relu: bool = True

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        out = functional().conv2d(
            pictures, state[f"{self.name}.weight"], state[f"{self.name}.bias"], self.stride, self.padding
        )
        return out.relu_() if self.relu else out


@dataclass(frozen=True)
class MaxPool:
    """A maximum over windows."""

    size: int = 3
    stride: int = 2
    ceil: bool = False

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        return functional().max_pool2d(pictures, self.size, self.stride, ceil_mode=self.ceil)


@dataclass(frozen=True)
class Fire:
    """SqueezeNet's module: squeeze by 1 × 1, expand by 1 × 1 and 3 × 3 side by side."""

    name: str

    def __call__(self, state: State, pictures: Tensor) -> Tensor:
        squeezed = Convolution(f"{self.name}.squeeze", padding=0)(state, pictures)
        narrow = Convolution(f"{self.name}.expand1x1", padding=0)(state, squeezed)
        wide = Convolution(f"{self.name}.expand3x3")(state, squeezed)
        return torch().cat([narrow, wide], 1)


@dataclass(frozen=True)
class Trunk:
    """A network in stages, each tapped at its end.

    ``bytes_per_pixel`` is the size of its working set. A picture with a side below ``least_side`` pixels is
    nothing before the last stage.
    """

    name: str
    stages: tuple[tuple[Step, ...], ...]
    bytes_per_pixel: int
    least_side: int


def _convolutions(*indices: int) -> tuple[Step, ...]:
    return tuple(Convolution(str(index)) for index in indices)


ALEX = Trunk(
    "alex",
    (
        (Convolution("0", 4, 2),),
        (MaxPool(), Convolution("3", 1, 2)),
        (MaxPool(), Convolution("6")),
        _convolutions(8),
        _convolutions(10),
    ),
    110,
    31,
)
VGG = Trunk(
    "vgg",
    (
        _convolutions(0, 2),
        (MaxPool(2), *_convolutions(5, 7)),
        (MaxPool(2), *_convolutions(10, 12, 14)),
        (MaxPool(2), *_convolutions(17, 19, 21)),
        (MaxPool(2), *_convolutions(24, 26, 28)),
    ),
    1600,
    16,
)
SQUEEZE = Trunk(
    "squeeze",
    (
        (Convolution("0", 2, 0),),
        (MaxPool(ceil=True), Fire("3"), Fire("4")),
        (MaxPool(ceil=True), Fire("6"), Fire("7")),
        (MaxPool(ceil=True), Fire("9")),
        (Fire("10"),),
        (Fire("11"),),
        (Fire("12"),),
    ),
    320,
    17,
)


class LpipsNetwork:
    """A trunk and its heads, loaded on a device. Shared by takes; it keeps no state of theirs."""

    def __init__(self, trunk: Trunk, state: State, heads: Sequence[Tensor], device: str) -> None:
        if len(heads) != len(trunk.stages):
            raise ValueError(
                f"{trunk.name} taps {len(trunk.stages)} layers, and there are {len(heads)} heads"
            )
        self.trunk = trunk
        self.device = device
        # a CPU is about a third faster where a pixel's channels lie together, as they do in a decoded frame
        layout = torch().channels_last if device == "cpu" else torch().contiguous_format
        self._layout = layout
        self._state = {
            name: tensor.to(device, torch().float32).contiguous(
                memory_format=layout if tensor.dim() == 4 else torch().contiguous_format
            )
            for name, tensor in state.items()
        }
        self._heads = [head.to(device, torch().float32).reshape(-1) for head in heads]
        # uint8 → [−1, 1] → (x − shift) / scale, as one multiplication and one addition
        scale = torch().tensor(SCALE, dtype=torch().float64)
        shift = torch().tensor(SHIFT, dtype=torch().float64)
        self._gain = (1 / (127.5 * scale)).to(torch().float32).reshape(1, 3, 1, 1).to(device)
        self._offset = ((-1 - shift) / scale).to(torch().float32).reshape(1, 3, 1, 1).to(device)

    @property
    def bytes(self) -> int:
        """Memory of the weights."""
        return bytes_of(self._state)

    def features(self, frames: Frames) -> Features:
        """The normalised features of pictures, uint8 T × height × width × 3.

        Raises NotMeasurableError for pictures that are too small for the trunk.
        """
        height, width = frames.shape[1:3]
        if min(height, width) < self.trunk.least_side:
            raise NotMeasurableError(
                f"pictures of {width}×{height} are too small for LPIPS by {self.trunk.name}: "
                f"each side needs {self.trunk.least_side} pixels"
            )
        with torch().inference_mode():
            pictures = torch().from_numpy(np.ascontiguousarray(frames)).to(self.device)
            pictures = pictures.permute(0, 3, 1, 2).to(torch().float32).contiguous(memory_format=self._layout)
            pictures = torch().addcmul(self._offset, pictures, self._gain)
            tapped = []
            for stage in self.trunk.stages:
                for step in stage:
                    pictures = step(self._state, pictures)
                tapped.append(
                    pictures / (torch().linalg.vector_norm(pictures, dim=1, keepdim=True) + EPSILON)
                )
        return tapped

    def distances(self, ones: Features, others: Features) -> npt.NDArray[np.float64]:
        """LPIPS of each picture of ``ones`` to the one at its place in ``others``."""
        with torch().inference_mode():
            total: Any = 0
            for one, other, head in zip(ones, others, self._heads, strict=True):
                # the head is linear: after the mean over space it weighs one number a channel
                total = total + (one - other).square_().mean(dim=(2, 3)) @ head
        distances: npt.NDArray[np.float64] = total.cpu().double().numpy()
        return distances


def picture_features(features: Features, part: slice) -> Features:
    """The features of some of the pictures."""
    return [layer[part] for layer in features]


def joined(before: Features | None, features: Features) -> Features:
    """Features of pictures in a row, behind those of the picture before them."""
    if before is None:
        return features
    return [torch().cat([last, layer]) for last, layer in zip(before, features, strict=True)]
