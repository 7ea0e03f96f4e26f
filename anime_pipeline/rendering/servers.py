"""The servers that render: those of the settings, those added to the database, or the embedded preview."""

from __future__ import annotations

from collections.abc import Mapping
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
    for url in settings.comfyui_server_urls:
        server = answering(url)
        found.append(server) if isinstance(server, RenderServer) else silent.append(str(server))
    if not found:
        raise no_server(silent)
    return found


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
    """Whether a server is a preview server, by what it says of itself."""
    return kind_of(client.system_stats())


def kind_of(system_stats: Mapping[str, Any]) -> ServerKind:
    """The kind in an answer of ``/system_stats``."""
    return "preview" if (system_stats.get("system") or {}).get("server_kind") == "preview" else "comfyui"
