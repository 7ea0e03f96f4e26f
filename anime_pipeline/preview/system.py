"""What the server says about itself: who it is, what it can do, which nodes and models it knows."""

from __future__ import annotations

import os
import sys
from typing import Any

from anime_pipeline import __version__
from anime_pipeline.preview import SERVER_KIND
from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.nodes import NODES
from anime_pipeline.preview.nodes.base import InputSpec, Node

PROTOCOL_VERSION = "0.33.0"
MAX_UPLOAD_BYTES = 100 * 1024 * 1024

FEATURES: dict[str, Any] = {"supports_preview_metadata": False, "max_upload_size": MAX_UPLOAD_BYTES}
# The folders exist so that a client's question for a model gets an honest "none" and not an error.
MODEL_FOLDERS = (
    "checkpoints",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "controlnet",
    "upscale_models",
)


def system_stats(instance: str) -> dict[str, Any]:
    """/system_stats. ``server_kind`` says that this is not ComfyUI; the version is that of the protocol."""
    total, free = _memory()
    return {
        "system": {
            "os": sys.platform,
            "ram_total": total,
            "ram_free": free,
            "comfyui_version": f"{PROTOCOL_VERSION}-preview",
            "required_frontend_version": None,
            "installed_templates_version": None,
            "required_templates_version": None,
            "python_version": sys.version,
            "pytorch_version": None,
            "embedded_python": False,
            "argv": [],
            "server_kind": SERVER_KIND,
            "server_version": __version__,
            "instance": instance,
        },
        "devices": [
            {
                "name": "cpu (animatics, no models)",
                "type": "cpu",
                "index": None,
                "vram_total": total,
                "vram_free": free,
                "torch_vram_total": 0,
                "torch_vram_free": 0,
            }
        ],
    }


def object_info(folders: Folders, class_type: str | None = None) -> dict[str, Any]:
    """/object_info of all nodes, or of one; empty for an unknown one."""
    chosen = NODES if class_type is None else {name: NODES[name] for name in [class_type] if name in NODES}
    return {name: _node_info(node, folders) for name, node in chosen.items()}


def _node_info(node: type[Node], folders: Folders) -> dict[str, Any]:
    declared = node.input_types(folders)
    return {
        "input": {group: _as_lists(group, inputs) for group, inputs in declared.items()},
        "input_order": {group: list(inputs) for group, inputs in declared.items()},
        "is_input_list": False,
        "output": list(node.returns()),
        "output_is_list": [False for _ in node.outputs],
        "output_name": [name for _, name in node.outputs],
        "name": node.class_type,
        "display_name": node.display_name,
        "description": node.description,
        "python_module": "anime_pipeline.preview",
        "category": node.category,
        "output_node": node.is_output,
        "has_intermediate_output": False,
    }


def _as_lists(group: str, inputs: dict[str, InputSpec]) -> dict[str, list[Any]]:
    if group == "hidden":
        return {name: [kind] for name, (kind, _) in inputs.items()}
    return {name: [kind, options] for name, (kind, options) in inputs.items()}


def _memory() -> tuple[int, int]:
    """Bytes of memory, in all and free; 0 where the system doesn't say."""
    names = os.sysconf_names
    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") if "SC_PHYS_PAGES" in names else 0
    free = os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in names else 0
    return total * page, free * page
