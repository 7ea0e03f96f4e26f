"""The outermost layer: every request gets an id, and an unexpected error becomes an answer that names it."""

from __future__ import annotations

import logging
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anime_pipeline.web.problems import ProblemError, problem_response

_log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Entrance:
    """ASGI middleware. A client's own X-Request-ID is taken where it is a plain word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                # /docs can send requests: no page may show it in a frame of its own and guide the clicks.
                headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            _log.exception("request %s: %s %s", request_id, scope.get("method", "WebSocket"), scope["path"])
            if started or scope["type"] != "http":
                raise
            problem = ProblemError(
                500, "The server made a mistake.", f"Its log tells of it under the request id {request_id}."
            )
            await problem_response(Request(scope), problem)(scope, receive, send_with_id)
