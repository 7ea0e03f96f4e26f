"""A real preview server over real sockets, for the tests of whoever talks to one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anime_pipeline.preview.misbehaviour import Misbehaviour
from anime_pipeline.preview.server import PreviewServer


@dataclass(frozen=True)
class RunningServer:
    """A server that answers at ``url``; its files lie under ``<home>/preview``."""

    url: str
    home: Path
    server: PreviewServer

    def misbehave(
        self, kind: str, times: int | None = 1, match: str | None = None, seconds: float = 2.0
    ) -> None:
        """Plan a fault (``times`` None: always; ``match``: part of the output prefix that it hits)."""
        self.server.misbehaviours.plan(Misbehaviour(kind, times, match, seconds))  # type: ignore[arg-type]

    def behave(self) -> None:
        """Drop every planned fault."""
        self.server.misbehaviours.clear()


@contextmanager
def running_preview_server(home: Path, **options: Any) -> Iterator[RunningServer]:
    """A server in a thread of its own, with PreviewServer's options, stopped at the end of the block."""
    server = PreviewServer(home, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="preview-server", daemon=True)
    thread.start()
    try:
        url = asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        try:
            yield RunningServer(url, home, server)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
