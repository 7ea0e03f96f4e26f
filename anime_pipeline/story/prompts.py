"""The prompt of a cut, composed from the story alone, each part with where it comes from.

Dialogue, timing and names of files are not in it: they decide no picture. The order is style, shot,
characters in the order of the cast, place; within a character its base prompt, what its outfit and expression
prepend, its attributes by priority, what they append.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from anime_pipeline.story.context import Attribute, CutContext, Figure, Variation

Side = Literal["positive", "negative"]

_STYLE_FIELDS = ("art_style", "line_weight", "shading_style")


@dataclass(frozen=True)
class PromptPart:
    """Some tokens of the prompt and where they come from, such as ``Mika: attribute hair_color``."""

    text: str
    source: str
    side: Side = "positive"


@dataclass(frozen=True)
class ComposedPrompt:
    """What a renderer is told; ``parts`` in their order add up to both texts."""

    positive: str
    negative: str
    parts: tuple[PromptPart, ...]


def compose_prompt(context: CutContext) -> ComposedPrompt:
    """The positive and negative prompt of a cut; the same context always gives the same prompt.

    A token that comes twice on one side is kept where it comes first, whatever its case.
    """
    return _composed(_parts(context))


def compose_figure_prompt(figure: Figure) -> ComposedPrompt:
    """What a character adds to the prompts of the cuts that show it so."""
    negative = PromptPart(", ".join(figure.negative_tokens), f"{figure.name}: negative_tokens", "negative")
    return _composed([*_figure_parts(figure), negative])


def _composed(given: Iterable[PromptPart]) -> ComposedPrompt:
    parts = _without_repeats(given)
    sides: tuple[Side, Side] = ("positive", "negative")
    positive, negative = (", ".join(part.text for part in parts if part.side == side) for side in sides)
    return ComposedPrompt(positive, negative, parts)


def _parts(context: CutContext) -> Iterator[PromptPart]:
    bible, overrides = context.bible, context.style_overrides
    for name in _STYLE_FIELDS:
        if overrides.get(name):
            yield PromptPart(overrides[name], f"scene: style_overrides.{name}")
        else:
            yield PromptPart(getattr(bible, name), f"bible: {name}")
    if context.figures:
        yield PromptPart(bible.character_design_rules, "bible: character_design_rules")
    yield PromptPart(context.description, "cut: description")
    yield PromptPart(context.camera_angle, "cut: camera_angle")
    yield PromptPart(context.action_notes, "cut: action_notes")
    for figure in context.figures:
        yield from _figure_parts(figure)
    yield PromptPart(context.location, "scene: location")
    yield PromptPart(context.time_of_day, "scene: time_of_day")
    yield PromptPart(context.mood, "scene: mood")
    yield PromptPart(", ".join(bible.mood_keywords), "bible: mood_keywords")
    for name in sorted(overrides):
        if name not in (*_STYLE_FIELDS, "negative_prompt"):
            yield PromptPart(overrides[name], f"scene: style_overrides.{name}")
    yield from _direction_parts(context, "prompt", "positive")
    yield from _negative_parts(context)


def _negative_parts(context: CutContext) -> Iterator[PromptPart]:
    yield PromptPart(context.bible.negative_prompt, "bible: negative_prompt", "negative")
    overridden = context.style_overrides.get("negative_prompt", "")
    yield PromptPart(overridden, "scene: style_overrides.negative_prompt", "negative")
    yield PromptPart(context.negative_prompt, "cut: negative_prompt", "negative")
    for figure in context.figures:
        yield PromptPart(", ".join(figure.negative_tokens), f"{figure.name}: negative_tokens", "negative")
    yield from _direction_parts(context, "negative", "negative")


def _direction_parts(context: CutContext, field: str, side: Side) -> Iterator[PromptPart]:
    """What a person's retake adds to one side of the prompt."""
    for one in context.directions:
        if one.field == field:
            yield PromptPart(str(one.value), f"direction.{one.retake_id}: {field}", side)


def _figure_parts(figure: Figure) -> Iterator[PromptPart]:
    variations = [variation for variation in (figure.outfit, figure.expression) if variation]
    yield PromptPart(figure.base_prompt or "", f"{figure.name}: base_prompt")
    for variation in variations:
        yield PromptPart(_tokens(variation, "prepend"), _source(figure, variation, "prepend"))
    for attribute, source in attributes_shown(figure):
        yield PromptPart(_attribute_tokens(attribute), source)
    for variation in variations:
        yield PromptPart(_tokens(variation, "append"), _source(figure, variation, "append"))
    if figure.emotional_state and figure.expression is None:
        yield PromptPart(f"{figure.emotional_state} expression", f"{figure.name}: emotional_state")
    if figure.position:
        yield PromptPart(f"{figure.name} {figure.position}", f"{figure.name}: position")


def attributes_shown(figure: Figure) -> list[tuple[Attribute, str]]:
    """The figure's attributes by priority, those that its outfit and expression replace replaced.

    Each comes with its source. A replaced attribute keeps its priority and loses its prompt tokens, which
    describe the value that is gone.
    """
    shown = {
        item.type: (item, f"{figure.name}: attribute {item.type}") for item in reversed(figure.attributes)
    }
    for variation in (figure.outfit, figure.expression):
        for name, value in sorted(_replaced(variation).items()):
            priority = shown[name][0].priority if name in shown else 0
            assert variation is not None
            shown[name] = (
                Attribute(name, value, (), priority),
                _source(figure, variation, f"attributes.{name}"),
            )
    return sorted(shown.values(), key=lambda pair: (-pair[0].priority, pair[0].type))


def _replaced(variation: Variation | None) -> dict[str, str]:
    attributes = variation.prompt_modifiers.get("attributes") if variation else None
    if not isinstance(attributes, Mapping):
        return {}
    return {str(name): str(value) for name, value in attributes.items()}


def _tokens(variation: Variation, key: str) -> str:
    tokens = variation.prompt_modifiers.get(key)
    if isinstance(tokens, str):
        return tokens
    return ", ".join(str(token) for token in tokens) if isinstance(tokens, (list, tuple)) else ""


def _source(figure: Figure, variation: Variation, key: str) -> str:
    return f"{figure.name}: {variation.type} {variation.name}, {key}"


def _attribute_tokens(attribute: Attribute) -> str:
    """The attribute's own tokens, or its value in words: ``hair_color`` = ``teal`` is ``teal hair``.

    A colour given as ``#rrggbb`` says nothing to a text encoder and is left out.
    """
    if attribute.prompt_tokens:
        return ", ".join(attribute.prompt_tokens)
    if attribute.value.startswith("#"):
        return ""
    subject, _, aspect = attribute.type.replace(" ", "_").rpartition("_")
    noun = {"eye": "eyes"}.get(subject, subject) if aspect in ("color", "colour", "style", "tone") else ""
    if attribute.type == "age" and attribute.value.isdecimal():
        return f"{attribute.value} years old"
    if attribute.type == "build":
        noun = "build"
    if not noun or noun in attribute.value.lower():
        return attribute.value
    return f"{attribute.value} {noun}"


def _without_repeats(parts: Iterable[PromptPart]) -> tuple[PromptPart, ...]:
    seen: dict[str, set[str]] = {"positive": set(), "negative": set()}
    kept = []
    for part in parts:
        before = seen[part.side]
        tokens = []
        for token, folded in _split(part.text):
            if folded not in before:
                before.add(folded)
                tokens.append(token)
        if tokens:
            kept.append(PromptPart(", ".join(tokens), part.source, part.side))
    return tuple(kept)


# The cuts of a story share most of their texts.
@lru_cache(maxsize=16_384)
def _split(text: str) -> tuple[tuple[str, str], ...]:
    """Tokens between commas, without a sentence's full stop, each also in folded case.

    A group such as ``(bob, teal:1.2)`` is one token.
    """
    tokens = []
    depth, start = 0, 0
    text = " ".join(text.split()) + ","
    for position, letter in enumerate(text):
        depth = max(0, depth + (letter in "([{") - (letter in ")]}"))
        if position == len(text) - 1 or (letter == "," and depth == 0):
            token = text[start:position].strip().rstrip(".")
            start = position + 1
            if token:
                tokens.append((token, token.casefold()))
    return tuple(tokens)
