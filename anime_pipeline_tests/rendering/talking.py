"""A server that keeps its WebSockets as ComfyUI does, and says and records what a test wants."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class TalkingServer:
    """``answers``: path → JSON, a status, or where it sends on to; ``asked``: every request, in order."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    url: str = ""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)

    def say(self, client_id: str, event: str, data: Any) -> None:
        """Send a message to one client; to nobody where none is known by that name."""
        self._send(client_id, json.dumps({"type": event, "data": data}))

    def show(self, client_id: str, picture: bytes) -> None:
        """Send a preview to one client."""
        self._send(client_id, picture)

    def forget(self, client_id: str) -> None:
        """Stop talking to a client who stays connected, as ComfyUI does when its earlier connection ends."""
        self.loop.call_soon_threadsafe(self.sockets.pop, client_id, None)

    def handshakes(self) -> list[web.Request]:
        """The requests for a WebSocket."""
        return [request for request in self.asked if request.path.endswith("/ws")]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as planned; a WebSocket is known by its client's name until it, or an earlier one, ends."""
        self.asked.append(request)
        if request.path.endswith("/ws"):
            return await self._listen(request)
        await request.read()
        found = self.answers.get(request.path, 404)
        if isinstance(found, str):
            return web.Response(status=301, headers={"Location": found})
        return web.Response(status=found) if isinstance(found, int) else web.json_response(found)

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket, client_id = web.WebSocketResponse(), request.query["clientId"]
        await socket.prepare(request)
        self.sockets[client_id] = socket
        try:
            await socket.send_json({"type": "status", "data": {"sid": client_id}})
            async for _ in socket:
                pass
        finally:
            self.sockets.pop(client_id, None)
        return socket

    def _send(self, client_id: str, message: str | bytes) -> None:
        async def sent() -> None:
            socket = self.sockets.get(client_id)
            if socket is not None:
                await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))

        asyncio.run_coroutine_threadsafe(sent(), self.loop).result(10)


@contextmanager
def talking_server(answers: dict[str, Any] | None = None) -> Iterator[TalkingServer]:
    """Such a server over a real socket, in a thread of its own."""
    one = TalkingServer(answers or {})
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def started() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=one.loop.run_forever, daemon=True)
    thread.start()
    one.url = asyncio.run_coroutine_threadsafe(started(), one.loop).result(10)
    try:
        yield one
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), one.loop).result(10)
        one.loop.call_soon_threadsafe(one.loop.stop)
        thread.join(10)
        one.loop.close()
