"""Defends prompts: composed from the story alone, in one order, each part with its source, none twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.story.context import Attribute, Bible, CutContext, DialogueLine, Figure, Variation
from anime_pipeline.story.prompts import attributes_shown, compose_prompt

RAINCOAT = Variation(
    "raincoat",
    "outfit",
    {"prepend": ["wet"], "append": ["yellow raincoat"], "attributes": {"outfit": "raincoat", "hat": "hood"}},
)
MIKA = Figure(
    character_id=1,
    name="Mika",
    attributes=(
        Attribute("hair_color", "teal", (), 90),
        Attribute("outfit", "blouse", ("white blouse",), 50),
        Attribute("eye_color", "#ffbf00", (), 40),
    ),
    outfit=RAINCOAT,
    emotional_state="worried",
    position="left",
    base_prompt="1girl, courier",
    negative_tokens=("long hair",),
)
BIBLE = Bible(1, "watercolour, Soft light", {"sea": "#102030"}, "large eyes", "an island", "blur, text", 7)
CONTEXT = CutContext(
    cut_id=1, cut_key="a.e01.s001.c0010", scene_key="a.e01.s001", episode_key="a.e01", project_id=1,
    project_slug="a", kind="still", width=320, height=180, fps=24, duration_frames=48,
    workflow="animatic-still", takes_wanted=1, description="a letter", camera_angle="close-up",
    action_notes="Mika waits", location="harbour", time_of_day="dusk", mood="quiet",
    style_overrides={"palette": "muted", "grain": "film grain"}, bible=BIBLE, figures=(MIKA,), dialogue=(),
    lip_flap=False, seed=None, background_sha256=None,
)  # fmt: skip

words = st.text("abc ,():", max_size=12)
tokens = st.lists(words, max_size=3)
attributes = st.builds(Attribute, words, words, tokens.map(tuple), st.integers(-5, 5))
modifiers = st.fixed_dictionaries(
    {},
    optional={"prepend": tokens, "append": tokens, "attributes": st.dictionaries(words, words, max_size=3)},
)
variations = st.none() | st.builds(Variation, words, st.just("outfit"), modifiers)
figures = st.builds(
    Figure,
    st.just(1),
    words,
    st.lists(attributes, max_size=5, unique_by=lambda attribute: attribute.type).map(tuple),
    variations,
    variations,
    st.none() | words,
    st.none() | words,
)
contexts = st.builds(
    lambda shown, overrides, style: replace(
        CONTEXT, figures=shown, style_overrides=overrides, bible=replace(BIBLE, art_style=style)
    ),
    st.lists(figures, max_size=3).map(tuple),
    st.dictionaries(words, words, max_size=4),
    words,
)


def test_parts_stand_in_order_and_name_their_sources() -> None:
    prompt = compose_prompt(CONTEXT)
    assert [(part.source, part.text) for part in prompt.parts] == [
        ("bible: art_style", "watercolour, Soft light"),
        ("bible: character_design_rules", "large eyes"),
        ("cut: description", "a letter"),
        ("cut: camera_angle", "close-up"),
        ("cut: action_notes", "Mika waits"),
        ("Mika: base_prompt", "1girl, courier"),
        ("Mika: outfit raincoat, prepend", "wet"),
        ("Mika: attribute hair_color", "teal hair"),
        ("Mika: outfit raincoat, attributes.outfit", "raincoat"),
        ("Mika: outfit raincoat, attributes.hat", "hood"),
        ("Mika: outfit raincoat, append", "yellow raincoat"),
        ("Mika: emotional_state", "worried expression"),
        ("Mika: position", "Mika left"),
        ("scene: location", "harbour"),
        ("scene: time_of_day", "dusk"),
        ("scene: mood", "quiet"),
        ("scene: style_overrides.grain", "film grain"),
        ("scene: style_overrides.palette", "muted"),
        ("bible: negative_prompt", "blur, text"),
        ("Mika: negative_tokens", "long hair"),
    ]
    assert prompt.positive.startswith("watercolour, Soft light, large eyes, a letter")
    assert prompt.negative == "blur, text, long hair"


def test_a_scene_overrides_the_style_of_the_bible() -> None:
    prompt = compose_prompt(
        replace(CONTEXT, style_overrides={"art_style": "ink", "negative_prompt": "colour"})
    )
    assert prompt.positive.startswith("ink, large eyes")
    assert prompt.negative == "blur, text, colour, long hair"


def test_a_token_is_kept_once_whatever_its_case_and_groups_stay_whole() -> None:
    bible = replace(BIBLE, art_style="ink, (soft light, haze:1.2), INK, Harbour")
    prompt = compose_prompt(replace(CONTEXT, bible=bible, figures=()))
    assert prompt.positive.startswith("ink, (soft light, haze:1.2), Harbour, a letter")
    assert prompt.positive.lower().count("harbour") == 1
    assert "scene: location" not in [part.source for part in prompt.parts]


def test_a_replaced_attribute_keeps_its_priority_and_loses_its_tokens() -> None:
    shown = {attribute.type: attribute for attribute, _ in attributes_shown(MIKA)}
    assert shown["outfit"] == Attribute("outfit", "raincoat", (), 50)
    assert "white blouse" not in compose_prompt(CONTEXT).positive


def test_what_is_said_decides_no_picture() -> None:
    spoken = replace(CONTEXT, dialogue=(DialogueLine("Mika", "hello", 0, 10),), duration_frames=96)
    assert compose_prompt(spoken) == compose_prompt(CONTEXT)


@given(contexts)
def test_the_parts_are_the_prompt_and_no_token_comes_twice(context: CutContext) -> None:
    prompt = compose_prompt(context)
    assert prompt == compose_prompt(context)
    for side, text in (("positive", prompt.positive), ("negative", prompt.negative)):
        assert text == ", ".join(part.text for part in prompt.parts if part.side == side)
    assert all(part.text.strip() and part.source for part in prompt.parts)


@given(contexts, st.randoms(use_true_random=False))
def test_the_order_of_mappings_and_attributes_does_not_matter(
    context: CutContext, chance: random.Random
) -> None:
    shuffled = replace(
        context,
        style_overrides=_shuffled(context.style_overrides, chance),
        figures=tuple(_shuffled_figure(figure, chance) for figure in context.figures),
    )
    assert compose_prompt(shuffled) == compose_prompt(context)


def _shuffled_figure(figure: Figure, chance: random.Random) -> Figure:
    mixed = list(figure.attributes)
    chance.shuffle(mixed)
    return replace(
        figure,
        attributes=tuple(mixed),
        outfit=_shuffled_variation(figure.outfit, chance),
        expression=_shuffled_variation(figure.expression, chance),
    )


def _shuffled_variation(variation: Variation | None, chance: random.Random) -> Variation | None:
    if variation is None:
        return None
    changed = dict(variation.prompt_modifiers)
    if isinstance(changed.get("attributes"), dict):
        changed["attributes"] = _shuffled(changed["attributes"], chance)
    return replace(variation, prompt_modifiers=_shuffled(changed, chance))


def _shuffled(mapping: Any, chance: random.Random) -> dict[str, Any]:
    items = list(mapping.items())
    chance.shuffle(items)
    return dict(items)
