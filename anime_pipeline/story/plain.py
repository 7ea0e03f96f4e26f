"""Looking into plain data that may have any shape: what has the wrong one is passed over, never an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from anime_pipeline.story.entries import ShortEntry
from anime_pipeline.story.yaml_reading import Location

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Mistake:
    """Something that two parts of the file disagree on."""

    location: Location
    message: str
    suggestion: str | None = None


@dataclass
class Findings:
    """What the checks found: mistakes, and each picture path with the place that first names it."""

    mistakes: list[Mistake] = field(default_factory=list)
    pictures: list[tuple[Location, str]] = field(default_factory=list)

    def add(self, location: Location, message: str, suggestion: str | None = None) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(location, message, suggestion))

    def add_duplicates(self, entries: list[tuple[Location, Group]], keys: tuple[str, ...], what: str) -> None:
        """Note each entry that has the same ``keys`` as one before it."""
        seen: set[tuple[Any, ...]] = set()
        for location, entry in entries:
            identity = tuple(entry.get(key) for key in keys)
            if not all(isinstance(part, (str, int)) for part in identity):
                continue
            if identity in seen:
                words = " ".join(str(part) for part in identity)
                self.add((*location, keys[-1]), f"{what} {words} is there twice", "rename or remove one")
            seen.add(identity)


def groups(
    parent: Group, location: Location, key: str, short: type[ShortEntry] | None = None
) -> list[tuple[Location, Group]]:
    """The groups of keys in the list ``parent[key]``; entries in a ``short`` form are written out."""
    return list(_groups(parent, location, key, short))


def _groups(
    parent: Group, location: Location, key: str, short: type[ShortEntry] | None
) -> Iterator[tuple[Location, Group]]:
    items = parent.get(key)
    for index, item in enumerate(items if isinstance(items, list) else []):
        try:
            item = short.written_out(item) if short is not None else item
        except ValueError:
            continue
        if isinstance(item, dict):
            yield (*location, key, index), item


def text(entry: Group, key: str) -> str | None:
    """The trimmed text at a key, if there is any."""
    value = entry.get(key)
    return value.strip() or None if isinstance(value, str) else None


def whole(entry: Group, key: str) -> int | None:
    """The whole number at a key, if there is one."""
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
