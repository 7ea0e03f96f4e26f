"""The clients that listen: one WebSocket per client id, fed from any thread, never waited for."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

MAX_WAITING = 10_000  # messages that a client which does not read may have waiting before it is dropped


class Sockets:
    """Sends events to one client or to all. Messages to a socket keep the order in which they were sent."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: dict[str, asyncio.Queue[str | None]] = {}

    def start(self) -> None:
        """Remember the loop that the sockets live in."""
        self._loop = asyncio.get_running_loop()

    def send(self, event: str, data: Any, client_id: str | None = None) -> None:
        """Send to one client, or to all for None; from any thread, without waiting."""
        if not self._listeners or self._loop is None or self._loop.is_closed():
            return
        text = json.dumps({"type": event, "data": data})
        self._loop.call_soon_threadsafe(self._deliver, text, client_id)

    def cut(self, client_id: str | None) -> None:
        """Close the socket of one client, or all of them; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hang_up, client_id)

    async def listen(
        self, request: web.Request, status: dict[str, Any], features: dict[str, Any]
    ) -> web.WebSocketResponse:
        """Serve one client until it goes: greet it with ``status``, answer its feature flags with ours."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        client_id = request.query.get("clientId") or uuid4().hex
        waiting: asyncio.Queue[str | None] = asyncio.Queue(MAX_WAITING)
        self._listeners[client_id] = waiting
        waiting.put_nowait(json.dumps({"type": "status", "data": {**status, "sid": client_id}}))
        writer = asyncio.create_task(_write(socket, waiting))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT and '"feature_flags"' in message.data:
                    waiting.put_nowait(json.dumps({"type": "feature_flags", "data": features}))
        finally:
            writer.cancel()
            if self._listeners.get(client_id) is waiting:
                del self._listeners[client_id]
        return socket

    def _deliver(self, text: str, client_id: str | None) -> None:
        chosen = list(self._listeners) if client_id is None else [client_id]
        for listener in chosen:
            waiting = self._listeners.get(listener)
            if waiting is None:
                continue
            if waiting.full():
                self._hang_up(listener)
            else:
                waiting.put_nowait(text)

    def _hang_up(self, client_id: str | None) -> None:
        chosen = list(self._listeners) if client_id is None else [client_id]
        for listener in chosen:
            waiting = self._listeners.pop(listener, None)
            if waiting is None:
                continue
            while not waiting.empty():
                waiting.get_nowait()
            waiting.put_nowait(None)


async def _write(socket: web.WebSocketResponse, waiting: asyncio.Queue[str | None]) -> None:
    while (text := await waiting.get()) is not None:
        try:
            await socket.send_str(text)
        except ConnectionError:
            return
    await socket.close()
