"""The server that the contract suite asks: a preview server, or the real one of ANIME_COMFYUI_URL."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.following import Finished, Follower
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline.rendering.templates import Graph
from anime_pipeline_tests.preview.client import picture_graph
from anime_pipeline_tests.preview.running import RunningServer


@dataclass
class Target:
    """One server under test; ``preview`` is None for a real one, which cannot be told to misbehave."""

    url: str
    preview: RunningServer | None
    listener: ProgressListener
    client_id: str
    client: ComfyClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = ComfyClient(self.url)

    def tell(self, kind: str, **fault: Any) -> None:
        """Have the server misbehave; a test that needs this is skipped on a real one."""
        self.only_preview().misbehave(kind, **fault)

    def only_preview(self) -> RunningServer:
        """The preview server; a test that needs it is skipped on a real one."""
        if self.preview is None:
            pytest.skip("a real server cannot be told to do this")
        return self.preview

    def prefix(self) -> str:
        """An output prefix that nobody has used."""
        return f"anime-pipeline-contract/{uuid.uuid4().hex[:12]}"

    def submit(self, graph: Graph | None = None, prompt_id: str | None = None) -> str:
        """Post a graph (default: a small picture); the id of its prompt."""
        prompt_id = prompt_id or str(uuid.uuid4())
        graph = graph or picture_graph(self.prefix(), uuid.uuid4().int % 2**64)
        self.client.submit(graph, self.client_id, prompt_id)
        return prompt_id

    def follow(self, prompt_id: str, output: str = "3", stall_seconds: float = 60.0) -> Finished:
        """Wait for a prompt's end."""
        follower = Follower(self.client, self.listener, stall_seconds)
        return follower.follow(prompt_id, picture_graph(), [output])

    def render(self, graph: Graph, output: str = "3") -> Finished:
        """Post and wait."""
        return self.follow(self.submit(graph), output)

    def hold(self) -> str:
        """Keep the server busy for some seconds; the id of the prompt that does, when it runs.

        A real server may still be at the one before: it looks only between nodes whether to stop.
        """
        graph = picture_graph(self.prefix(), uuid.uuid4().int % 2**64, size=1024, batch=64)
        if self.preview is not None:
            self.tell("slow", match="contract-hold", seconds=20)
            graph = picture_graph(f"contract-hold-{uuid.uuid4().hex}")
        held = self.submit(graph)
        give_up = time.monotonic() + 60
        while held not in self.client.queue()[0]:
            assert time.monotonic() < give_up, "the server does not come to it"
            time.sleep(0.05)
        return held

    def post(self, graph: Graph, **body: Any) -> dict[str, Any]:
        """Post a graph with fields that our client does not use."""
        fields = {"prompt": graph, "client_id": self.client_id, **body}
        answer = requests.post(f"{self.url}/prompt", json=fields, timeout=20)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told
