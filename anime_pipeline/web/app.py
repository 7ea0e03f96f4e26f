"""The API as an application: ``create_app`` for servers and tests."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi_swagger import patch_fastapi  # type: ignore[import-untyped]

from anime_pipeline import __version__
from anime_pipeline.database.session import make_engine
from anime_pipeline.settings import Settings, get_settings
from anime_pipeline.web import problems, room_page
from anime_pipeline.web.entrance import Entrance
from anime_pipeline.web.event_hub import EventHub
from anime_pipeline.web.problems import Problem
from anime_pipeline.web.rate_limit import RateLimit
from anime_pipeline.web.routes import ROUTERS
from anime_pipeline.web.state import ApiState

_DESCRIPTION = """
The production line over HTTP: projects and story bibles, characters, takes, quality, media, events.

Errors are `application/problem+json` (RFC 9457) with the field at fault. Lists take `limit` and `cursor`.
POST takes an `Idempotency-Key`; changes take `If-Match`. Unknown fields and parameters are errors.
"""

# What scripts of the origins that ANIME_API_CORS_ORIGINS names may send, and read.
_HEADERS_OF_PAGES = [
    "Authorization", "Content-Type", "If-Match", "If-None-Match", "If-Range", "Range",
    "Idempotency-Key", "Last-Event-ID", "X-Request-ID",
]  # fmt: skip
_HEADERS_FOR_PAGES = [
    "ETag", "Retry-After", "X-Request-ID", "Content-Range", "X-Frame", "Idempotent-Replayed",
]  # fmt: skip


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on a database that runs and is migrated (``cli.house.open_house`` sees to that)."""
    settings = settings or get_settings()
    threads = settings.api_threads
    # As many connections as threads: none ever waits for one. Some more, for what runs beside requests.
    engine = make_engine(settings, pool_size=threads, max_overflow=4)
    app = FastAPI(
        title="anime_pipeline",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redoc_url=None,
    )
    # From an installed package: a script of a foreign server could do here whatever the reader may.
    # Its own choice of parameters would leave the reader's API key in the browser.
    patch_fastapi(app, redirect_from_root_to_docs=False, swagger_ui_parameters={"filter": True})
    app.state.api = ApiState(settings, engine, RateLimit(settings.api_requests_per_minute), EventHub(engine))
    for router in ROUTERS:
        app.include_router(router)
    room_page.install(app)
    problems.install(app)
    if settings.api_cors_origin_list:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api_cors_origin_list,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_HEADERS_OF_PAGES,
            expose_headers=_HEADERS_FOR_PAGES,
        )
    app.add_middleware(Entrance)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: ApiState = app.state.api
    current_default_thread_limiter().total_tokens = state.settings.api_threads
    with _streams_end_at_signals(state.events):
        yield
    await state.events.close()
    state.engine.dispose()


@contextmanager
def _streams_end_at_signals(events: EventHub) -> Iterator[None]:
    """Ctrl-C ends the streams as well: the server tells the application only when all have ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(events.end_streams)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schema = Problem.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs"))
        schemas["Problem"] = schema
        app.openapi_schema = document
    return app.openapi_schema
