"""Defends the towers: CLIP equal to open_clip with the same weights, preparation included, and QuickGELU not
mistaken for GELU; DINO equal to a plain transcription with its own interpolation of positions at 224 × 398.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anime_pipeline.quality.engines import pictures
from anime_pipeline.quality.engines.embeddings import CLIP, CSD
from anime_pipeline.quality.engines.vision_transformer import clip_tower, dino_tower
from anime_pipeline_tests.quality.engines.plain_dino import dino_state, plain_dino
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.films import panning

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("on_the_cpu")

VISION = {"layers": 3, "width": 64, "patch_size": 16, "image_size": 64, "head_width": 16}
TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}


def open_clip_model(quick_gelu: bool, **vision: int) -> Any:
    """A small CLIP of open_clip's with random weights."""
    module = pytest.importorskip("open_clip.model")
    torch.manual_seed(3)
    config = {**VISION, **vision}
    model = module.CLIP(embed_dim=24, vision_cfg=config, text_cfg=TEXT, quick_gelu=quick_gelu).eval()
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


@pytest.mark.parametrize("step", ["clip", "csd"])
def test_embeddings_from_published_files(step: str, shelf: Shelf) -> None:
    """CLIP's file holds its text tower too; CSD's is a trainer's, with a style head for a projection."""
    model = open_clip_model(True, patch_size=32, image_size=224, head_width=64)
    film = panning(3, 120, 200, 4, 2)
    if step == "clip":
        shelf.lay("clip-vit-l-14", {name: value.clone() for name, value in model.state_dict().items()})
        found = CLIP.embed(film, shelf.folder)
    else:
        head = torch.randn(64, 12)
        tower = {name: value for name, value in model.visual.state_dict().items() if name != "proj"}
        state = {f"module.backbone.{name}": value for name, value in tower.items()}
        state |= {"module.last_layer_style": head, "module.last_layer_content": torch.randn(64, 12)}
        shelf.lay("csd-vit-l", {"model_state_dict": state, "args": argparse.Namespace(lr=0.1), "epoch": 3})
        model.visual.proj = torch.nn.Parameter(head)
        found = CSD.embed(film, shelf.folder)
    with torch.no_grad():
        expected = model.encode_image(pictures.clip_pictures(film), normalize=True)
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-5)


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
