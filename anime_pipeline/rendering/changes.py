"""What differs between the ingredients of two recipes, by the field of the story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """A field of the story that decides pixels; None where the field was not there."""

    field: str
    old: Any
    new: Any


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Ingredients that differ, sorted by field.

    What came or went as a whole is named once: of an outfit put on, the outfit and not each of its parts.
    """
    changed = sorted(field for field in old.keys() | new.keys() if old.get(field) != new.get(field))
    whole = {field for field in changed if (field in old) != (field in new)}
    return tuple(
        Change(field, old.get(field), new.get(field))
        for field in changed
        if not (field in whole and any(field.startswith(f"{other}.") for other in whole))
    )
