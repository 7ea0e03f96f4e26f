"""How pictures are prepared for the towers: open_clip's way, and VBench's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from anime_pipeline.quality.engines.protocol import Frames
from anime_pipeline.quality.engines.torch_runtime import Tensor, functional, torch

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _short_side_at(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width with the shorter at ``side``; the longer is rounded down, as torchvision does."""
    if height <= width:
        return side, int(side * width / height)
    return int(side * height / width), side


def clip_pictures(frames: Frames, side: int = 224) -> Tensor:
    """open_clip's preparation: Pillow's bicubic on uint8, the centre square, CLIP's mean and deviation.

    float32 N × 3 × side × side on the CPU.
    """
    mean, std = np.asarray(CLIP_MEAN, np.float32), np.asarray(CLIP_STD, np.float32)
    squares = np.stack([_centre_square(frame, side) for frame in frames])
    normal = (squares.astype(np.float32) / np.float32(255) - mean) / std
    return torch().from_numpy(np.ascontiguousarray(normal.transpose(0, 3, 1, 2)))


def _centre_square(frame: Frames, side: int) -> npt.NDArray[np.uint8]:
    height, width = _short_side_at(frame.shape[0], frame.shape[1], side)
    picture = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
    top, left = round((height - side) / 2), round((width - side) / 2)
    return picture[top : top + side, left : left + side]


def vbench_pictures(frames: Frames, side: int, mode: str, device: str) -> Tensor:
    """VBench's resize of decoded frames: float32 from the start, no antialiasing, no rounding, 0 to 255.

    ``mode`` is ``bilinear`` or ``bicubic``. N × 3 × height × width with the shorter side at ``side``.
    """
    size = _short_side_at(frames.shape[1], frames.shape[2], side)
    resized = []
    for frame in frames:  # one at a time: a chunk of large frames as float32 would leave the cache
        picture = torch().from_numpy(np.ascontiguousarray(frame)).to(device)[None]
        picture = picture.permute(0, 3, 1, 2).to(torch().float32)
        resized.append(functional().interpolate(picture, size=size, mode=mode, align_corners=False))
    return torch().cat(resized)


def vbench_dino_pictures(frames: Frames, device: str, side: int = 224) -> Tensor:
    """VBench's preparation for DINO: bilinear, no crop, ImageNet's mean and deviation."""
    pictures = vbench_pictures(frames, side, "bilinear", device)
    return _normalised(pictures, IMAGENET_MEAN, IMAGENET_STD, device)


def vbench_clip_pictures(frames: Frames, device: str, side: int = 224) -> Tensor:
    """VBench's preparation for CLIP: bicubic, the centre square, CLIP's mean and deviation."""
    pictures = vbench_pictures(frames, side, "bicubic", device)
    top, left = ((length - side) / 2 for length in pictures.shape[-2:])
    pictures = pictures[..., round(top) : round(top) + side, round(left) : round(left) + side]
    return _normalised(pictures, CLIP_MEAN, CLIP_STD, device)


def _normalised(pictures: Tensor, mean: tuple[float, ...], std: tuple[float, ...], device: str) -> Tensor:
    shape = (1, 3, 1, 1)
    means = torch().tensor(mean, device=device).reshape(shape)
    stds = torch().tensor(std, device=device).reshape(shape)
    return (pictures / 255 - means) / stds
