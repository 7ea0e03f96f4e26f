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
        self._listeners: dict[str, _Listener] = {}

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
        """Drop the connection of one client, or all, without a word; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._drop, client_id)

    def close(self) -> None:
        """Say goodbye to all."""
        for listener in self._listeners.values():
            listener.put(None)

    async def listen(
        self, request: web.Request, status: dict[str, Any], features: dict[str, Any]
    ) -> web.WebSocketResponse:
        """Serve one client until it goes: greet it with ``status``, answer its feature flags with ours."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        client_id = request.query.get("clientId") or uuid4().hex
        listener = self._listeners[client_id] = _Listener(request.transport)
        listener.put(json.dumps({"type": "status", "data": {**status, "sid": client_id}}))
        writer = asyncio.create_task(listener.write_to(socket))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT and '"feature_flags"' in message.data:
                    listener.put(json.dumps({"type": "feature_flags", "data": features}))
        finally:
            writer.cancel()
            if self._listeners.get(client_id) is listener:
                del self._listeners[client_id]
        return socket

    def _deliver(self, text: str, client_id: str | None) -> None:
        for listener in self._chosen(client_id):
            listener.put(text)

    def _drop(self, client_id: str | None) -> None:
        for listener in self._chosen(client_id):
            listener.abort()

    def _chosen(self, client_id: str | None) -> list[_Listener]:
        if client_id is None:
            return list(self._listeners.values())
        return [self._listeners[client_id]] if client_id in self._listeners else []


class _Listener:
    """One client's connection with the messages that wait to be written to it."""

    def __init__(self, transport: asyncio.Transport | None) -> None:
        self._transport = transport
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue(MAX_WAITING)

    def put(self, text: str | None) -> None:
        """Queue a message, or None for the end; a client that reads nothing for too long is dropped."""
        if self._waiting.full():
            self.abort()
        else:
            self._waiting.put_nowait(text)

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport is not None:
            self._transport.abort()

    async def write_to(self, socket: web.WebSocketResponse) -> None:
        """Write until the end or until the client is gone."""
        while (text := await self._waiting.get()) is not None:
            try:
                await socket.send_str(text)
            except ConnectionError:
                return
        await socket.close()
