"""The supervisor's way in: events and tasks, which are known by their signature and not by a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from anime_pipeline.echo_brain import inbox
from anime_pipeline.echo_brain.errors import MessageError
from anime_pipeline.echo_brain.events import LONGEST_MESSAGE, Message, Task
from anime_pipeline.echo_brain.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from anime_pipeline.web.access import requires
from anime_pipeline.web.problems import ProblemError, problems
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Model
from anime_pipeline.web.state import Db, state_of

router = api_router("echo brain")


class ReceiptShown(Model):
    """What came of a message. `outcome` tells what was done, in a form of its own for each kind."""

    event_id: str = Field(examples=["6f1c1f0e-8a37-4c55-8a55-7b8f3f6f1f10"])
    event_type: str | None = Field(examples=["render.requested"])
    task_id: str | None = None
    state: Literal["applied", "refused", "unknown", "failed"] = Field(examples=["applied"])
    reason: str | None = Field(None, description="Why it was not applied.")
    outcome: dict[str, Any] = Field(examples=[{"cuts": 2, "queued": 2, "current": 0, "failed": 0}])
    duplicate: bool = Field(False, description="It was here before; nothing was done again.")


async def _message(
    request: Request,
    timestamp: Annotated[
        str | None, Header(alias=TIMESTAMP_HEADER, description="Seconds since 1970, decimals allowed.")
    ] = None,
    signature: Annotated[
        str | None,
        Header(
            alias=SIGNATURE_HEADER,
            description="`sha256=` and the HMAC-SHA256 of `<timestamp>.<body>`, in hexadecimal.",
        ),
    ] = None,
) -> bytes:
    """The body as it came, since the signature is that of its bytes."""
    blocks, size = [], 0
    async for block in request.stream():
        blocks.append(block)
        size += len(block)
        if size > LONGEST_MESSAGE:
            raise ProblemError(
                413, f"A message has {LONGEST_MESSAGE} bytes at most.", "Name fewer cuts at once.",
                headers={"Connection": "close"},
            )  # fmt: skip
    return b"".join(blocks)


Body = Annotated[bytes, Depends(_message)]


def _told_of(form: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The body's form for the document, since the route takes bytes."""
    schema = form.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "It is applied, now or when it came before."},
    202: {"model": ReceiptShown, "description": "Its kind is unknown here; it is kept."},
    **problems(401),
}
_RESPONSES[401]["description"] = "It is not signed by the supervisor's secret, or not of this time."
_EVENT = {
    "event_id": "6f1c1f0e-8a37-4c55-8a55-7b8f3f6f1f10",
    "event_type": "render.requested",
    "task_id": "night-batch-7",
    "data": {"scope": "lantern-post.e01.s003"},
}
_TASK = {
    "task_id": "night-batch-7",
    "task_type": "still_image",
    "project_id": 1,
    "priority": 5,
    "payload": {"scope": "lantern-post.e01"},
}


@router.post(
    "/echo/webhook",
    response_model=ReceiptShown,
    responses=_RESPONSES,
    openapi_extra=_told_of(Message, _EVENT),
)
@requires("anyone")
def webhook(body: Body, db: Db, request: Request) -> JSONResponse:
    """Take an event of the supervisor: render.requested, character.approved, quality.decision, story.updated.

    An event is followed once for its `event_id`, however often it comes. The very bytes of an earlier
    sending, or an id with another content, are a 409; a payload that cannot be followed is kept, a 422.
    """
    return _received(db, request, "webhook", body)


@router.post(
    "/echo/tasks",
    response_model=ReceiptShown,
    responses=_RESPONSES,
    openapi_extra=_told_of(Task, _TASK),
)
@requires("anyone")
def task(body: Body, db: Db, request: Request) -> JSONResponse:
    """Take a task: still_image, animation_loop, full_video, character_sheet, or a consistency_check.

    `payload` names cuts (`scope`, `cut_keys` or `cut_ids`) or describes a free take (`prompt`). The jobs'
    events tell the task's id.
    """
    return _received(db, request, "task", body)


def _received(db: Db, request: Request, source: inbox.Source, body: bytes) -> JSONResponse:
    try:
        receipt = inbox.receive(db, state_of(request).settings, source, body, request.headers)
    except MessageError as error:
        raise ProblemError(error.status, str(error), error.remedy) from error
    if receipt.state == "refused":
        raise ProblemError(422, receipt.reason or "It is refused.", "anime-pipeline echo inbox list")
    shown = ReceiptShown.model_validate(receipt)
    return JSONResponse(shown.model_dump(mode="json"), 202 if receipt.state == "unknown" else 200)
