"""Defends what is in a recipe: every field that decides pixels and no other, each under a plain name."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.rendering.changes import Change, changes_between
from anime_pipeline.rendering.filling import PREFIX_PLACEHOLDER
from anime_pipeline.rendering.ingredients import MAX_SEED, seed_of
from anime_pipeline.rendering.recipes import output_nodes, recipe_hash, submission_graph
from anime_pipeline.story.context import Attribute, Bible, DialogueLine, Figure, Variation
from anime_pipeline_tests.rendering.contexts import (
    BACKGROUND,
    CUT,
    MIKA,
    RAINCOAT_PICTURE,
    TORU,
    cut,
    inputs_of,
    recipe,
)


def bible(**changes: Any) -> Bible:
    return replace(CUT.bible, **changes)


def mika(**changes: Any) -> tuple[Figure, ...]:
    return (replace(MIKA, **changes), TORU)


RECOLOURED = Variation("raincoat", "outfit", {"append": ["shiny"], "attributes": {"outfit_color": "red"}})
REWORDED = Variation("raincoat", "outfit", {"append": ["dull"], "attributes": {"outfit_color": "yellow"}})
PICTURED = replace(MIKA.outfit or RECOLOURED, reference_sha256=RAINCOAT_PICTURE)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"location": "shrine"}, "scene.location"),
        ({"time_of_day": "night"}, "scene.time_of_day"),
        ({"mood": "tense"}, "scene.mood"),
        ({"background_sha256": BACKGROUND}, "scene.background"),
        ({"camera_angle": "close"}, "cut.camera_angle"),
        ({"action_notes": "she runs"}, "cut.action_notes"),
        ({"duration_frames": 72}, "cut.duration_frames"),
        ({"fps": 12}, "cut.fps"),
        ({"seed": 5}, "cut.seed"),
        ({"width": 960}, "project.width"),
        ({"height": 540}, "project.height"),
        ({"dialogue": (DialogueLine("Mika", "hello", 0, 21), CUT.dialogue[1])}, "cut.dialogue"),
        ({"bible": bible(global_seed=8)}, "bible.global_seed"),
        ({"bible": bible(color_palette={"sea": "#000000", "lamp": "#ffcc66"})}, "bible.color_palette.sea"),
        ({"figures": mika(position="right")}, "character.mika.position"),
        ({"figures": mika(outfit=RECOLOURED)}, "character.mika.outfit.raincoat.outfit_color"),
        ({"figures": mika(outfit=PICTURED)}, "character.mika.outfit.raincoat.picture"),
        ({"figures": mika(outfit=None)}, "character.mika.outfit.raincoat"),
        (
            {"figures": mika(attributes=(Attribute("hair_color", "red"), MIKA.attributes[1]))},
            "character.mika.attribute.hair_color",
        ),
        ({"figures": (MIKA, replace(TORU, emotional_state="sad"))}, "character.grandpa_toru.emotional_state"),
        ({"figures": (MIKA,)}, "cut.cast"),
    ],
)
def test_what_shows_is_in_the_recipe_under_its_name(changes: dict[str, Any], field: str) -> None:
    before, after = recipe(), recipe(cut(**changes))
    assert after.recipe_hash != before.recipe_hash
    assert field in [change.field for change in changes_between(before.ingredients, after.ingredients)]


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "fog on the quay"},
        {"takes_wanted": 3},
        {"repeats": 4},
        {"dialogue": (DialogueLine("Mika", "howdy", 0, 20), CUT.dialogue[1])},  # says other words as long
        {"dialogue": (*CUT.dialogue, DialogueLine("Kon", "heard, not seen", 40, 48))},
        {"dialogue": (*CUT.dialogue, DialogueLine("Mika", "while it plays again", 48, 60))},
        {"bible": bible(version=2, art_style="oil", negative_prompt="noise", world_building_notes="")},
        {"figures": mika(base_prompt="a sailor", negative_tokens=("cap",))},
        {"figures": mika(attributes=(replace(MIKA.attributes[0], prompt_tokens=()), MIKA.attributes[1]))},
        {"figures": mika(attributes=(MIKA.attributes[0], Attribute("outfit_color", "under the coat")))},
        {"figures": mika(outfit=REWORDED)},
        {"figures": mika(anchor_sha256s=("d" * 64,))},
    ],
)
def test_what_no_input_of_the_animatic_takes_stays_out(changes: dict[str, Any]) -> None:
    assert recipe(cut(**changes)).recipe_hash == recipe().recipe_hash
    assert recipe(cut(**changes)).ingredients == recipe().ingredients


@pytest.mark.parametrize("changes", [{"kind": "still"}, {"lip_flap": False}])
def test_dialogue_is_nothing_to_a_cut_without_lip_flap(changes: dict[str, Any]) -> None:
    spoken, silent = recipe(cut(**changes)), recipe(cut(dialogue=(), **changes))
    assert spoken.recipe_hash == silent.recipe_hash
    assert "cut.dialogue" not in spoken.ingredients


def test_how_long_a_still_is_held_is_nothing_to_its_picture() -> None:
    held = cut(kind="still", duration_frames=99)
    assert recipe(held).recipe_hash == recipe(cut(kind="still")).recipe_hash


def test_words_count_where_a_text_encoder_reads_them() -> None:
    still = cut(kind="still", workflow="sdxl-still")
    before = recipe(still)
    after = recipe(replace(still, figures=mika(outfit=REWORDED)))
    assert changes_between(before.ingredients, after.ingredients) == (
        Change("character.mika.outfit.raincoat.append", "shiny", "dull"),
    )
    negative = recipe(replace(still, bible=bible(negative_prompt="noise")))
    assert [change.field for change in changes_between(before.ingredients, negative.ingredients)] == [
        "bible.negative_prompt"
    ]


def test_every_context_field_is_either_shown_or_known_not_to_be() -> None:
    """A field that the story gains is thought about here, not forgotten."""
    shown = {"kind", "width", "height", "fps", "duration_frames", "workflow", "camera_angle", "action_notes",
             "location", "time_of_day", "mood", "bible", "figures", "dialogue", "lip_flap", "seed",
             "background_sha256", "cut_key", "description", "style_overrides", "model",
                 "first_frame_sha256", "last_frame_sha256", "continues", "negative_prompt", "seed_key",
                 "seed_policy", "has_own_seed_policy", "drawn_seed", "directions", "impossible"}  # fmt: skip
    not_shown = {
        "cut_id",
        "scene_key",
        "episode_key",
        "project_id",
        "project_slug",
        "takes_wanted",
        "repeats",
        "continuous",
    }
    assert {field.name for field in fields(CUT)} == shown | not_shown


def test_the_animatic_gets_what_its_nodes_ask() -> None:
    composed = recipe(cut(figures=mika(outfit=PICTURED), background_sha256=BACKGROUND))
    figures = json.loads(inputs_of(composed, "Cast")["figures"])
    assert figures[0] == {
        "name": "Mika",
        "attributes": {"hair_color": "teal", "outfit_color": "yellow"},
        "outfit": "raincoat",
        "expression": "smile",
        "position": "left",
        "picture": f"{RAINCOAT_PICTURE}.png",
    }
    assert figures[1]["expression"] == "calm"
    assert inputs_of(composed, "Background picture")["image"] == f"{BACKGROUND}.webp"
    assert composed.inputs == {
        f"{RAINCOAT_PICTURE}.png": RAINCOAT_PICTURE,
        f"{BACKGROUND}.webp": BACKGROUND,
    }
    shot = inputs_of(composed, "Shot")
    assert (shot["length"], shot["fps"], shot["width"], shot["height"]) == (48, 24, 640, 360)
    assert json.loads(shot["lines"])[0] == {"speaker": "Mika", "text": "", "start_frame": 0, "end_frame": 20}


def test_without_a_background_picture_its_node_is_gone() -> None:
    composed = recipe()
    assert "LoadImage" not in {node["class_type"] for node in composed.workflow.values()}
    assert "picture" not in inputs_of(composed, "Backdrop")


def test_ids_and_titles_decide_nothing() -> None:
    composed = recipe()
    plain = {key: {**node, "_meta": {}} for key, node in composed.workflow.items()}
    assert recipe_hash(plain, composed.inputs, composed.versions) == composed.recipe_hash


def test_each_attempt_has_its_own_prefix_and_the_servers_names() -> None:
    composed = recipe(cut(figures=mika(outfit=PICTURED)))
    (output,) = output_nodes(composed.workflow)
    assert composed.workflow[output]["inputs"]["filename_prefix"] == PREFIX_PLACEHOLDER
    posted = submission_graph(composed.workflow, "mine", {f"{RAINCOAT_PICTURE}.png": "k (1).png"})
    assert posted[output]["inputs"]["filename_prefix"] == "mine"
    assert '"picture":"k (1).png"' in posted["3"]["inputs"]["figures"]
    assert composed.workflow[output]["inputs"]["filename_prefix"] == PREFIX_PLACEHOLDER


@given(st.integers(0, MAX_SEED), st.integers(1, 1000))
def test_seeds_are_in_range_and_differ_by_variant(seed: int, variant: int) -> None:
    context = cut(bible=bible(global_seed=seed))
    assert 0 <= seed_of(context, variant) <= MAX_SEED
    assert seed_of(context, variant) != seed_of(context, variant + 1)
    assert seed_of(cut(seed=seed), 1) == seed


def test_seeds_stay_what_they_are() -> None:
    """Another derivation would make every take of every studio stale."""
    assert seed_of(CUT, 1) == 12605724097584182625


def test_another_drawing_makes_animatics_stale_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe()
    monkeypatch.setattr("anime_pipeline.rendering.recipes.DRAWING_VERSION", 999)
    after = recipe()
    assert after.recipe_hash != before.recipe_hash
    (change,) = changes_between(before.ingredients, after.ingredients)
    assert (change.field, change.new) == ("renderer.animatic", 999)


def test_what_saves_is_found_where_its_prefix_comes_by_a_link() -> None:
    graph: Any = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": PREFIX_PLACEHOLDER}},
        "2": {"class_type": "SaveVideo", "inputs": {"video": ["4", 0], "filename_prefix": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "else"}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"text": f"mail to me{PREFIX_PLACEHOLDER}"}},
    }
    assert output_nodes(graph) == ["2"]
