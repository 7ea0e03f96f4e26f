"""Bodies are measured while they are read, and refused by their announced length before any of it is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Message

from anime_pipeline.web.problems import ProblemError


def limited(request: Request, most: int, setting: str) -> Request:
    """The request, whose body raises a problem, 413, once it is longer than ``most`` bytes."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise _too_large(most, setting)
    read = 0

    async def receive() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most, setting)
        return message

    return Request(request.scope, receive)


def _too_large(most: int, setting: str) -> ProblemError:
    # What is left of the body is never read, so the connection is of no more use.
    return ProblemError(
        413,
        f"The body is longer than {most} bytes.",
        f"Send less, or raise {setting}.",
        headers={"Connection": "close"},
    )
