"""How a changed field is told: what was, and what is, in the words of the production file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class _Change(Protocol):
    @property
    def field(self) -> str: ...
    @property
    def old(self) -> Any: ...
    @property
    def new(self) -> Any: ...


def told_change(change: _Change) -> str:
    """``field: old → new``; of a group of keys, a line for each key that differs."""
    return "\n".join(_lines(change.field, change.old, change.new))


def _lines(field: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield from _lines(f"{field}.{key}", old.get(key), new.get(key))
    else:
        yield f"{field}: {_told(old)} → {_told(new)}"


def _told(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):  # sorted: as stored, the keys have no order
        return "{" + ", ".join(f"{key}: {_told(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_told, value)) + "]"
    return repr(value)
