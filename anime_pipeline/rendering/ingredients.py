"""From a cut to a template's values, and to the story fields (ingredients) that each value came from.

An ingredient is named as a person would say it: ``character.mika.outfit.raincoat``, ``scene.time_of_day``.
Only the slots that a template uses are asked, so a field that no slot carries makes no take stale.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from anime_pipeline.rendering.canonical import canonical_json
from anime_pipeline.rendering.filling import Absent, Scaled
from anime_pipeline.rendering.templates import TemplateError
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.story.context import CutContext, Figure, Variation
from anime_pipeline.story.prompts import ComposedPrompt, attributes_shown, compose_prompt

Ingredients = dict[str, Any]
MAX_SEED = 2**64 - 1


@dataclass(frozen=True)
class Question:
    """What a slot is answered from: the cut, which of its takes, how the template works, stored pictures.

    ``suffixes`` maps the sha256 of a stored picture to its suffix.
    """

    context: CutContext
    variant: Variant
    burns_subtitles: bool
    suffixes: Mapping[str, str]

    @cached_property
    def prompt(self) -> ComposedPrompt:
        """Both sides of the cut's prompt, composed once for the slots that ask."""
        return compose_prompt(self.context)


Answer = tuple[Any, Ingredients]


def answer(slot: str, question: Question) -> Answer:
    """The value of a slot (or :class:`Absent`) with its ingredients."""
    return _SLOTS[slot](question)


def seed_of(context: CutContext, number: int) -> int:
    """The seed of a cut's rendering ``number`` (from 1), 0 to 2^64-1, by the cut's seed policy.

    derived: the cut's own seed for the first, else the first 8 bytes (big-endian) of the sha256 over
    ``<base>:<cut key>:<number>`` in ASCII, where base is the cut's seed if it has one and the bible's global
    seed otherwise. random: as derived, with the number that was drawn for the cut in place of the global
    seed. sequential: the first derived one, and from there one more each time. fixed: always the first.
    """
    if context.seed_policy == "fixed":
        return _derived_seed(context, 1)
    if context.seed_policy == "sequential":
        return (_derived_seed(context, 1) + number - 1) % (MAX_SEED + 1)
    return _derived_seed(context, number)


def _derived_seed(context: CutContext, number: int) -> int:
    if context.seed is not None and number == 1:
        return context.seed
    base = context.seed
    if base is None:
        base = context.drawn_seed if context.seed_policy == "random" else context.bible.global_seed
    digest = hashlib.sha256(f"{base}:{context.seed_key or context.cut_key}:{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def direction_ingredients(context: CutContext, ingredients: Ingredients) -> Ingredients:
    """Each direction that decides something among ``ingredients``, as ``direction.<retake>.<field>``."""
    found: Ingredients = {}
    for one in context.directions:
        owner = slug(one.character or "")
        decided = tuple(prefix.format(owner) for prefix in _DECIDED.get(one.field, ()))
        if any(f"{name}.".startswith(decided) for name in ingredients):
            whose = f".{owner}" if one.character else ""
            found[f"direction.{one.retake_id}.{one.field}{whose}"] = one.value
    return found


# What a direction decides. One about a prompt is an ingredient of it by itself.
_DECIDED: dict[str, tuple[str, ...]] = {
    "camera": ("cut.camera_angle.",),
    "action": ("cut.action_notes.",),
    "seed": ("cut.seed.",),
    "variation": tuple(f"character.{{}}.{kind}." for kind in ("outfit", "pose", "age_variant")),
    "expression": ("character.{}.expression.", "character.{}.emotional_state."),
}


def picture_shas(context: CutContext) -> set[str]:
    """Every stored picture that a slot may ask for."""
    own = (context.background_sha256, context.first_frame_sha256, context.last_frame_sha256)
    shas = {sha256 for sha256 in own if sha256}
    for figure in context.figures:
        shas |= {variation.reference_sha256 for variation in _worn(figure) if variation.reference_sha256}
        shas |= set(figure.anchor_sha256s)
    return shas


@lru_cache(maxsize=4096)
def slug(name: str) -> str:
    """A name as a part of a field path."""
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_") or "unnamed"


def _text(owner: str, field: str) -> Callable[[Question], Answer]:
    def value(question: Question) -> Answer:
        text = getattr(question.context, field)
        return text, {f"{owner}.{field}": text}

    return value


def _frames(question: Question) -> Answer:
    context = question.context
    if context.kind == "still":
        return 1, {}  # how long a still is held is decided when the film is assembled
    return context.duration_frames, {"cut.duration_frames": context.duration_frames}


def _seed(question: Question) -> Answer:
    context = question.context
    parts: Ingredients = {}
    if context.seed is not None:
        parts["cut.seed"] = context.seed
    elif context.seed_policy != "random":
        parts["bible.global_seed"] = context.bible.global_seed
    if context.seed_policy != "derived":  # takes from before there were policies are derived
        owner = "cut" if context.has_own_seed_policy else "project"
        parts[f"{owner}.seed_policy"] = context.seed_policy
    return seed_of(context, question.variant.number), parts


def _palette(question: Question) -> Answer:
    palette = question.context.bible.color_palette
    ingredients = {f"bible.color_palette.{slug(name)}": colour for name, colour in palette.items()}
    return canonical_json(palette).decode(), ingredients


def _lines(question: Question) -> Answer:
    context, burned = question.context, question.burns_subtitles
    if not burned and (context.kind == "still" or not context.lip_flap):
        return "[]", {}  # nobody's mouth moves, so what is said decides no pixel
    figures = {figure.name for figure in context.figures}
    lines = [
        {
            "speaker": line.speaker,
            "text": line.text if burned else "",
            "start_frame": line.start_frame,
            "end_frame": min(line.end_frame, context.duration_frames),
        }
        for line in context.dialogue
        # Nobody is seen to say what comes from outside the picture, or while a loop plays again.
        if line.start_frame < context.duration_frames and (burned or line.speaker in figures)
    ]
    return canonical_json(lines).decode(), {"cut.dialogue": lines} if lines else {}


def _background(question: Question) -> Answer:
    sha256 = question.context.background_sha256
    if sha256 is None:
        return Absent("the location has no background picture"), {}
    return _input_name(question, sha256), {"scene.background": sha256}


def _reference_image(question: Question) -> Answer:
    for figure in question.context.figures:
        path = f"character.{slug(figure.name)}"
        for variation in _worn(figure):
            if variation.reference_sha256:
                name = _input_name(question, variation.reference_sha256)
                return name, {f"{_worn_path(figure, variation)}.picture": variation.reference_sha256}
        # What shows how to stand is no picture of who it is.
        likeness = next((sha for sha in figure.anchor_sha256s if sha != figure.pose_sha256), None)
        if likeness is not None:
            return _input_name(question, likeness), {f"{path}.anchor": likeness}
    return Absent("no character of the cut has a reference picture or an anchor"), {}


def _pose_image(question: Question) -> Answer:
    for figure in question.context.figures:
        if figure.pose_sha256:
            name = _input_name(question, figure.pose_sha256)
            return name, {f"character.{slug(figure.name)}.pose": figure.pose_sha256}
    return Absent("no character of the cut has an anchor of type pose_reference"), {}


def _first_frame(question: Question) -> Answer:
    sha256 = question.context.first_frame_sha256
    if sha256 is None and question.context.continues:
        raise TemplateError(
            f"{question.context.cut_key} begins where the cut before it ends, and that has no take yet",
            "render that one first",
        )
    if sha256 is None:
        return _reference_image(question)
    return _input_name(question, sha256), {"cut.first_frame": sha256}


def _last_frame(question: Question) -> Answer:
    sha256 = question.context.last_frame_sha256
    if sha256 is None:
        return Absent("the cut has no last_frame"), {}
    return _input_name(question, sha256), {"cut.last_frame": sha256}


def _model(question: Question) -> Answer:
    model, kind = question.context.model, question.context.kind
    if model is None:
        return Absent(f"the project names no model for a {kind}"), {}
    return model, {f"project.models.{kind}": model}


def _loras(question: Question) -> Answer:
    figures = [figure for figure in question.context.figures if figure.lora]
    if not figures:
        return Absent("no character of the cut has a lora_model_path"), {}
    used = {f"character.{slug(figure.name)}.lora_model_path": figure.lora for figure in figures}
    return list(dict.fromkeys(figure.lora for figure in figures)), used


def _figures(question: Question) -> Answer:
    figures: list[dict[str, Any]] = []
    ingredients: Ingredients = {"cut.cast": [figure.name for figure in question.context.figures]}
    for figure in question.context.figures:
        value, parts = _figure(question, figure)
        figures.append(value)
        ingredients |= parts
    return canonical_json(figures).decode(), ingredients if figures else {}


def _figure(question: Question, figure: Figure) -> tuple[dict[str, Any], Ingredients]:
    path = f"character.{slug(figure.name)}"
    ingredients: Ingredients = {_worn_path(figure, variation): True for variation in _worn(figure)}
    attributes = {}
    for attribute, source in attributes_shown(figure):
        attributes[attribute.type] = attribute.value
        ingredients[_path_of(source, question.context)] = attribute.value
    # An expression is drawn in its outfit, so the outfit's picture wins.
    pictured = next((variation for variation in _worn(figure) if variation.reference_sha256), None)
    picture = None
    if pictured is not None and pictured.reference_sha256 is not None:
        picture = _input_name(question, pictured.reference_sha256)
        ingredients[f"{_worn_path(figure, pictured)}.picture"] = pictured.reference_sha256
    if figure.emotional_state and figure.expression is None:
        ingredients[f"{path}.emotional_state"] = figure.emotional_state
    if figure.position:
        ingredients[f"{path}.position"] = figure.position
    return {
        "name": figure.name,
        "attributes": attributes,
        "outfit": figure.outfit.name if figure.outfit else None,
        "expression": figure.expression.name if figure.expression else figure.emotional_state,
        "position": figure.position,
        "picture": picture,
    }, ingredients


def _prompt(side: str) -> Callable[[Question], Answer]:
    def value(question: Question) -> Answer:
        prompt = question.prompt
        parts = {
            _path_of(part.source, question.context): part.text for part in prompt.parts if part.side == side
        }
        return getattr(prompt, side), parts

    return value


def _path_of(source: str, context: CutContext) -> str:
    """A prompt part's source as a field path: ``Mika: outfit raincoat, prepend`` is
    ``character.mika.outfit.raincoat.prepend``."""
    owner, _, rest = source.partition(": ")
    if owner not in {figure.name for figure in context.figures}:
        return f"{owner}.{rest}"
    thing, _, side = rest.partition(", ")
    kind, _, name = thing.partition(" ")
    path = [f"character.{slug(owner)}", kind, *([slug(name)] if name else [])]
    return ".".join([*path, side.removeprefix("attributes.")] if side else path)


def _worn(figure: Figure) -> list[Variation]:
    return [variation for variation in (figure.outfit, figure.expression) if variation is not None]


def _worn_path(figure: Figure, variation: Variation) -> str:
    return f"character.{slug(figure.name)}.{variation.type}.{slug(variation.name)}"


def _input_name(question: Question, sha256: str) -> str:
    suffix = question.suffixes.get(sha256)
    if suffix is None:
        raise TemplateError(
            f"{question.context.cut_key} shows a picture ({sha256[:12]}…) that the media store does not know",
            "import the production again",
        )
    return f"{sha256}{suffix}"


_SLOTS: dict[str, Callable[[Question], Answer]] = {
    "positive": _prompt("positive"),
    "negative": _prompt("negative"),
    "seed": _seed,
    "width": _text("project", "width"),
    "height": _text("project", "height"),
    "frames": _frames,
    "fps": _text("cut", "fps"),
    "kind": _text("cut", "kind"),
    "reference_image": _reference_image,
    "pose_image": _pose_image,
    "anchor_weight": lambda question: (Scaled(question.variant.anchor_weight), {}),
    "first_frame": _first_frame,
    "last_frame": _last_frame,
    "model": _model,
    "loras": _loras,
    "background": _background,
    "location": _text("scene", "location"),
    "time_of_day": _text("scene", "time_of_day"),
    "mood": _text("scene", "mood"),
    "palette": _palette,
    "figures": _figures,
    "camera_angle": _text("cut", "camera_angle"),
    "action": _text("cut", "action_notes"),
    "lines": _lines,
    "slate": lambda question: (question.context.cut_key, {}),
}
