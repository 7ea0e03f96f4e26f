"""What the supervisor sends: messages, tasks, and the data of each kind. Unknown fields are mistakes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anime_pipeline.echo_brain.errors import MessageError

LONGEST_MESSAGE = 256 * 1024
"""Bytes of a message's body."""
MOST_CUTS = 10_000
USUAL_TASK_PRIORITY = 5
"""The supervisor's priorities go from 1 (low) over 5 (usual) to 10 (critical); the queue's usual one is 0."""

Identifier = Annotated[str, Field(min_length=1, max_length=180)]
PositiveId = Annotated[int, Field(ge=1, le=2**31 - 1)]
RenderType = Literal["still_image", "animation_loop", "full_video", "character_sheet"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Form = TypeVar("Form", bound=BaseModel)


class Message(_Strict):
    """An event to us, posted to ``/webhook``. ``timestamp`` is the supervisor's own word, for people."""

    event_id: Identifier
    event_type: Annotated[str, Field(min_length=1, max_length=100)]
    data: dict[str, Any] = Field({})
    task_id: Identifier | None = None
    timestamp: datetime | None = None


class Task(_Strict):
    """A task for us, posted to ``/tasks``, in the form in which tasks are given to the supervisor."""

    task_id: Identifier
    task_type: Annotated[str, Field(min_length=1, max_length=100)]
    project_id: PositiveId | None = None
    priority: int = Field(USUAL_TASK_PRIORITY, ge=0, le=10)
    payload: dict[str, Any] = Field({})
    context: dict[str, Any] = Field({})
    submitted_by: str | None = Field(None, max_length=200)
    submitted_at: datetime | None = None


class CutsWanted(_Strict):
    """Renders of cuts of the story: exactly one of ``scope`` (project, episode, scene or cut), ``cut_keys``
    and ``cut_ids``. ``new_takes``: one retake of each instead of what is missing of the takes it wants.
    """

    scope: Identifier | None = None
    cut_keys: list[Identifier] | None = Field(None, min_length=1, max_length=MOST_CUTS)
    cut_ids: list[PositiveId] | None = Field(None, min_length=1, max_length=MOST_CUTS)
    project_id: PositiveId | None = None
    new_takes: bool = False
    priority: int = Field(0, ge=-1000, le=1000)
    task_id: Identifier | None = None

    @model_validator(mode="after")
    def _one_way_to_name_cuts(self) -> CutsWanted:
        given = [name for name in ("scope", "cut_keys", "cut_ids") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"name cuts by exactly one of scope, cut_keys, cut_ids; {len(given)} are given")
        return self


class Member(_Strict):
    """A character of a shot, in what it wears and feels."""

    character_id: PositiveId
    variation: str | None = None
    expression: str | None = None


class ShotWanted(_Strict):
    """A render that stands in no story; what is left out is as the project has it."""

    project_id: PositiveId
    job_type: RenderType
    prompt: str = Field(min_length=1, max_length=20_000)
    negative_prompt: str = Field("", max_length=20_000)
    frames: int | None = Field(None, ge=1, le=10_000)
    fps: int | None = Field(None, ge=1, le=240)
    width: int | None = Field(None, ge=16, le=8192)
    height: int | None = Field(None, ge=16, le=8192)
    seed: int | None = Field(None, ge=0, lt=2**64)
    workflow: str | None = Field(None, max_length=100)
    cast: list[Member] = Field([], max_length=16)
    priority: int = Field(0, ge=-1000, le=1000)
    task_id: Identifier | None = None


class CharacterApproved(_Strict):
    """A character is as it shall be; the picture becomes its anchor.

    ``approved_reference``: a picture of the media store (``ab/abcd….png``), or a path in the folder of the
    project's production file.
    """

    character_id: PositiveId
    approved_reference: Annotated[str, Field(min_length=1, max_length=500)]


class ConsistencyCheck(_Strict):
    """Whether a picture shows a character; it is named as an approved reference is."""

    character_id: PositiveId
    image_path: Annotated[str, Field(min_length=1, max_length=500)]
    threshold: float | None = Field(None, ge=0, le=1)


class QualityDecision(_Strict):
    """What the supervisor decides of a take; ``suggestions`` go into the note of a retake or refusal."""

    job_id: PositiveId
    decision: Literal["approved", "regenerate", "reject"]
    suggestions: str | list[Any] | dict[str, Any] | None = None


class StoryUpdated(_Strict):
    """The story was changed at the supervisor's; it names the characters that it concerns, by id or name."""

    project_id: PositiveId
    affected_characters: list[PositiveId | Identifier] = Field([], max_length=1000)


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object that the database can hold. Raises :class:`MessageError`."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
        # Infinite numbers, lone surrogates and NUL are JSON to Python and nothing to PostgreSQL.
        written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise MessageError(
            f"The body is no JSON: {str(error)[:200]}", "send a JSON object in UTF-8"
        ) from None
    if b"\\u0000" in written:
        raise MessageError("The body holds the character NUL.", "leave it out")
    if not isinstance(value, dict):
        raise MessageError("The body is no JSON object.", "send an object of event_id, event_type and data")
    return value


def validated(model: type[Form], value: dict[str, Any]) -> Form:
    """The value as a model. Raises :class:`MessageError` that names every field at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        said = [
            f"{'.'.join(str(part) for part in one['loc']) or 'message'}: "
            + one["msg"].removeprefix("Value error, ")
            for one in error.errors()[:10]
        ]
        raise MessageError("; ".join(said), "see the message's form in docs/ECHO_BRAIN.md") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
