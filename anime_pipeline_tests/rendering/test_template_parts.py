"""Defends the optional parts of shipped templates: LoRAs, pose, face, frames, the project's model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.rendering.extraction.parameters import Sampler, extract
from anime_pipeline.rendering.extraction.used import Lora
from anime_pipeline.rendering.recipes import Recipe, output_nodes
from anime_pipeline_tests.rendering.contexts import (
    ANCHOR,
    BACKGROUND,
    LIBRARY,
    MIKA,
    RAINCOAT_PICTURE,
    TORU,
    cut,
    inputs_of,
    recipe,
)
from anime_pipeline_tests.rendering.test_templates import refusal, with_slots


def composed(workflow: str, kind: str = "still", **changes: Any) -> Recipe:
    return recipe(cut(workflow=workflow, kind=kind, **changes))


def main_of(one: Recipe) -> Sampler:
    main = extract(one.workflow).main_sampler
    assert main is not None
    return main


def check_links(one: Recipe) -> None:
    for node in one.workflow.values():
        for value in node["inputs"].values():
            assert not isinstance(value, list) or value[0] in one.workflow


@pytest.mark.parametrize("workflow", ["sdxl-still", "sdxl-still-faceid", "sd15-still"])
def test_without_its_parts_a_still_is_a_plain_one(workflow: str) -> None:
    plain = composed(workflow)
    check_links(plain)
    assert {node["class_type"] for node in plain.workflow.values()} == {
        "CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "KSampler", "VAEDecode", "ImageScale",
        "SaveImage",
    }  # fmt: skip
    family = {"sd15-still": "v1-5-pruned-emaonly-fp16.safetensors"}
    assert main_of(plain).model == family.get(workflow, "sd_xl_base_1.0.safetensors")


@pytest.mark.parametrize("workflow", ["sdxl-still", "sdxl-still-faceid", "sd15-still", "animatediff-loop"])
def test_the_cast_brings_its_loras_each_once_in_its_order(workflow: str) -> None:
    figures = (replace(MIKA, lora="mika.safetensors"), replace(TORU, lora="toru.safetensors"))
    kind = "loop" if workflow == "animatediff-loop" else "still"
    one = composed(workflow, kind, figures=(*figures, replace(TORU, name="Twin", lora="toru.safetensors")))
    check_links(one)
    assert main_of(one).loras == (Lora("mika.safetensors", 0.8, 0.8), Lora("toru.safetensors", 0.8, 0.8))
    assert one.models["loras"] == ["mika.safetensors", "toru.safetensors"]
    assert one.ingredients["character.mika.lora_model_path"] == "mika.safetensors"


@pytest.mark.parametrize(
    ("workflow", "controlnet"),
    [
        ("sdxl-still", "OpenPoseXL2.safetensors"),
        ("sd15-still", "control_v11p_sd15_openpose_fp16.safetensors"),
    ],
)
def test_a_pose_is_given_by_its_controlnet(workflow: str, controlnet: str) -> None:
    one = composed(workflow, figures=(replace(MIKA, anchor_sha256s=(ANCHOR,), pose_sha256=ANCHOR),))
    check_links(one)
    (pose,) = main_of(one).controlnets
    assert (pose.name, pose.strength, pose.end_percent) == (controlnet, 0.7, 0.8)
    assert inputs_of(one, "Pose Picture")["image"] == f"{ANCHOR}.jpg"
    assert one.inputs == {f"{ANCHOR}.jpg": ANCHOR}
    assert one.ingredients["character.mika.pose"] == ANCHOR


def test_a_face_comes_with_the_loras_and_a_pose_is_no_face() -> None:
    figure = replace(
        MIKA, lora="mika", anchor_sha256s=(RAINCOAT_PICTURE, ANCHOR), pose_sha256=RAINCOAT_PICTURE
    )
    one = composed("sdxl-still-faceid", figures=(figure,))
    check_links(one)
    (face,) = main_of(one).ipadapters
    assert (face.model, face.weight, face.weight_faceidv2) == ("FACEID PLUS V2", 0.8, 1.0)
    assert inputs_of(one, "Face Picture")["image"] == f"{ANCHOR}.jpg"
    assert [lora.name for lora in main_of(one).loras] == ["mika"]


@pytest.mark.parametrize(
    ("workflow", "kind"), [("sdxl-still", "still"), ("animatediff-loop", "loop"), ("wan-video", "video")]
)
def test_the_projects_model_is_used_and_named_where_it_changes(workflow: str, kind: str) -> None:
    one = composed(workflow, kind, model="our-model.safetensors")
    assert main_of(one).model == "our-model.safetensors"
    assert one.ingredients[f"project.models.{kind}"] == "our-model.safetensors"
    assert one.recipe_hash != composed(workflow, kind).recipe_hash


def test_an_animatediff_loop_is_closed_and_as_long_as_its_cut() -> None:
    one = composed("animatediff-loop", "loop", duration_frames=16)
    found = extract(one.workflow)
    assert (found.frames, found.fps) == (16, 24)
    assert main_of(one).motion_model == "mm_sd_v15_v2.ckpt"
    assert inputs_of(one, "Loop")["closed_loop"] is True


@pytest.mark.parametrize("size", [(1920, 1080), (854, 480), (1280, 720)])
@pytest.mark.parametrize(
    "workflow", ["sdxl-still", "sdxl-still-faceid", "animatediff-loop", "wan-loop", "wan-video", "wan-i2v"]
)
def test_each_cut_has_its_own_size_though_models_draw_in_blocks(workflow: str, size: tuple[int, int]) -> None:
    """A VAE gives whole blocks: 1072 of the 1080 lines that a cut asks for, which breaks its contract."""
    [kind] = LIBRARY.get(workflow).sidecar.serves
    block = 16 if workflow == "wan-video" else 8
    figures = (replace(MIKA, anchor_sha256s=(ANCHOR,)),)
    one = composed(workflow, kind, width=size[0], height=size[1], figures=figures)
    (latent,) = (n["inputs"] for n in one.workflow.values() if {"width", "batch_size"} <= set(n["inputs"]))
    assert all(latent[side] % block == 0 for side in ("width", "height"))
    assert latent["width"] - size[0] in range(block)
    assert latent["height"] - size[1] in range(block)
    fit = inputs_of(one, "Fit")
    assert (fit["width"], fit["height"], fit["crop"]) == (*size, "center")
    (saved,) = output_nodes(one.workflow)
    (made,) = (one.workflow[v[0]] for v in one.workflow[saved]["inputs"].values() if isinstance(v, list))
    shown = made if made["class_type"] == "ImageScale" else one.workflow[made["inputs"]["images"][0]]
    assert shown["inputs"] is fit


def test_a_film_between_two_frames() -> None:
    both = composed("wan-first-last", "video", first_frame_sha256=ANCHOR, last_frame_sha256=BACKGROUND)
    check_links(both)
    assert set(both.inputs.values()) == {ANCHOR, BACKGROUND}
    assert (both.ingredients["cut.first_frame"], both.ingredients["cut.last_frame"]) == (ANCHOR, BACKGROUND)
    one = composed("wan-first-last", "video", first_frame_sha256=ANCHOR)
    assert "end_image" not in inputs_of(one, "Latent Film")
    check_links(one)
    # Without a first frame of its own the cut begins with its first figure.
    anchored = composed("wan-i2v", "video", figures=(replace(MIKA, anchor_sha256s=(ANCHOR,)),))
    assert anchored.ingredients["character.mika.anchor"] == ANCHOR


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ({"loras": {"node": "Noise", "input": "lora_name"}}, "loras has a list"),
        ({"mood": {"node": "Noise", "input": "mood", "chained": ["image"]}}, "mood has one value"),
        (
            {"mood": {"node": "Noise", "input": "mood", "bypassed": {"Noise": ["strength"]}}},
            "input strength of node “Noise” is no link",
        ),
        ({"mood": {"node": "Noise", "input": "mood", "bypassed": {"Nois": ["image"]}}}, "“Nois”"),
    ],
)
def test_a_mistake_in_an_optional_part_is_named(tmp_path: Path, slot: dict[str, Any], said: str) -> None:
    assert said in refusal(tmp_path, **with_slots(**slot))
