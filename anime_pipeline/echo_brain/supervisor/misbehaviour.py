"""Going wrong on purpose, so that workers can be tried against it."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Misbehaviour(BaseModel):
    """A planned fault, for requests whose path contains ``match``; ``times`` None: until it is cleared.

    error: 500 instead of doing anything. lost: everything is done, and then answered with 500. slow: done,
    and answered after so many seconds. down: 503 at once.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Literal["error", "lost", "slow", "down"]
    times: Annotated[int, Field(ge=1)] | None = 1
    seconds: float = Field(10.0, ge=0, le=600)
    match: str = ""


class Misbehaviours:
    """The faults that are planned; the first that matches is spent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Misbehaviour] = []

    def plan(self, one: Misbehaviour) -> None:
        """Plan a fault."""
        with self._lock:
            self._planned.append(one.model_copy())

    def clear(self) -> None:
        """Behave."""
        with self._lock:
            self._planned.clear()

    def next(self, path: str) -> Misbehaviour | None:
        """The fault of a request, None where it is to be served well."""
        with self._lock:
            for one in self._planned:
                if one.match in path and not path.startswith("/api/supervisor/"):
                    if one.times is not None:
                        one.times -= 1
                        if one.times == 0:
                            self._planned.remove(one)
                    return one.model_copy()
        return None


class MisbehaviourMiddleware:
    """ASGI middleware that does what is planned."""

    def __init__(self, app: ASGIApp, planned: Misbehaviours) -> None:
        self._app = app
        self._planned = planned

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._planned.next(scope["path"]) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind in ("error", "down"):
            status = 500 if fault.kind == "error" else 503
            await JSONResponse({"detail": "planned misbehaviour"}, status)(scope, receive, send)
        elif fault.kind == "lost":
            await self._app(scope, receive, _nothing)
            await JSONResponse({"detail": "planned: the answer is lost"}, 500)(scope, receive, send)
        else:

            async def late(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await asyncio.sleep(fault.seconds)
                await send(message)

            await self._app(scope, receive, late)


async def _nothing(message: Message) -> None:
    """Swallow an answer."""
