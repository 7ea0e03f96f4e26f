"""Defends the record of what a take was rendered on: versions, threads, node shapes, model files."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.environment import environment_changes, environment_of
from anime_pipeline.rendering.server_process import threads_of

GRAPH: dict[str, Any] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.safetensors"}},
    "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "gone.safetensors"}},
    "3": {"class_type": "VAELoader", "inputs": {"vae_name": "vae.pt"}},
}
ROUTES: dict[str, Any] = {
    "/system_stats": {
        "system": {
            "comfyui_version": "0.33.0", "pytorch_version": "2.13.0+cpu", "python_version": "3.11.7",
            "os": "linux", "argv": ["main.py", "--cpu"], "ram_free": 1,
            "comfy_package_versions": [{"name": "comfy-kitchen", "installed": "0.2.31"}],
        },
        "devices": [{"name": "cpu", "vram_free": 5}],
    },
    "/experiment/models/checkpoints": [{"name": "base.safetensors", "size": 7, "modified": 1.5}],
    "/experiment/models/loras": [{"name": "other.safetensors", "size": 1, "modified": 1.0}],
    "/models/vae": ["vae.pt"],
    "/view_metadata/checkpoints": {"modelspec.hash_sha256": "0xABC", "training": "x" * 100},
}  # fmt: skip


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers as ComfyUI does; what it has no answer for is a 404."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = ROUTES.get(self.path.partition("?")[0])
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def shapes(**changed: Any) -> dict[str, Any]:
    """An ``/object_info`` of the graph's classes."""
    return {
        "CheckpointLoaderSimple": {
            "input": {"required": {"ckpt_name": [["base.safetensors"], {}]}},
            "output": ["MODEL", "CLIP", "VAE"],
        },
        "LoraLoader": {"input": {"required": {"lora_name": [[], {}], "strength_model": ["FLOAT", {}]}}},
        **changed,
    }  # fmt: skip


def test_everything_that_a_server_tells_is_recorded_and_its_free_memory_is_not(url: str) -> None:
    facts = environment_of(ComfyClient(url), shapes(), GRAPH)
    assert facts["server"] == {"version": "0.33.0", "kind": "comfyui", "build": None, "arguments": ["--cpu"]}
    assert (facts["torch"], facts["devices"], facts["packages"]) == (
        "2.13.0+cpu", ["cpu"], {"comfy-kitchen": "0.2.31"},
    )  # fmt: skip
    assert facts["models"] == {
        "checkpoints/base.safetensors": {"bytes": 7, "modified": 1.5, "sha256": "abc"},
        "loras/gone.safetensors": "missing",
        "vae/vae.pt": {"sha256": None},
    }
    assert facts["nodes"]["VAELoader"] == "missing"
    assert "free" not in json.dumps(facts)


def test_a_node_is_another_when_its_inputs_are_and_not_when_its_files_are(url: str) -> None:
    client = ComfyClient(url)
    before = environment_of(client, shapes(), GRAPH)
    more_files = shapes()
    more_files["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"] = [
        "COMBO",
        {"options": ["a", "b"]},
    ]
    assert environment_changes(before, environment_of(client, more_files, GRAPH)) == []
    other = shapes(LoraLoader={"input": {"required": {"lora_name": [[], {}], "strength": ["FLOAT", {}]}}})
    (changed,) = environment_changes(before, environment_of(client, other, GRAPH))
    assert changed.field == "nodes.LoraLoader"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux tells")
def test_threads_are_those_of_the_process_that_listens(url: str) -> None:
    said = threads_of(url)
    assert said is not None
    assert said.startswith(f"{len(os.sched_getaffinity(0))} CPUs")


@pytest.mark.parametrize("elsewhere", ["http://gpu-1.example:8188", "http://127.0.0.1:9", "http://127.0.0.1"])
def test_threads_of_a_server_elsewhere_are_not_known(elsewhere: str) -> None:
    assert threads_of(elsewhere) is None
