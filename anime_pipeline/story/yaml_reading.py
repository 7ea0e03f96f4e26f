"""YAML as plain data that still knows its lines.

Read from the parser's events, so that nothing is ever constructed but text, numbers, truth values, lists and
mappings, and no nesting or alias can exhaust the machine. Plain scalars follow YAML 1.2: ``No``, ``on``,
``12:30``, ``0040`` and dates are what a writer means by them (text, and the number 40).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

import yaml

Location = tuple[str | int, ...]

_MAX_DEPTH = 60
_MAX_VALUES = 5_000_000
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_STRING_TAG = "tag:yaml.org,2002:str"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Problem:
    """Something wrong at a place of the file; ``line`` counts from 1."""

    line: int
    location: Location
    message: str
    suggestion: str | None = None


class UnreadableYamlError(Exception):
    """The text is no YAML that we read; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Document:
    """The data of a YAML text, the line of each value, and duplicate keys and the like."""

    text: str = field(repr=False)
    data: Any = None
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, location: Location) -> int:
        """Line of a value, or of the nearest thing around it that is in the file."""
        while location and location not in self._lines:
            location = location[:-1]
        return self._lines.get(location, 1)

    @cached_property
    def _lines(self) -> dict[Location, int]:
        # The text is read again for them: only of a file with mistakes does anybody ask.
        lines: dict[Location, int] = {}
        _Builder(self.text, lines).document()
        return lines


def read_yaml(text: str) -> Document:
    """The one document of a YAML text; raises :class:`UnreadableYamlError` where there is none."""
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableYamlError(_syntax_problem(mark.line + 1 if mark else 1, error)) from error
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        message = f"not valid YAML: {getattr(error, 'reason', error)}"
        raise UnreadableYamlError(Problem(line, (), message, "remove the unprintable character")) from error


def _syntax_problem(line: int, error: yaml.MarkedYAMLError) -> Problem:
    words = " ".join(part for part in (error.context, error.problem) if part)
    suggestion = "check the indentation, and put quotes around text that has a colon, # or bracket in it"
    if "\\t" in words or "'\t'" in words or "character that cannot start any token" in words:
        suggestion = "indent with spaces, never with tabs, and quote text that begins with @, ` or %"
    return Problem(line, (), f"not valid YAML: {words}", suggestion)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Builder:
    """Builds one document; where ``lines`` is given, the line of each value is noted there."""

    def __init__(self, text: str, lines: dict[Location, int] | None = None) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._lines = lines
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._document = Document(text)
        self._values = 0

    def document(self) -> Document:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if self._values:
                    raise self._unreadable(event, "a second document begins", "keep one per file")
                self._document.data = self._value(next(self._events), (), 0)
        return self._document

    def _value(self, event: Any, location: Location, depth: int) -> Any:
        if self._lines is not None:
            self._lines.setdefault(location, _line(event))
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        if depth > _MAX_DEPTH:
            raise self._unreadable(event, f"nested deeper than {_MAX_DEPTH} levels")
        self._count(event, 1)
        value = self._built(event, location, depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _built(self, event: Any, location: Location, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if event.tag not in (None, "!"):
            raise self._unreadable(event, f"the tag {event.tag} is not read here", "write plain YAML")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(location, depth)
        return self._sequence(location, depth)

    def _sequence(self, location: Location, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*location, len(items)), depth + 1))
        return items

    def _mapping(self, location: Location, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: list[dict[str, Any]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._unreadable(event, "a key must be a single word or text", "quote the key")
            key = self._text(event)
            place = (*location, key)
            if key == "<<" and not event.style:
                source = self._value(next(self._events), place, depth + 1)
                merged += self._merged(source, _line(event), location)
                continue
            if key in values:
                self._note_repeated(event, key, place)
                self._value(next(self._events), (*place, "again"), depth + 1)
                continue
            if self._lines is not None:
                self._lines[place] = _line(event)
            values[key] = self._value(next(self._events), place, depth + 1)
        for source in merged:
            values = {**source, **values}
        return values

    def _note_repeated(self, event: Any, key: str, place: Location) -> None:
        if self._lines is None:
            first = self._document.line_of(place)
            problem = Problem(
                _line(event), place, f"{key} is given twice", f"it is first given in line {first}"
            )
            self._document.problems.append(problem)

    def _merged(self, value: Any, line: int, location: Location) -> list[dict[str, Any]]:
        sources = value if isinstance(value, list) else [value]
        if all(isinstance(source, dict) for source in sources):
            return sources
        self._document.problems.append(Problem(line, location, "<< merges only groups of keys"))
        return []

    def _aliased(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._unreadable(event, f"*{event.anchor} refers to itself or to nothing above it")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        if event.tag not in (None, "!", _STRING_TAG):
            raise self._unreadable(event, f"the tag {event.tag} is not read here", "write plain YAML")
        if event.tag is not None or not event.implicit[0]:
            return text
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if _INTEGER.fullmatch(text) and len(text) < 400:
            return int(text)
        if _FLOAT.fullmatch(text) and isfinite(float(text)):
            return float(text)
        return text

    def _text(self, event: Any) -> str:
        text: str = event.value
        if _UNSTORABLE.search(text):
            raise self._unreadable(event, "a character that cannot be stored", "remove it")
        return text

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > _MAX_VALUES:
            raise self._unreadable(event, f"more than {_MAX_VALUES} values; aliases multiply them")

    def _unreadable(self, event: Any, message: str, suggestion: str | None = None) -> UnreadableYamlError:
        return UnreadableYamlError(Problem(_line(event), (), message, suggestion))
