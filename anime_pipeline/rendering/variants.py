"""A variant: what one take of a cut is beyond the story, so that its recipe can be composed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One of the renderings that a cut's story allows.

    ``number`` counts from 1 and decides the seed, by the cut's seed policy. ``anchor_weight`` multiplies the
    weight of the reference picture, ``smoother`` puts the template's smoother settings in. ``again`` counts
    renderings of the very same recipe after the first; it decides no pixel.
    """

    number: int = 1
    anchor_weight: float = 1.0
    smoother: bool = False
    again: int = 0

    def as_json(self) -> dict[str, Any]:
        """What ``studio.takes.variant`` keeps: whatever is not the default."""
        defaults = asdict(FIRST)
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Variant:
        """The variant of a stored take; what this version does not know is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


FIRST = Variant()


@dataclass(frozen=True)
class Further:
    """How a take beyond those that a cut wants differs from them: by its seed, and what is said here.

    ``again`` names a variant whose very recipe is rendered once more, which differs in nothing.
    """

    anchor_weight: float = 1.0
    smoother: bool = False
    again: Variant | None = None
