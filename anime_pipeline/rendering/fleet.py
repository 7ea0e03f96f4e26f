"""One server as a worker uses it: its client, its WebSocket, what it can do, and how it comes back."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from anime_pipeline.preview.launcher import ensure_preview_server
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.probing import ServerFacts, probe
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline.rendering.servers import RenderServer, server_kind
from anime_pipeline.settings import Settings

GIVE_UP_SECONDS = 120.0
"""A server that is silent for this long is left alone until the next drain;
ComfyUI may take a minute to start.
"""


class FleetServer:
    """A server shared by the threads that keep prompts on it."""

    def __init__(self, settings: Settings, server: RenderServer) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._silent_since: float | None = None
        self.paused = threading.Event()
        """Set while a person wants this server back: its prompts are taken off it."""
        self._connect(server)

    def _connect(self, server: RenderServer) -> None:
        self.server = server
        self.client_id = uuid.uuid4().hex
        self.client = ComfyClient(server.url)
        self.listener = ProgressListener(server.url, self.client_id)
        self._object_info: dict[str, Any] | None = None

    @property
    def url(self) -> str:
        """Its address now; the embedded server may come back under another."""
        return self.server.url

    @property
    def object_info(self) -> dict[str, Any]:
        """The server's node classes, asked once."""
        with self._lock:
            if self._object_info is None:
                self._object_info = self.client.object_info()
            return self._object_info

    def recover(self, should_stop: Callable[[], bool]) -> bool:
        """Wait until the server answers again, or start the embedded one again; False when it is given up.

        Its threads wait together: what one has waited counts for the next.
        """
        with self._lock:
            wait = 0.1
            while not should_stop():
                if self._answers():
                    return True
                if time.monotonic() >= (self._silent_since or 0.0) + GIVE_UP_SECONDS:
                    return False
                time.sleep(wait)
                wait = min(2.0, wait * 2)
            return False

    def facts(self) -> ServerFacts:
        """What it can do. Raises :class:`ComfyError`."""
        return probe(self.client, self.object_info)

    def answers(self) -> bool:
        """Whether it answers now, and what was known of it is asked again; False while a thread asks it."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._answers()
        finally:
            self._lock.release()

    def close(self) -> None:
        """Stop listening."""
        self.listener.close()

    def _answers(self) -> bool:
        try:
            url = ensure_preview_server(self._settings) if self.server.embedded else self.server.url
            if url != self.server.url:
                self.listener.close()
                self._connect(RenderServer(url, "preview", embedded=True))
            server_kind(self.client)
        except ComfyError:
            self._silent_since = self._silent_since or time.monotonic()
            return False
        self._silent_since = None
        self.client.forget_uploads()
        self._object_info = None
        return True
