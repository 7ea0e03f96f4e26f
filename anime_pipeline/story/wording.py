"""Pydantic's findings in a person's words, with what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args

from PIL import ImageColor
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from anime_pipeline.story.production import Production
from anime_pipeline.story.yaml_reading import Location

_WHOLE_NUMBERS = {
    "duration_frames": "a whole number of frames",
    "start": "a whole number of frames",
    "end": "a whole number of frames",
    "fps": "a whole number of frames per second",
    "target_duration_seconds": "a whole number of seconds",
}
_PATTERNS = {
    "slug": ("lower-case letters, digits and hyphens", "write it like lantern-post"),
    "resolution": ("width x height in pixels", "write it like 1280x720"),
}
_MISSING = {"kind": "write still, loop or video"}


def close_match(word: str, known: Iterable[str]) -> str | None:
    """``did you mean 'x'?`` where a known word is close, whatever its case."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"did you mean '{by_lower[close[0]]}'?" if close else None


def known_or_list(word: str, known: Iterable[str], none: str) -> str:
    """A suggestion for an unknown name: the close one, or all of a few, or ``none`` where there are none."""
    names = sorted(known)
    if not names:
        return none
    return close_match(word, names) or f"known are: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"


def field_text(location: Location) -> str:
    """``("episodes", 0, "cuts")`` as ``episodes[0].cuts``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def keys_at(location: Location) -> list[str]:
    """The keys that may be written in the group at a location of the file."""
    return list(_entries().get(_names(location), Production).model_fields)


def words_for(error: ErrorDetails) -> tuple[str, str | None]:
    """Message and suggestion for one of pydantic's errors."""
    location: Location = tuple(error["loc"])
    name = _owner(location)
    kind, value, context = error["type"], error["input"], error.get("ctx") or {}
    if kind == "missing":
        return f"{name} is missing", _MISSING.get(name)
    if kind == "extra_forbidden":
        known = keys_at(location[:-1])
        return f"unknown key '{name}'", close_match(name, known) or f"known keys are: {', '.join(known)}"
    if value is None:
        return _empty(location, name)
    if kind in ("int_type", "int_from_float", "int_parsing", "int_parsing_size", "float_type"):
        wanted = "a number" if kind == "float_type" else _WHOLE_NUMBERS.get(name, "a whole number")
        return f"{name} must be {wanted}, not {_shown(value)}", _number_in(value)
    if kind == "string_type":
        return f"{name} must be text, not {_shown(value)}", _quoted(value)
    if kind == "string_pattern_mismatch":
        return _pattern(location, name, str(value))
    if kind == "literal_error":
        allowed = re.findall(r"'([^']+)'", str(context.get("expected", "")))
        message = f"{name} must be one of {', '.join(allowed)}, not {_shown(value)}"
        return message, close_match(str(value), allowed)
    return _limits_and_shapes(kind, name, value, context, error["msg"])


def _limits_and_shapes(
    kind: str, name: str, value: object, context: Mapping[str, Any], message: str
) -> tuple[str, str | None]:
    if kind in ("greater_than_equal", "less_than_equal"):
        word, limit = ("least", context["ge"]) if "ge" in context else ("most", context["le"])
        return f"{name} must be at {word} {limit}, not {_shown(value)}", None
    if kind == "string_too_long":
        return f"{name} is longer than {context['max_length']} letters", "shorten it"
    if kind == "string_too_short":
        return f"{name} is empty", "write some text"
    if kind == "bool_type":
        return f"{name} must be true or false, not {_shown(value)}", "write true or false without quotes"
    if kind == "list_type":
        return f"{name} must be a list, not {_shown(value)}", "begin each item on its own line with '- '"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{name} must be a group of keys, not {_shown(value)}", "write 'key: value' lines below it"
    if kind == "value_error" and context.get("error"):
        return str(context["error"]), None
    return f"{name}: {message[:1].lower()}{message[1:]}", None


def _empty(location: Location, name: str) -> tuple[str, str]:
    if "color_palette" in location[:-1]:
        return f"the colour {name} is empty", "put quotes around it: an unquoted # begins a comment"
    return f"{name} is empty", "write a value or leave the line out"


def _owner(location: Location) -> str:
    if location and isinstance(location[-1], int):
        return f"item {location[-1] + 1} of {location[-2]}" if len(location) > 1 else "the item"
    return str(location[-1]) if location else "the file"


def _pattern(location: Location, name: str, value: str) -> tuple[str, str | None]:
    if "color_palette" in location:
        return f"{value} is not a colour as #rrggbb", color_suggestion(value)
    wanted, suggestion = _PATTERNS.get(name, ("in another form", None))
    return f"{name} must be {wanted}, not {_shown(value)}", suggestion


def color_suggestion(value: str) -> str | None:
    """What a colour in another notation is as ``#rrggbb``."""
    try:
        red, green, blue = ImageColor.getrgb(value)[:3]
    except ValueError:
        return "write six hexadecimal digits, such as '#1d2b53'"
    return f"write '#{red:02x}{green:02x}{blue:02x}'"


def _number_in(value: object) -> str | None:
    if isinstance(value, float):
        return f"write {round(value)}"
    digits = re.match(r"\s*([0-9]+)", value) if isinstance(value, str) else None
    return f"write {digits[1]} without quotes or units" if digits else None


def _quoted(value: object) -> str | None:
    if isinstance(value, (int, float)):
        return f"put quotes around it: '{str(value).lower() if isinstance(value, bool) else value}'"
    if isinstance(value, dict):
        return "put quotes around the text: it has a colon in it"
    return None


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _names(location: Location) -> tuple[str, ...]:
    return tuple(part for part in location if isinstance(part, str))


@cache
def _entries() -> dict[tuple[str, ...], type[BaseModel]]:
    found: dict[tuple[str, ...], type[BaseModel]] = {(): Production}
    queue: list[tuple[tuple[str, ...], type[BaseModel]]] = [((), Production)]
    while queue:
        place, entry = queue.pop()
        for name, info in entry.model_fields.items():
            for inner in _models_in(info.annotation):
                found[(*place, name)] = inner
                queue.append(((*place, name), inner))
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
