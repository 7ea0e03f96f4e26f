"""The JSON texts that the animatic nodes take, read strictly: a wrong field is named, never ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


_T = TypeVar("_T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FigureInput(_Strict):
    """A figure of AnimaticCast; ``picture`` is the name of an uploaded input."""

    name: str
    attributes: dict[str, str] = {}
    outfit: str | None = None
    expression: str | None = None
    position: str | None = None
    picture: str | None = None


class LineInput(_Strict):
    """A spoken line of AnimaticShot: frames from start (inclusive) to end (exclusive)."""

    speaker: str
    text: str
    start_frame: int
    end_frame: int


_FIGURES = TypeAdapter(tuple[FigureInput, ...])
_LINES = TypeAdapter(tuple[LineInput, ...])
_PALETTE = TypeAdapter(dict[str, str])


def figures_of(text: str) -> tuple[FigureInput, ...]:
    """AnimaticCast's ``figures``; ValueError says which entry is wrong and why."""
    return _read(_FIGURES, text)


def lines_of(text: str) -> tuple[LineInput, ...]:
    """AnimaticShot's ``lines``; ValueError says which entry is wrong and why."""
    return _read(_LINES, text)


def palette_of(text: str) -> dict[str, str]:
    """AnimaticBackdrop's ``palette``: name to #rrggbb; ValueError names the wrong colour."""
    palette = _read(_PALETTE, text)
    for name, color in palette.items():
        if not _HEX_COLOR.fullmatch(color):
            raise ValueError(f"{name}: {color!r} is not a colour like #1b2a49")
    return palette


def problem_with(name: str, read: Callable[[str], object], inputs: Mapping[str, Any]) -> dict[str, str]:
    """``{name: what is wrong}`` where the input is given as a text that ``read`` refuses."""
    text = inputs.get(name)
    if not isinstance(text, str):
        return {}
    try:
        read(text)
    except ValueError as error:
        return {name: str(error)}
    return {}


def _read(adapter: TypeAdapter[_T], text: str) -> _T:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None
