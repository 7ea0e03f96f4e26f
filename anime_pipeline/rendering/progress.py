"""Listens to a server's WebSocket: a hint of progress, never the truth about a prompt's end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import Any

import websocket

from anime_pipeline.server_access import access_to, own_authorities

_CONNECT_SECONDS = 5.0
_RECONNECT_SECONDS = (0.2, 1.0, 5.0)
_LOOK_SECONDS = 1.0
# Kinds of message after which a look at the history may be worth it.
_ENDINGS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


class ProgressListener:
    """Notes when each prompt of one client last showed a sign of life, and wakes who waits for its end."""

    def __init__(self, server_url: str, client_id: str) -> None:
        self._access = access_to(server_url)
        self._client_id = client_id
        self._previewed: float | None = None
        self._renewing = threading.Event()
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

    def last_seen(self, prompt_ids: Collection[str]) -> float | None:
        """time.monotonic() of the newest sign of life of any of these prompts; None before the first.

        A preview picture or a line of text names no prompt; it is of the one that runs, and counts for all.
        """
        with self._changed:
            seen = [self._seen[one] for one in prompt_ids if one in self._seen]
            return max([*seen, self._previewed] if self._previewed is not None else seen, default=None)

    def renew(self) -> None:
        """Connect anew, since nothing was heard for long.

        A server that notices late that an earlier connection of this client broke off stops talking to the
        one that took its place.
        """
        self._renewing.set()

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
                self._socket = self._connected()
                failures = 0
                while not self._closed.is_set() and not self._renewing.is_set():
                    with suppress(websocket.WebSocketTimeoutException):
                        self._note(self._socket.recv())
                self._socket.close(timeout=_LOOK_SECONDS)
            except (websocket.WebSocketException, OSError, ValueError):
                failures += 1
            finally:
                if self._socket is not None:
                    self._socket.shutdown()  # type: ignore[no-untyped-call]
            # Also after a farewell: the server has to forget the old connection before it hears of a new one.
            self._closed.wait(_RECONNECT_SECONDS[min(max(failures - 1, 0), len(_RECONNECT_SECONDS) - 1)])

    def _connected(self) -> websocket.WebSocket:
        self._renewing.clear()
        authorities = own_authorities()
        # No Origin: where a proxy gives the request another Host, ComfyUI would take it for a foreign page.
        one = websocket.create_connection(
            self._access.websocket_url(self._client_id), timeout=_CONNECT_SECONDS, http_no_proxy=["*"],
            header=dict(self._access.headers), suppress_origin=True,
            sslopt={"ca_certs": authorities} if authorities else None,
        )  # fmt: skip
        one.settimeout(_LOOK_SECONDS)
        return one

    def _note(self, message: str | bytes) -> None:
        if not message:
            raise websocket.WebSocketConnectionClosedException("closed by the server")
        if isinstance(message, bytes):
            with self._changed:
                self._previewed = time.monotonic()
            return
        # Custom nodes send what they like, also under names that ComfyUI uses.
        data = json.loads(message)
        details = data.get("data") if isinstance(data, dict) else None
        if not isinstance(details, dict) or not isinstance(prompt_id := details.get("prompt_id"), str):
            return
        with self._changed:
            self._seen[prompt_id] = time.monotonic()
            if data.get("type") == "progress" and (fraction := _fraction(details)) is not None:
                self._fraction[prompt_id] = fraction
            if data.get("type") in _ENDINGS:
                self._ended.add(prompt_id)
                self._changed.notify_all()


def _fraction(details: dict[str, Any]) -> float | None:
    value, most = details.get("value"), details.get("max")
    if not isinstance(value, (int, float)) or not isinstance(most, (int, float)) or most <= 0:
        return None
    return min(1.0, max(0.0, value / most))
