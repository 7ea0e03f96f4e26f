"""Defends the towers: CLIP equal to open_clip with the same weights, preparation included, and QuickGELU not
mistaken for GELU; DINO equal to a plain transcription with its own interpolation of positions at 224 × 398.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_pipeline.quality.engines import pictures
from anime_pipeline.quality.engines.vision_transformer import clip_tower, dino_tower
from anime_pipeline_tests.quality.films import panning

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("on_the_cpu")

VISION = {"layers": 3, "width": 64, "patch_size": 16, "image_size": 64, "head_width": 16}
TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}


def open_clip_model(quick_gelu: bool) -> Any:
    """A small CLIP of open_clip's with random weights."""
    module = pytest.importorskip("open_clip.model")
    torch.manual_seed(3)
    model = module.CLIP(embed_dim=24, vision_cfg=VISION, text_cfg=TEXT, quick_gelu=quick_gelu).eval()
    for name, tensor in model.visual.named_parameters():
        torch.nn.init.normal_(tensor, 1.0 if name.startswith("ln") and "weight" in name else 0.0, 0.2)
    return model


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_clip_is_equal_to_open_clip(quick_gelu: bool) -> None:
    model = open_clip_model(quick_gelu)
    frames = panning(3, 70, 110, 4, 2)
    prepared = pictures.clip_pictures(frames, 64)
    with torch.no_grad():
        expected = model.encode_image(prepared)
    tower = clip_tower(model.visual.state_dict(), "cpu", quick_gelu, head_width=16)
    torch.testing.assert_close(tower.embed(prepared), expected, rtol=0, atol=1e-5)
    other = clip_tower(model.visual.state_dict(), "cpu", not quick_gelu, head_width=16).embed(prepared)
    assert (other - expected).abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(224, 224), (360, 640), (301, 233), (100, 90)])
def test_preparation_is_equal_to_open_clips(height: int, width: int) -> None:
    transform = pytest.importorskip("open_clip.transform")
    prepare = transform.image_transform(224, False, pictures.CLIP_MEAN, pictures.CLIP_STD)
    frames = np.random.default_rng(height).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    expected = torch.stack([prepare(Image.fromarray(frame)) for frame in frames])
    torch.testing.assert_close(pictures.clip_pictures(frames), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_preparation_is_equal_to_vbenchs(mode: str) -> None:
    """VBench hands float frames to torchvision, so that nothing is rounded between."""
    transforms = pytest.importorskip("torchvision.transforms")
    frames = panning(2, 180, 320, 4, 2)
    floats = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    if mode == "bilinear":
        steps = [transforms.Resize(224, antialias=False)]
        mean, std = pictures.IMAGENET_MEAN, pictures.IMAGENET_STD
        ours = pictures.vbench_dino_pictures(frames, "cpu")
        assert ours.shape == (2, 3, 224, 398)
    else:
        bicubic = transforms.InterpolationMode.BICUBIC
        steps = [transforms.Resize(224, interpolation=bicubic, antialias=False), transforms.CenterCrop(224)]
        mean, std = pictures.CLIP_MEAN, pictures.CLIP_STD
        ours = pictures.vbench_clip_pictures(frames, "cpu")
    expected = transforms.Normalize(mean, std)(transforms.Compose(steps)(floats) / 255)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def dino_state(width: int = 64, depth: int = 2, side: int = 14) -> dict[str, Any]:
    """A small DINO's state dict with random values, under its checkpoint's names."""
    torch.manual_seed(5)
    state = {
        "cls_token": torch.randn(1, 1, width),
        "pos_embed": torch.randn(1, side * side + 1, width),
        "patch_embed.proj.weight": torch.randn(width, 3, 16, 16) * 0.05,
        "patch_embed.proj.bias": torch.randn(width),
        "norm.weight": torch.randn(width),
        "norm.bias": torch.randn(width),
    }
    shapes = {"attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.fc1": (4 * width, width)}
    shapes |= {"mlp.fc2": (width, 4 * width)}
    for block in range(depth):
        for norm in ("norm1", "norm2"):
            state[f"blocks.{block}.{norm}.weight"] = torch.randn(width)
            state[f"blocks.{block}.{norm}.bias"] = torch.randn(width)
        for name, (out, into) in shapes.items():
            state[f"blocks.{block}.{name}.weight"] = torch.randn(out, into) / math.sqrt(into)
            state[f"blocks.{block}.{name}.bias"] = torch.randn(out) * 0.1
    return state


def plain_dino(state: dict[str, Any], image: Any, heads: int) -> Any:
    """DINO's forward pass of one picture, written as published: every token, attention by hand."""
    functional = torch.nn.functional
    patches = functional.conv2d(
        image, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16
    )
    height, width = patches.shape[2] + 0.1, patches.shape[3] + 0.1
    grid = state["pos_embed"][:, 1:]
    side, dim = int(math.sqrt(grid.shape[1])), grid.shape[2]
    if (patches.shape[2], patches.shape[3]) != (side, side):
        grid = grid.reshape(1, side, side, dim).permute(0, 3, 1, 2)
        grid = functional.interpolate(grid, scale_factor=(height / side, width / side), mode="bicubic")
        grid = grid.permute(0, 2, 3, 1).reshape(1, -1, dim)
    x = torch.cat([state["cls_token"], patches.flatten(2).transpose(1, 2)], dim=1)
    x = x + torch.cat([state["pos_embed"][:, :1], grid], dim=1)
    for block in range(1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks"))):
        own = {name.removeprefix(f"blocks.{block}."): value for name, value in state.items()}
        y = functional.layer_norm(x, (dim,), own["norm1.weight"], own["norm1.bias"], 1e-6)
        qkv = functional.linear(y, own["attn.qkv.weight"], own["attn.qkv.bias"])
        q, k, v = qkv.reshape(1, -1, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        attention = ((q @ k.transpose(-2, -1)) * (dim // heads) ** -0.5).softmax(dim=-1)
        y = (attention @ v).transpose(1, 2).reshape(1, -1, dim)
        x = x + functional.linear(y, own["attn.proj.weight"], own["attn.proj.bias"])
        y = functional.layer_norm(x, (dim,), own["norm2.weight"], own["norm2.bias"], 1e-6)
        y = functional.gelu(functional.linear(y, own["mlp.fc1.weight"], own["mlp.fc1.bias"]))
        x = x + functional.linear(y, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
    return functional.layer_norm(x, (dim,), state["norm.weight"], state["norm.bias"], 1e-6)[:, 0]


@pytest.mark.parametrize(("height", "width"), [(224, 224), (224, 398), (398, 224)])
def test_dino_is_equal_to_a_plain_transcription(height: int, width: int) -> None:
    state = dino_state()
    images = torch.randn(2, 3, height, width)
    expected = torch.cat([plain_dino(state, image[None], heads=4) for image in images])
    found = dino_tower(state, "cpu", head_width=16).embed(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_positions_are_dinos_own_and_not_those_of_the_plain_size() -> None:
    tower = dino_tower(dino_state(), "cpu", head_width=16)
    positions = tower.positions(14, 24)
    grid = tower.state["position"][:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
    plain = torch.nn.functional.interpolate(grid, size=(14, 24), mode="bicubic")
    assert positions.shape == (1, 1 + 14 * 24, 64)
    assert (positions[:, 1:] - plain.flatten(2).transpose(1, 2)).abs().max() > 1e-3
