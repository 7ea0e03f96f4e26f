"""Defends the columns that earlier clients read: what the graph says, and NULL where it says nothing."""

from __future__ import annotations

from sqlalchemy import select

from anime_pipeline.database.models import GenerationParams
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.generation_params import generation_params
from anime_pipeline_tests.rendering.contexts import ANCHOR, MIKA, cut, recipe
from anime_pipeline_tests.rendering.studio import Studio, stills


def test_a_still_of_a_checkpoint() -> None:
    context = cut(kind="still", workflow="sdxl-still")
    params = generation_params(context, recipe(context), "good", "bad")
    assert params["model_name"] == "sd_xl_base_1.0.safetensors"
    assert (params["sampler_name"], params["scheduler"], params["steps"], params["cfg_scale"]) == (
        "dpmpp_2m",
        "karras",
        28,
        6.0,
    )
    assert (params["positive_prompt"], params["negative_prompt"]) == ("good", "bad")
    assert (params["frame_count"], params["vae_name"]) == (1, None)


def test_the_model_is_found_through_links() -> None:
    figure = MIKA.__class__(**{**MIKA.__dict__, "anchor_sha256s": (ANCHOR,)})
    context = cut(workflow="wan-i2v", figures=(figure,))
    params = generation_params(context, recipe(context), "", "")
    assert params["model_name"] == "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors"
    assert params["vae_name"] == "wan_2.1_vae.safetensors"
    assert params["frame_count"] == 48


def test_an_animatic_has_no_sampler() -> None:
    params = generation_params(cut(), recipe(), "", "")
    assert params["model_name"] == "AnimaticShot"
    assert (params["sampler_name"], params["steps"], params["cfg_scale"]) == (None, None, None)


def test_the_largest_seed_comes_back_exactly(studio: Studio) -> None:
    studio.import_(stills(1, seed=2**64 - 1))
    studio.render()
    with session_scope(studio.settings) as session:
        assert session.scalars(select(GenerationParams.seed)).all() == [2**64 - 1]
    assert studio.artist.shots[0].seed == 2**64 - 1
