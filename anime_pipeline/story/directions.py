"""Directions: what a person's retake changes in a cut. They hold through edits of the story."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Retake
from anime_pipeline.story.context import Direction

FIELDS = ("camera", "action", "prompt", "negative", "seed", "variation", "expression")
"""What a direction may say; the last two by character."""


def standing_directions(session: Session, cut_ids: Collection[int]) -> dict[int, tuple[Direction, ...]]:
    """What is asked of these cuts, by cut, oldest first; of two about the same thing the later one holds."""
    rows = session.execute(
        select(Retake.id, Retake.cut_id, Retake.changes)
        .where(Retake.cut_id.in_(list(cut_ids)), Retake.withdrawn_at.is_(None), Retake.changes != {})
        .order_by(Retake.id)
    )
    found: dict[int, dict[tuple[str, str | None], Direction]] = {}
    for row in rows:
        held = found.setdefault(row.cut_id, {})
        for direction in directions_of(row.id, row.changes):
            held.pop((direction.field, direction.character), None)
            held[direction.field, direction.character] = direction
    return {cut_id: tuple(held.values()) for cut_id, held in found.items()}


def directions_of(retake_id: int, changes: Mapping[str, Any]) -> Iterable[Direction]:
    """A retake's changes one by one, in the order of :data:`FIELDS`."""
    for field in FIELDS:
        value = changes.get(field)
        if isinstance(value, Mapping):
            yield from (Direction(retake_id, field, value[name], name) for name in sorted(value))
        elif value is not None:
            yield Direction(retake_id, field, value)


def directed_cast(cast: Iterable[Mapping[str, str]], directions: Iterable[Direction]) -> list[dict[str, str]]:
    """A cut's cast with what the directions ask of its characters."""
    changed = {(one.character, one.field): str(one.value) for one in directions if one.character is not None}
    return [
        {
            **who,
            **{
                field: changed[who["character"], field]
                for field in ("variation", "expression")
                if (who["character"], field) in changed
            },
        }
        for who in cast
    ]


def directed(directions: Iterable[Direction], field: str, told: Any) -> Any:
    """What a direction says of a field, else what the story tells."""
    return next((one.value for one in directions if one.field == field), told)


def impossible(context_names: Mapping[str, Collection[str]], directions: Iterable[Direction]) -> str | None:
    """Why the directions cannot be followed any more, or None.

    ``context_names`` has the wearable variations of each character that shows in the cut.
    """
    for one in directions:
        if one.character is None:
            continue
        if one.character not in context_names:
            return f"retake {one.retake_id} changes {one.character}, who is not in the cut any more"
        if one.field == "variation" and one.value not in context_names[one.character]:
            return f"retake {one.retake_id} asks for {one.character}'s {one.value}, which is gone"
    return None
