"""A production as rows: what the database should hold, by kind and natural key.

Values are named as the columns; what the tables keep inside JSON (a cut's cast, the bible's negative prompt)
stands here by itself, so that a difference can name it.
"""

from __future__ import annotations

from typing import Any

from anime_pipeline.story.entries import Entry
from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.production import (
    AnchorEntry,
    AttributeEntry,
    CastEntry,
    CharacterEntry,
    CutEntry,
    Production,
    SceneEntry,
    VariationEntry,
)

KINDS = (
    "project",
    "bible",
    "character",
    "attribute",
    "variation",
    "anchor",
    "episode",
    "scene",
    "cast",
    "cut",
)
SPEC_FIELDS = (
    "cast",
    "dialogue",
    "lip_flap",
    "seed",
    "repeats",
    "first_frame",
    "last_frame",
    "continues",
    "continuous",
    "seed_policy",
    "budget",
)

Key = tuple[Any, ...]
Values = dict[str, Any]
Rows = dict[str, dict[Key, Values]]


def empty_rows() -> Rows:
    """No rows of any kind."""
    return {kind: {} for kind in KINDS}


def wanted_rows(production: Production) -> Rows:
    """The rows that a production asks for, in the order of the file."""
    rows = empty_rows()
    rows["project"][()] = _project(production)
    rows["bible"][()] = _bible(production)
    for character in production.characters:
        _add_character(production, character, rows)
    for episode in production.episodes:
        rows["episode"][(episode.number,)] = {
            "title": episode.title,
            "synopsis": episode.synopsis,
            "target_duration_seconds": episode.target_duration_seconds,
        }
        for scene in episode.scenes:
            _add_scene(production, (episode.number, scene.number), scene, rows)
    return rows


def name_of(slug: str, kind: str, key: Key) -> str:
    """What a row is called in a difference: the key of an episode, scene or cut, or names."""
    if kind in ("project", "bible"):
        return slug
    if kind == "episode":
        return str(EpisodeKey(slug, *key))
    if kind == "scene":
        return str(SceneKey(slug, *key))
    if kind == "cast":
        return f"{SceneKey(slug, *key[:2])} {key[2]}"
    if kind == "cut":
        return str(CutKey(slug, *key))
    return " ".join(str(part) for part in key)


def dialogue_text(lines: list[dict[str, Any]]) -> str:
    """The lines as ``public.cuts.dialogue`` keeps them: ``Mika: hello``, one a line."""
    return "\n".join(f"{line['speaker']}: {line['text']}" for line in lines)


def _project(production: Production) -> Values:
    project = production.project
    return {
        "name": project.name,
        "type": project.type,
        "description": project.description,
        "width": project.width,
        "height": project.height,
        "fps": project.fps,
        "workflows": project.workflows.model_dump(exclude_none=True),
        "models": project.models.model_dump(exclude_none=True),
        "identity_backend": project.identity_backend,
        "selection": _said(project.selection),
        "retention": _said(project.retention),
        "seed_policy": project.seed_policy,
        "budget": _said(project.budget),
    }


def _bible(production: Production) -> Values:
    values = production.bible.model_dump()
    values["art_style_description"] = values.pop("art_style")
    return values


def _add_character(production: Production, character: CharacterEntry, rows: Rows) -> None:
    name = character.name
    rows["character"][(name,)] = {
        "project": production.project.name,
        "description": character.description,
        "base_prompt": character.base_prompt,
        "negative_tokens": character.negative_tokens,
        "lora_model_path": character.lora_model_path,
        "omitted": False,
    }
    for attribute in character.attributes:
        rows["attribute"][(name, attribute.type)] = _attribute(attribute)
    for variation in character.variations:
        rows["variation"][(name, variation.name)] = _variation(production, variation)
    for anchor in character.anchors:
        rows["anchor"][(name, anchor.type, anchor.name)] = _anchor(production, anchor)


def _attribute(attribute: AttributeEntry) -> Values:
    return {
        "attribute_value": attribute.value,
        "prompt_tokens": attribute.prompt_tokens,
        "priority": attribute.priority,
    }


def _variation(production: Production, variation: VariationEntry) -> Values:
    return {
        "variation_type": variation.type,
        "prompt_modifiers": _said(variation.prompt_modifiers),
        "reference_image_path": _location(production, variation.reference_image),
    }


def _anchor(production: Production, anchor: AnchorEntry) -> Values:
    return {
        "description": anchor.description,
        "image_path": _location(production, anchor.image),
        "omitted": False,
    }


def _add_scene(production: Production, key: tuple[int, int], scene: SceneEntry, rows: Rows) -> None:
    fps = production.project.fps
    rows["scene"][key] = {
        "name": scene.name,
        "description": scene.description,
        "location": scene.location,
        "time_of_day": scene.time_of_day,
        "mood": scene.mood,
        "duration_frames": sum(cut.frames(fps) * cut.repeats for cut in scene.cuts),
        "style_overrides": dict(scene.style_overrides),
        "background_image": _location(production, scene.background_image),
    }
    for member in scene.cast:
        rows["cast"][(*key, member.character)] = member_values(member)
    for cut in scene.cuts:
        frames = {name: _location(production, getattr(cut, name)) for name in ("first_frame", "last_frame")}
        rows["cut"][(*key, cut.number)] = {**cut_values(cut, scene, fps), **frames}


def member_values(member: CastEntry) -> Values:
    """A member of a scene's cast, named as the columns."""
    return {
        "role": member.role,
        "costume_variant": member.costume_variant,
        "emotional_state": member.emotional_state,
        "position_notes": member.position,
    }


def cut_values(cut: CutEntry, scene: SceneEntry, fps: int) -> Values:
    """A cut without its pictures; ``fps`` is the project's."""
    # The cast is written out, so that the order in which characters stand is the file's and stays.
    cast = [_said(member) for member in cut.cast] if cut.cast is not None else None
    return {
        "description": cut.description,
        "camera_angle": cut.camera_angle,
        "duration_frames": cut.frames(fps),
        "action_notes": cut.action_notes,
        "kind": cut.kind,
        "fps": cut.fps or fps,
        "workflow": cut.workflow,
        "takes_wanted": cut.takes,
        "cast": cast if cast is not None else [{"character": member.character} for member in scene.cast],
        "dialogue": [_said(line) for line in cut.dialogue],
        "lip_flap": cut.moves_lips,
        "seed": cut.seed,
        "seed_policy": cut.seed_policy,
        "budget": _said(cut.budget) or None,
        "repeats": cut.repeats,
        "continues": cut.continues or None,
        "continuous": _is_continuous(cut, scene) or None,
        "omitted": False,
    }


def _is_continuous(cut: CutEntry, scene: SceneEntry) -> bool:
    return scene.continuous or cut.continues if cut.continuous is None else cut.continuous


def _said(entry: Entry) -> dict[str, Any]:
    return entry.model_dump(exclude_defaults=True, exclude_none=True)


def _location(production: Production, path: str | None) -> str | None:
    if path is None:
        return None
    picture = production.source.pictures.get(path)
    if picture is None:
        raise StoryError(f"The picture {path} was not read.", "Read the production with read_production.")
    return picture.location
