"""What a person's retake changes, checked against the cut that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from anime_pipeline.errors import UserError
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.entries import LARGEST_SEED
from anime_pipeline.story.figures import load_characters
from anime_pipeline.story.wording import known_or_list

_LONGEST = {"camera": 100, "expression": 100, "variation": 255}


class RetakeError(UserError):
    """A retake that cannot be asked for as it was; ``field`` names what is at fault, where one field is."""

    def __init__(self, message: str, remedy: str | None = None, field: str | None = None) -> None:
        super().__init__(message, remedy)
        self.field = field


@dataclass(frozen=True)
class RetakeRequest:
    """What a person wants of a cut. Without any change it is one further take, with another seed.

    ``prompt`` and ``negative`` are added to what the story says, ``camera`` and ``action`` stand in its
    place; ``variation`` and ``expression`` map a character of the cut to one of its outfits and to a feeling.
    ``seed`` is 0 to 2^64-1.
    """

    note: str = ""
    by: str | None = None
    prompt: str | None = None
    negative: str | None = None
    camera: str | None = None
    action: str | None = None
    seed: int | None = None
    variation: Mapping[str, str] = field(default_factory=dict)
    expression: Mapping[str, str] = field(default_factory=dict)


def checked_changes(session: Session, context: CutContext, request: RetakeRequest) -> dict[str, Any]:
    """The changes as ``studio.retakes`` keeps them, empty without any. Raises :class:`RetakeError`."""
    changes: dict[str, Any] = {}
    for name in ("camera", "action", "prompt", "negative"):
        value = getattr(request, name)
        if value is not None:
            changes[name] = _text(name, value)
    if request.seed is not None:
        if not 0 <= request.seed <= LARGEST_SEED:
            raise RetakeError(f"The seed {request.seed} is not from 0 to 2^64-1.", None, "seed")
        changes["seed"] = request.seed
    shown = {figure.name: figure for figure in context.figures}
    for name in ("variation", "expression"):
        asked: Mapping[str, str] = getattr(request, name)
        for character in asked:
            if character not in shown:
                hint = known_or_list(character, shown, f"{context.cut_key} shows nobody")
                raise RetakeError(f"{character} is not in {context.cut_key}.", hint, name)
        if asked:
            changes[name] = {character: _text(name, value) for character, value in asked.items()}
    _check_outfits(session, shown, changes.get("variation", {}))
    return changes


def _check_outfits(session: Session, shown: Mapping[str, Any], asked: Mapping[str, str]) -> None:
    characters = load_characters(session, {shown[name].character_id for name in asked})
    for character in characters.values():
        if asked[character.name] not in character.worn:
            wanted = asked[character.name]
            hint = known_or_list(wanted, character.worn, f"{character.name} has no variation")
            raise RetakeError(f"{character.name} has no outfit {wanted}.", hint, "variation")


def _text(name: str, value: str) -> str:
    value = value.strip()
    if not value:
        raise RetakeError(f"The {name} is empty.", f"Say something, or leave {name} out.", name)
    longest = _LONGEST.get(name, 10_000)
    if len(value) > longest:
        raise RetakeError(f"The {name} has {len(value)} characters; at most {longest} fit.", None, name)
    return value
