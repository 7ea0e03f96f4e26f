"""What the active misbehaviours do to one prompt while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.nodes.base import Node


class PlannedFailureError(Exception):
    """A failure that was asked for; shown to clients under another name."""

    def __init__(self, shown_type: str, message: str) -> None:
        super().__init__(message)
        self.shown_type = shown_type


class WorkerDiedError(BaseException):
    """Escapes the executor, as real crashes of ComfyUI's worker thread do."""


class ForgottenError(BaseException):
    """The server lost everything while a prompt ran."""


class Sabotage:
    """The misbehaviours of one prompt; with none active every method does nothing."""

    def __init__(self, active: Mapping[str, float], interrupted: threading.Event) -> None:
        self.active = active
        self._interrupted = interrupted
        self._begun = False

    @property
    def silent(self) -> bool:
        """Whether no message about the prompt is sent."""
        return "websocket_silent" in self.active

    @property
    def cuts_socket(self) -> bool:
        """Whether the client's socket is closed."""
        return "websocket_cut" in self.active

    @property
    def hides_outputs(self) -> bool:
        """Whether the outputs stay empty."""
        return "empty_outputs" in self.active

    def before_node(self, node_class: type[Node]) -> None:
        """Delay, fail or die before a node runs."""
        if not self.active:
            return
        if "forget_everything" in self.active:
            raise ForgottenError
        if "zombie_worker" in self.active:
            raise WorkerDiedError("the worker thread was told to die")
        if "slow" in self.active and not self._begun:
            self._begun = True
            self._interrupted.wait(self.active["slow"])
        if node_class.is_output and "out_of_memory" in self.active:
            raise PlannedFailureError(
                "torch.OutOfMemoryError",
                "Allocation on device 0 would exceed allowed memory. (out of memory)\n"
                "Tried to allocate 2.50 GiB. GPU 0 has 8.00 GiB in all, of which 1.21 GiB is free.",
            )
        if node_class.is_output and "fail_render" in self.active:
            raise PlannedFailureError("RuntimeError", "the preview server was told to fail this render")

    def after_node(self, folders: Folders, ui: Mapping[str, Any] | None) -> None:
        """Damage or remove what an output node saved."""
        if not self.active or ui is None:
            return
        for output in ui.get("images", ()):
            path = folders.inside(output["type"], output["subfolder"], output["filename"])
            if "truncated_file" in self.active:
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            if "missing_file" in self.active:
                path.unlink()

    def before_history(self) -> None:
        """Delay between the message of success and the entry in history."""
        if "history_late" in self.active:
            self._interrupted.wait(self.active["history_late"])
