"""What the server is: /, /ws, /object_info, /models, /system_stats, /features, and planning faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from anime_pipeline.preview.misbehaviour import DEFAULT_SECONDS, Misbehaviour
from anime_pipeline.preview.page import front_page
from anime_pipeline.preview.routes.base import Route, read_object
from anime_pipeline.preview.system import FEATURES, MODEL_FOLDERS, object_info, system_stats

if TYPE_CHECKING:
    from anime_pipeline.preview.server import PreviewServer


def info_routes(server: PreviewServer) -> list[Route]:
    """The routes of this subject; the one that plans faults only where the server allows it."""
    info = _Info(server)
    routes = [
        Route("GET", "/", info.page),
        Route("GET", "/ws", info.listen),
        Route("GET", "/object_info", info.all_nodes),
        Route("GET", "/object_info/{class_type}", info.one_node),
        Route("GET", "/models", info.model_folders),
        Route("GET", "/models/{folder}", info.models),
        Route("GET", "/system_stats", info.stats),
        Route("GET", "/features", info.features),
    ]
    if server.allow_misbehaviour:
        routes.append(Route("POST", "/preview/misbehave", info.misbehave))
    return routes


class _Info:
    def __init__(self, server: PreviewServer) -> None:
        self._server = server

    async def page(self, request: web.Request) -> web.Response:
        policy = {"Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'"}
        return web.Response(text=front_page(self._server.queue), content_type="text/html", headers=policy)

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        return await self._server.sockets.listen(request, {"status": self._server.queue_info()}, FEATURES)

    async def all_nodes(self, request: web.Request) -> web.Response:
        return web.json_response(object_info(self._server.folders))

    async def one_node(self, request: web.Request) -> web.Response:
        return web.json_response(object_info(self._server.folders, request.match_info["class_type"]))

    async def model_folders(self, request: web.Request) -> web.Response:
        return web.json_response(list(MODEL_FOLDERS))

    async def models(self, request: web.Request) -> web.Response:
        if request.match_info["folder"] not in MODEL_FOLDERS:
            raise web.HTTPNotFound
        return web.json_response([])

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response(system_stats(self._server.instance))

    async def features(self, request: web.Request) -> web.Response:
        return web.json_response(FEATURES)

    async def misbehave(self, request: web.Request) -> web.Response:
        """``{kind, times, match?, seconds?}`` plans a fault, times null for ever; {clear: true} ends all."""
        body = await read_object(request)
        if body.get("clear"):
            self._server.misbehaviours.clear()
            return web.json_response({})
        try:
            planned = Misbehaviour(
                body.get("kind", ""),
                body.get("times", 1),
                body.get("match"),
                float(body.get("seconds", DEFAULT_SECONDS)),
            )
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self._server.misbehaviours.plan(planned)
        return web.json_response({"planned": planned.kind})
