"""Valid productions of any shape, as plain data, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE

# Any text that YAML and PostgreSQL carry; trimmed, as the reader does.
_letters = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"
)
texts = st.text(_letters, max_size=20).map(str.strip)
words = texts.filter(bool)
colors = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)
seeds = st.integers(0, 2**64 - 1)
json_values = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _numbered(
    largest: int, entries: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    pairs = st.tuples(st.integers(0, largest), entries).map(lambda pair: {"number": pair[0], **pair[1]})
    return st.lists(pairs, max_size=3, unique_by=lambda entry: entry["number"])


_modifiers = _optional(
    prepend=st.lists(words, max_size=2),
    append=st.lists(words, max_size=2),
    attributes=st.dictionaries(words, words, max_size=2),
)
_attributes = st.lists(
    st.fixed_dictionaries(
        {"type": words, "value": words.filter(lambda value: not value.startswith("#"))},
        optional={"prompt_tokens": st.lists(words, max_size=3), "priority": st.integers(-9, 9)},
    ),
    max_size=4,
    unique_by=lambda entry: entry["type"],
)
_variations = st.lists(
    st.fixed_dictionaries(
        {"name": words, "type": st.sampled_from(["outfit", "expression", "pose", "age_variant"])},
        optional={"prompt_modifiers": _modifiers},
    ),
    max_size=3,
    unique_by=lambda entry: entry["name"],
)
_characters = st.lists(
    st.fixed_dictionaries(
        {"name": words, "attributes": _attributes, "variations": _variations},
        optional={
            "description": texts,
            "base_prompt": texts,
            "negative_tokens": st.lists(words, max_size=2),
            "lora_model_path": words,
        },
    ),
    max_size=3,
    unique_by=lambda entry: entry["name"],
)
_bibles = _optional(
    art_style=texts,
    color_palette=st.dictionaries(words, colors, max_size=3),
    technical_requirements=st.dictionaries(words, json_values, max_size=3).map(
        lambda values: {key: value for key, value in values.items() if key != "negative_prompt"}
    ),
    negative_prompt=texts,
    global_seed=seeds,
    mood_keywords=st.lists(words, max_size=2),
    line_weight=texts,
)


@st.composite
def _members(draw: st.DrawFn, character: dict[str, Any], key: str, feeling: str) -> dict[str, Any]:
    worn = [variation["name"] for variation in character["variations"] if variation["type"] != "expression"]
    outfit = {key: st.sampled_from(worn)} if worn else {}
    felt = [variation["name"] for variation in character["variations"]]
    member = _optional(**outfit, **{feeling: st.sampled_from([*felt, "calm"])}, position=words)
    return {"character": character["name"], **draw(member)}


_budgets = _optional(attempts=st.integers(1, 9), gpu_seconds=st.integers(0, 99), retakes=st.integers(0, 9))


@st.composite
def _cuts(draw: st.DrawFn, cast: list[dict[str, Any]]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["still", "loop", "video"]))
    cut = draw(
        _optional(description=texts, camera_angle=words, action_notes=texts, seed=seeds, fps=st.just(12))
    )
    cut |= {"kind": kind, "duration_frames": draw(st.integers(200, 400))}
    cut |= draw(_optional(workflow=words, takes=st.integers(1, 9), lip_flap=st.booleans()))
    policies = st.sampled_from(["derived", "sequential"] if "seed" in cut else ["derived", "random"])
    cut |= draw(_optional(seed_policy=policies, budget=_budgets))
    shown = cast
    if cast and draw(st.booleans()):
        shown = draw(st.lists(st.sampled_from(cast), unique_by=lambda character: character["name"]))
        cut["cast"] = [draw(_members(character, "variation", "expression")) for character in shown]
    if shown:
        names = st.sampled_from([character["name"] for character in shown])
        lines = st.fixed_dictionaries({"speaker": names, "text": words})
        cut["dialogue"] = draw(st.lists(lines, max_size=3))
    return cut


@st.composite
def _scenes(draw: st.DrawFn, characters: list[dict[str, Any]]) -> dict[str, Any]:
    present = [character for character in characters if draw(st.booleans())]
    scene = draw(_optional(location=texts, time_of_day=texts, mood=texts, name=texts))
    overrides = st.dictionaries(words.filter(lambda word: word != "background_image"), words, max_size=2)
    scene |= draw(_optional(style_overrides=overrides))
    scene["cast"] = [draw(_members(character, "costume_variant", "emotional_state")) for character in present]
    scene["cuts"] = draw(_numbered(MAX_CUT, _cuts(present)))
    return scene


@st.composite
def productions(draw: st.DrawFn) -> dict[str, Any]:
    """A valid production without pictures, in the file's plain data."""
    characters = draw(_characters)
    scenes = _numbered(MAX_SCENE, _scenes(characters))
    episodes = st.fixed_dictionaries({"scenes": scenes}, optional={"title": texts, "synopsis": texts})
    project = {"slug": "made", "name": "Made", "resolution": "64x36", "fps": draw(st.integers(1, 60))}
    return {
        "project": project,
        "bible": draw(_bibles),
        "characters": characters,
        "episodes": draw(_numbered(MAX_EPISODE, episodes)),
    }
