"""The messages that tell a client how far its prompt is."""

from __future__ import annotations

from typing import Any

from anime_pipeline.preview.prompt_queue import QueueItem
from anime_pipeline.preview.sockets import Sockets


class Progress:
    """Progress of one prompt's nodes, sent as it changes."""

    def __init__(self, sockets: Sockets, item: QueueItem, silent: bool = False) -> None:
        self._sockets = sockets
        self._item = item
        self._silent = silent
        self._nodes: dict[str, dict[str, Any]] = {}

    def send(self, event: str, data: dict[str, Any]) -> None:
        """Send to the prompt's client; a prompt without a client is told to everyone."""
        if not self._silent:
            self._sockets.send(event, data, self._item.client_id)

    def send_to_client(self, event: str, data: dict[str, Any]) -> None:
        """Send to the prompt's client, if it has one."""
        if self._item.client_id is not None:
            self.send(event, data)

    def start(self, node_id: str) -> None:
        """A node begins."""
        self._update(node_id, 0.0, 1.0, "running")
        self.send_to_client(
            "executing", {"node": node_id, "display_node": node_id, "prompt_id": self._item.prompt_id}
        )

    def step(self, node_id: str, value: int, maximum: int) -> None:
        """A node has done ``value`` of ``maximum`` steps."""
        self._update(node_id, value, maximum, "running")
        self.send(
            "progress",
            {"value": value, "max": maximum, "prompt_id": self._item.prompt_id, "node": node_id},
        )

    def executed(self, node_id: str, ui: dict[str, Any]) -> None:
        """An output node has something to show."""
        self.send_to_client(
            "executed",
            {"node": node_id, "display_node": node_id, "output": ui, "prompt_id": self._item.prompt_id},
        )

    def finish(self, node_id: str) -> None:
        """A node is done, or was cached."""
        maximum = self._nodes[node_id]["max"] if node_id in self._nodes else 1
        self._update(node_id, maximum, maximum, "finished")

    def over(self) -> None:
        """The prompt has left the queue."""
        self.send_to_client("executing", {"node": None, "prompt_id": self._item.prompt_id})

    def _update(self, node_id: str, value: float, maximum: float, state: str) -> None:
        self._nodes[node_id] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self._item.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        self.send("progress_state", {"prompt_id": self._item.prompt_id, "nodes": self._nodes})
