"""What the routes share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

RouteHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One method and path with its handler."""

    method: str
    path: str
    handler: RouteHandler


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object; anything else is a 500, which is what ComfyUI answers to bad JSON."""
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise web.HTTPInternalServerError(text=f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise web.HTTPInternalServerError(text="the body is not a JSON object")
    return body


def error_response(kind: str, message: str, details: str = "", status: int = 400) -> web.Response:
    """An error about a whole prompt."""
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": {}}, status=status)
