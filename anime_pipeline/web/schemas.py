"""What requests and answers are made of. Unknown fields are errors, and so is text that can't be stored."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LARGEST_ID = 2**31 - 1
_DEEPEST = 64
"""Objects and lists within one another; what writes answers gives up at 255."""


class Model(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, populate_by_name=True)


class Body(Model):
    """The body of a request: numbers are not text, and text is trimmed, as in a production file."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


def _without_defaults(schema: dict[str, Any]) -> None:
    if "required" in schema:
        return  # what is made of the same fields has defaults
    for shown in schema.get("properties", {}).values():
        shown.pop("default", None)


class Update(Body):
    """A body whose fields stay as they are where they are not sent: its defaults are never read."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds the character U+0000, which cannot be stored")
    return text


def storable_json(value: Any, depth: int = 0) -> Any:
    """Refuse what JSONB does not hold (NUL, lone surrogates, numbers that are none), and endless nesting."""
    if depth > _DEEPEST:
        raise ValueError(f"is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        _storable(value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("holds half a surrogate pair, which is no character") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    for part in [*value.keys(), *value.values()] if isinstance(value, dict) else []:
        storable_json(part, depth + 1)
    for part in value if isinstance(value, list) else []:
        storable_json(part, depth + 1)
    return value


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value


Storable = AfterValidator(_storable)
Text = Annotated[str, Field(max_length=20_000), Storable]
"""Free text."""
Name = Annotated[str, Field(min_length=1, max_length=255), Storable]
Short = Annotated[str, Field(min_length=1, max_length=100), Storable]
Tokens = Annotated[list[Annotated[str, Field(min_length=1, max_length=500), Storable]], Field(max_length=200)]
Json = Annotated[dict[str, Any], AfterValidator(storable_json)]
"""A JSON object that JSONB can hold."""
Utc = Annotated[datetime, AfterValidator(_in_utc)]
"""A time of the database: its columns without a zone are in UTC."""
RowId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""The id of a row, in a body."""
PathId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
"""The id of a row, in a path."""
QueryId = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
"""The id of a row by which a list is filtered."""
