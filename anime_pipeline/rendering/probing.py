"""What a server says of itself: version, devices, free VRAM, node classes, models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.model_files import folder_of
from anime_pipeline.rendering.preflight import choices
from anime_pipeline.rendering.servers import ServerKind, kind_of


@dataclass(frozen=True)
class ServerFacts:
    """A server as it answered. VRAM in bytes, that of the largest device; ``models``: folder → files."""

    kind: ServerKind
    version: str
    devices: list[dict[str, Any]]
    vram_total: int
    vram_free: int
    node_classes: list[str] = field(default_factory=list)
    models: dict[str, list[str]] = field(default_factory=dict)


def probe(client: ComfyClient, object_info: Mapping[str, Any] | None = None) -> ServerFacts:
    """Ask a server for everything that decides which takes it gets.

    Raises :class:`~anime_pipeline.rendering.comfyui_errors.ComfyError` when it does not answer.
    """
    stats = client.system_stats()
    kind = kind_of(client.url, stats)
    info = client.object_info() if object_info is None else object_info
    devices = [device for device in stats.get("devices") or [] if isinstance(device, dict)]
    largest = max(devices, key=lambda device: _bytes(device, "vram_total"), default={})
    return ServerFacts(
        kind=kind,
        version=str((stats.get("system") or {}).get("comfyui_version") or "unknown"),
        devices=devices,
        vram_total=_bytes(largest, "vram_total"),
        vram_free=_bytes(largest, "vram_free"),
        node_classes=sorted(info),
        models=models_listed(info),
    )


def models_listed(object_info: Mapping[str, Any]) -> dict[str, list[str]]:
    """The model files that a server offers, by folder, as its loader nodes list them."""
    found: dict[str, set[str]] = {}
    for kind, node in object_info.items():
        inputs = (node.get("input") or {}) if isinstance(node, dict) else {}
        for name, spec in {**(inputs.get("required") or {}), **(inputs.get("optional") or {})}.items():
            if (folder := folder_of(kind, name)) is not None:
                listed = (choice for choice in choices(spec) or [] if isinstance(choice, str))
                found.setdefault(folder, set()).update(listed)
    return {folder: sorted(names) for folder, names in sorted(found.items()) if names}


def _bytes(device: Mapping[str, Any], name: str) -> int:
    value = device.get(name)
    return int(value) if isinstance(value, (int, float)) else 0
