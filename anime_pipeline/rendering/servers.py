"""The servers that render: those that the settings name, or the embedded preview server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    """The servers that can be reached now; the preview server is started where none is configured.

    Raises :class:`ComfyError` (connection) when servers are configured and none of them answers.
    """
    if not settings.comfyui_server_urls:
        return [RenderServer(ensure_preview_server(settings), "preview", embedded=True)]
    found, silent = [], []
    for url in settings.comfyui_server_urls:
        try:
            found.append(RenderServer(url, server_kind(ComfyClient(url))))
        except ComfyError as error:
            silent.append(str(error))
    if not found:
        raise ComfyError(
            "connection", "no render server can be used: " + "; ".join(silent),
            "start ComfyUI, or unset ANIME_COMFYUI_URLS to draw animatics with the embedded preview server",
        )  # fmt: skip
    return found


def server_kind(client: ComfyClient) -> ServerKind:
    """Whether a server is a preview server, by what it says of itself."""
    return "preview" if client.system_stats().get("system", {}).get("server_kind") == "preview" else "comfyui"
