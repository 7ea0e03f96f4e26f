"""The server as a whole: its parts, its start and its end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from anime_pipeline.preview.executor import Executor
from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.misbehaviour import Misbehaviour, Misbehaviours
from anime_pipeline.preview.prompt_queue import PromptQueue
from anime_pipeline.preview.protection import refuse_strangers
from anime_pipeline.preview.routes import file_routes, info_routes, prompt_routes
from anime_pipeline.preview.sockets import Sockets
from anime_pipeline.preview.system import MAX_UPLOAD_BYTES
from anime_pipeline.preview.worker import Worker

_log = logging.getLogger(__name__)


class PreviewServer:
    """A preview server for the home folder ``home``; files lie under ``<home>/preview``.

    ``port`` 0 takes a free one. ``strict_prompt_ids`` demands lowercase UUIDs, as ComfyUI 0.33 does; without
    it any text is taken, as older ones do. ``allow_misbehaviour`` opens the route that plans faults.
    """

    def __init__(
        self,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        strict_prompt_ids: bool = True,
        misbehaviours: Iterable[Misbehaviour] = (),
        allow_misbehaviour: bool = False,
    ) -> None:
        self.home = home
        self.instance = uuid4().hex
        self.strict_prompt_ids = strict_prompt_ids
        self.allow_misbehaviour = allow_misbehaviour
        self.folders = Folders(home / "preview")
        self.sockets = Sockets()
        self.misbehaviours = Misbehaviours(misbehaviours)
        self.queue = PromptQueue(self._queue_changed)
        self.executor = Executor(self.folders, self.sockets, self.misbehaviours, self.queue.interrupted)
        self.url = ""
        self._host = host
        self._port = port
        self._worker = Worker(self.queue, self.executor, self.sockets)
        self._runner: web.AppRunner | None = None
        self._claim: int | None = None

    def queue_info(self) -> dict[str, dict[str, int]]:
        """The state of the queue as it is told to clients."""
        return {"exec_info": {"queue_remaining": self.queue.remaining()}}

    async def start(self) -> str:
        """Begin to serve; returns the URL. Raises OSError where the port is taken."""
        self._claim = self.folders.serve()
        self.sockets.start()
        self._runner = web.AppRunner(self._app(), access_log=None, handle_signals=False, shutdown_timeout=2.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._worker.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _log.info("preview server at %s, files under %s", self.url, self.folders.root)
        return self.url

    async def stop(self) -> None:
        """Close every socket, stop serving, interrupt what runs.

        In this order, so that no client is told that a person interrupted what the server's end did.
        """
        self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.to_thread(self._worker.stop)
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _queue_changed(self) -> None:
        self.sockets.send("status", {"status": self.queue_info()})

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_UPLOAD_BYTES, middlewares=[refuse_strangers])
        for routes in (prompt_routes(self), file_routes(self), info_routes(self)):
            for route in routes:
                app.router.add_route(route.method, route.path, route.handler)
                app.router.add_route(route.method, f"/api{route.path}", route.handler)
        return app
