"""Cuts for tests of recipes: one that shows everything, to be changed field by field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anime_pipeline.rendering.recipes import Recipe, compose_recipe
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.story.context import Attribute, Bible, CutContext, DialogueLine, Figure, Variation

RAINCOAT_PICTURE, ANCHOR, BACKGROUND = "a" * 64, "b" * 64, "c" * 64
SUFFIXES = {RAINCOAT_PICTURE: ".png", ANCHOR: ".jpg", BACKGROUND: ".webp"}

MIKA = Figure(
    character_id=1,
    name="Mika",
    attributes=(
        Attribute("hair_color", "teal", ("teal hair",), 5),
        Attribute("outfit_color", "white"),
    ),
    outfit=Variation("raincoat", "outfit", {"append": ["shiny"], "attributes": {"outfit_color": "yellow"}}),
    expression=Variation("smile", "expression", {"append": ["big smile"]}),
    emotional_state="smile",
    position="left",
    base_prompt="a courier",
    negative_tokens=("hat",),
)
TORU = Figure(2, "Grandpa Toru", (Attribute("hair_color", "white"),), emotional_state="calm")

CUT = CutContext(
    cut_id=1,
    cut_key="tiny.e01.s001.c0010",
    scene_key="tiny.e01.s001",
    episode_key="tiny.e01",
    project_id=1,
    project_slug="tiny",
    kind="video",
    width=640,
    height=360,
    fps=24,
    duration_frames=48,
    workflow="animatic-video",
    takes_wanted=1,
    description="rain on the quay",
    camera_angle="wide",
    action_notes="she waves",
    location="harbour",
    time_of_day="dusk",
    mood="calm",
    style_overrides={},
    bible=Bible(1, "ink", {"sea": "#102030", "lamp": "#ffcc66"}, "round eyes", "letters", "blur", 7),
    figures=(MIKA, TORU),
    dialogue=(DialogueLine("Mika", "hello", 0, 20), DialogueLine("Grandpa Toru", "hm", 24, 40)),
    lip_flap=True,
    seed=None,
    background_sha256=None,
)

LIBRARY = TemplateLibrary()


def cut(**changes: Any) -> CutContext:
    """The cut with some fields changed; ``kind`` also chooses the animatic for it."""
    if "kind" in changes and "workflow" not in changes:
        changes["workflow"] = f"animatic-{changes['kind']}"
    return replace(CUT, **changes)


def recipe(context: CutContext = CUT, variant: int = 1, library: TemplateLibrary = LIBRARY) -> Recipe:
    """Its recipe."""
    return compose_recipe(context, library, SUFFIXES, Variant(variant))


def inputs_of(composed: Recipe, title: str) -> dict[str, Any]:
    """The inputs of a node of the filled graph."""
    (node,) = [node for node in composed.workflow.values() if node["_meta"]["title"] == title]
    inputs: dict[str, Any] = node["inputs"]
    return inputs
