"""Characters as they appear in a cut: the scene's costume and feeling, unless the cut says otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    CharacterAnchor,
    CharacterAttribute,
    CharacterVariation,
)
from anime_pipeline.story.context import Attribute, Figure, Variation
from anime_pipeline.story.pictures import stored_sha256


@dataclass
class StoredCharacter:
    """A character with its traits, before any scene."""

    id: int
    name: str
    base_prompt: str | None
    negative_tokens: tuple[str, ...]
    attributes: list[Attribute] = field(default_factory=list)
    worn: dict[str, Variation] = field(default_factory=dict)
    expressions: dict[str, Variation] = field(default_factory=dict)
    anchors: list[str] = field(default_factory=list)
    poses: list[str] = field(default_factory=list)
    lora: str | None = None


def load_characters(session: Session, ids: Collection[int]) -> dict[int, StoredCharacter]:
    """Characters by id, with four queries."""
    wanted = list(ids)
    query = select(
        Character.id,
        Character.name,
        Character.base_prompt,
        Character.negative_tokens,
        Character.lora_model_path,
    )
    characters = {
        row.id: StoredCharacter(
            row.id,
            row.name,
            row.base_prompt or None,
            tuple(row.negative_tokens or ()),
            lora=row.lora_model_path or None,
        )
        for row in session.execute(query.where(Character.id.in_(wanted)))
    }
    _load_attributes(session, characters)
    _load_variations(session, characters)
    _load_anchors(session, characters)
    return characters


def figure_of(character: StoredCharacter, part: Any, shown: Mapping[str, str]) -> Figure:
    """A character in a cut. ``part`` is its row of the scene's cast, ``shown`` what the cut says of it.

    A feeling that has the name of an expression of the character shows that expression.
    """
    outfit = shown.get("variation") or part.costume_variant
    feeling = shown.get("expression") or part.emotional_state
    return Figure(
        character_id=character.id,
        name=character.name,
        attributes=tuple(character.attributes),
        outfit=character.worn.get(outfit or ""),
        expression=character.expressions.get(feeling or ""),
        emotional_state=feeling,
        position=shown.get("position") or part.position_notes,
        role=part.role,
        base_prompt=character.base_prompt,
        negative_tokens=character.negative_tokens,
        anchor_sha256s=tuple(character.anchors),
        pose_sha256=character.poses[0] if character.poses else None,
        lora=character.lora,
    )


def worn_figure(character: StoredCharacter, variation: Variation | None) -> Figure:
    """A character outside any cut, in one of its variations or as it is."""
    is_expression = variation is not None and variation.type == "expression"
    return Figure(
        character_id=character.id,
        name=character.name,
        attributes=tuple(character.attributes),
        outfit=None if is_expression else variation,
        expression=variation if is_expression else None,
        base_prompt=character.base_prompt,
        negative_tokens=character.negative_tokens,
    )


def _load_attributes(session: Session, characters: dict[int, StoredCharacter]) -> None:
    query = select(
        CharacterAttribute.character_id,
        CharacterAttribute.attribute_type,
        CharacterAttribute.attribute_value,
        CharacterAttribute.prompt_tokens,
        CharacterAttribute.priority,
    ).where(CharacterAttribute.character_id.in_(list(characters)))
    for row in session.execute(query.order_by(CharacterAttribute.id)):
        tokens = tuple(row.prompt_tokens or ())
        attribute = Attribute(row.attribute_type, row.attribute_value, tokens, row.priority or 0)
        characters[row.character_id].attributes.append(attribute)
    for character in characters.values():
        character.attributes.sort(
            key=lambda attribute: (-attribute.priority, attribute.type, attribute.value)
        )


def _load_variations(session: Session, characters: dict[int, StoredCharacter]) -> None:
    query = select(
        CharacterVariation.character_id,
        CharacterVariation.variation_name,
        CharacterVariation.variation_type,
        CharacterVariation.prompt_modifiers,
        CharacterVariation.reference_image_path,
    ).where(CharacterVariation.character_id.in_(list(characters)))
    for row in session.execute(query.order_by(CharacterVariation.id)):
        variation = Variation(
            row.variation_name,
            row.variation_type or "outfit",
            dict(row.prompt_modifiers or {}),
            stored_sha256(row.reference_image_path),
        )
        character = characters[row.character_id]
        shelf = character.expressions if variation.type == "expression" else character.worn
        shelf.setdefault(variation.name, variation)


def _load_anchors(session: Session, characters: dict[int, StoredCharacter]) -> None:
    """Anchors that lie in the media store, without those omitted."""
    query = select(
        CharacterAnchor.character_id,
        CharacterAnchor.image_path,
        CharacterAnchor.anchor_type,
        CharacterAnchor.metadata_,
    ).where(CharacterAnchor.character_id.in_(list(characters)))
    for row in session.execute(query):
        sha256 = stored_sha256(row.image_path)
        if sha256 and not (row.metadata_ or {}).get("omitted"):
            characters[row.character_id].anchors.append(sha256)
            if row.anchor_type == "pose_reference":
                characters[row.character_id].poses.append(sha256)
    for character in characters.values():
        character.anchors, character.poses = sorted(set(character.anchors)), sorted(set(character.poses))
