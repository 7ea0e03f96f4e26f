"""Listens to a server's WebSocket: a hint of progress, never the truth about a prompt's end."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from types import TracebackType
from urllib.parse import quote

import websocket

_CONNECT_SECONDS = 5.0
_RECONNECT_SECONDS = (0.2, 1.0, 5.0)
_LOOK_SECONDS = 1.0
# Kinds of message after which a look at the history may be worth it.
_ENDINGS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


class ProgressListener:
    """Notes when each prompt of one client last showed a sign of life, and wakes who waits for its end."""

    def __init__(self, server_url: str, client_id: str) -> None:
        base = server_url.replace("http", "ws", 1)
        self._url = f"{base}/ws?clientId={quote(client_id)}"
        self._changed = threading.Condition()
        self._seen: dict[str, float] = {}
        self._fraction: dict[str, float] = {}
        self._ended: set[str] = set()
        self._closed = threading.Event()
        self._socket: websocket.WebSocket | None = None
        self._thread = threading.Thread(target=self._listen, name="comfyui-progress", daemon=True)
        self._thread.start()

    def __enter__(self) -> ProgressListener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def last_seen(self, prompt_id: str) -> float | None:
        """time.monotonic() of the newest message about a prompt; None before the first."""
        with self._changed:
            return self._seen.get(prompt_id)

    def fraction(self, prompt_id: str) -> float | None:
        """How much of the running node is done, 0 to 1; None while unknown."""
        with self._changed:
            return self._fraction.get(prompt_id)

    def wait_for_end(self, prompt_id: str, seconds: float) -> bool:
        """Sleep up to ``seconds``; True at once when a message says that the prompt has ended.

        Says so only once per prompt: the history can be late, and asking on must not become a busy loop.
        """
        with self._changed:
            if self._changed.wait_for(lambda: prompt_id in self._ended, seconds):
                self._ended.discard(prompt_id)
                return True
            return False

    def forget(self, prompt_id: str) -> None:
        """Drop what is known of a prompt that has ended."""
        with self._changed:
            self._seen.pop(prompt_id, None)
            self._fraction.pop(prompt_id, None)
            self._ended.discard(prompt_id)

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        if self._socket is not None:
            self._socket.abort()  # type: ignore[no-untyped-call]
        self._thread.join(timeout=_CONNECT_SECONDS + 1)

    def _listen(self) -> None:
        failures = 0
        while not self._closed.is_set():
            try:
                self._socket = websocket.create_connection(
                    self._url, timeout=_CONNECT_SECONDS, http_no_proxy=["*"]
                )
                self._socket.settimeout(_LOOK_SECONDS)
                failures = 0
                while not self._closed.is_set():
                    with suppress(websocket.WebSocketTimeoutException):
                        self._note(self._socket.recv())
            except (websocket.WebSocketException, OSError, ValueError):
                self._closed.wait(_RECONNECT_SECONDS[min(failures, len(_RECONNECT_SECONDS) - 1)])
                failures += 1
        if self._socket is not None:
            self._socket.close()

    def _note(self, message: str | bytes) -> None:
        if not message:
            raise websocket.WebSocketConnectionClosedException("closed by the server")
        if isinstance(message, bytes):
            return  # a preview picture
        data = json.loads(message)
        details = data.get("data") or {}
        prompt_id = details.get("prompt_id")
        if not isinstance(prompt_id, str):
            return
        with self._changed:
            self._seen[prompt_id] = time.monotonic()
            if data.get("type") == "progress" and details.get("max"):
                self._fraction[prompt_id] = min(1.0, float(details["value"]) / float(details["max"]))
            if data.get("type") in _ENDINGS:
                self._ended.add(prompt_id)
                self._changed.notify_all()
