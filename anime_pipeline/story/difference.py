"""How a production differs from what is stored: added, changed by field, omitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from anime_pipeline.story.wanted import KINDS, Key, Rows, Values, name_of

State = Literal["added", "changed", "omitted"]


@dataclass(frozen=True)
class FieldChange:
    """A field with its stored and its new value; a picture is its place in the media store."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True)
class DifferenceEntry:
    """One thing that is not stored as the file says it.

    ``kind`` is project, bible, character, attribute, variation, anchor, episode, scene, cast or cut; ``name``
    is its key or its names.
    """

    kind: str
    key: Key
    name: str
    state: State
    changes: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Everything that an import would write; ``unchanged`` counts the rest by kind."""

    entries: tuple[DifferenceEntry, ...]
    unchanged: dict[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether everything is stored as the file says it."""
        return not self.entries

    def of(self, kind: str, *states: State) -> Iterator[DifferenceEntry]:
        """The entries of a kind, in the order of the file, in the given states or in any."""
        return (
            entry for entry in self.entries if entry.kind == kind and (not states or entry.state in states)
        )

    def as_json(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "entries": [
                {
                    "kind": entry.kind,
                    "name": entry.name,
                    "state": entry.state,
                    "changes": [vars(change) for change in entry.changes],
                }
                for entry in self.entries
            ],
            "unchanged": self.unchanged,
        }


def difference_between(slug: str, wanted: Rows, stored: Rows) -> Difference:
    """What has to be written so that ``stored`` becomes ``wanted``.

    An episode or scene that is gone from the file is omitted as long as one of its cuts is not.
    """
    part_of = _Story(wanted, stored).has
    entries: list[DifferenceEntry] = []
    unchanged = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        for key, values in wanted[kind].items():
            old = stored[kind].get(key)
            changes = _changes(old, values) if old is not None else ()
            if old is None or changes:
                state: State = "changed" if changes else "added"
                entries.append(DifferenceEntry(kind, key, name_of(slug, kind, key), state, changes))
            else:
                unchanged[kind] += 1
        gone = [key for key in stored[kind] if key not in wanted[kind] and part_of(kind, key)]
        entries += [
            DifferenceEntry(kind, key, name_of(slug, kind, key), "omitted") for key in sorted(gone, key=str)
        ]
    return Difference(tuple(entries), {kind: count for kind, count in unchanged.items() if count})


def _changes(old: Values, new: Values) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name, old.get(name), value)
        for name, value in new.items()
        if not _same(old.get(name), value)
    )


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) or (old in (None, "", [], {}) and new in (None, "", [], {}))


class _Story:
    """Which stored rows still are part of the story as it was."""

    def __init__(self, wanted: Rows, stored: Rows) -> None:
        self._wanted, self._stored = wanted, stored
        active = [key for key, values in stored["cut"].items() if not values["omitted"]]
        self._active = {key[:length] for key in active for length in (1, 2)}

    def has(self, kind: str, key: Key) -> bool:
        if kind in ("episode", "scene"):
            return key in self._active
        if kind == "cast":
            return key[:2] in self._wanted["scene"]
        return not self._stored[kind][key].get("omitted")
