"""The servers that render: those of the settings, those added to the database, or the embedded preview."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from anime_pipeline.preview.launcher import ensure_preview_server
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.settings import Settings

ServerKind = Literal["preview", "comfyui"]


@dataclass(frozen=True)
class RenderServer:
    """A server that answered. ``embedded``: this home's own preview server, started again when it is gone."""

    url: str
    kind: ServerKind
    embedded: bool = False


def render_servers(settings: Settings) -> list[RenderServer]:
    """The servers of the settings that can be reached now; without any, the preview server, started here.

    Raises :class:`ComfyError` (connection) when servers are configured and none of them answers.
    """
    if not settings.comfyui_server_urls:
        return [RenderServer(ensure_preview_server(settings), "preview", embedded=True)]
    found, silent = [], []
    for server in all_answering(settings.comfyui_server_urls):
        found.append(server) if isinstance(server, RenderServer) else silent.append(str(server))
    if not found:
        raise no_server(silent)
    return found


def all_answering(urls: Collection[str]) -> list[RenderServer | ComfyError]:
    """What :func:`answering` says of each, all asked at once: one that is switched off takes seconds."""
    if not urls:
        return []
    with ThreadPoolExecutor(len(urls), "ask-server") as pool:
        return list(pool.map(answering, urls))


def answering(url: str) -> RenderServer | ComfyError:
    """The server at a URL, or why it cannot be used."""
    try:
        return RenderServer(url, server_kind(ComfyClient(url)))
    except ComfyError as error:
        return error


def no_server(reasons: list[str]) -> ComfyError:
    """The error for a fleet of which nothing can be used."""
    return ComfyError(
        "connection", "no render server can be used: " + "; ".join(reasons),
        "start ComfyUI (anime-pipeline servers list shows the fleet), or unset ANIME_COMFYUI_URLS and remove "
        "the servers that were added, to draw animatics with the embedded preview server",
    )  # fmt: skip


def server_kind(client: ComfyClient) -> ServerKind:
    """Whether a server is a preview server, by what it says of itself. Raises :class:`ComfyError`."""
    return kind_of(client.url, client.system_stats())


def kind_of(url: str, system_stats: Mapping[str, Any]) -> ServerKind:
    """The kind in a server's answer of ``/system_stats``; :class:`ComfyError` where it is none of ours."""
    system = system_stats.get("system")
    if not isinstance(system, dict) or not isinstance(system_stats.get("devices"), list):
        raise ComfyError(
            "connection", f"{url} answers, but not as ComfyUI does", "is it the address of another program?"
        )
    return "preview" if system.get("server_kind") == "preview" else "comfyui"
