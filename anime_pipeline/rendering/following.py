"""Follows a prompt to its end. Queue and history are the truth; absent from both is lost, never done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError, WaitingStallError, failure
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline.rendering.templates import Graph, title_of

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.02, 0.5
# History is written up to about 50 ms after a prompt has left the queue; ten times that is certain.
GRACE_SECONDS = 0.5
# A server spells out all graphs of its queue at each look, so a long render is looked at ever less often.
_QUEUE_EVERY_SECONDS, _QUEUE_SELDOM_SECONDS, _LOOKS = 0.5, 5.0, 20
# A prompt that runs and is not heard of for this long has a listener that the server may have forgotten.
QUIET_SECONDS = 60.0
_OUTPUT_KINDS = ("images", "gifs", "video", "videos")


class StoppedError(Exception):
    """The caller wants to follow no longer."""


@dataclass(frozen=True)
class Finished:
    """A prompt's success: its output files in order, and the server's seconds from start to success."""

    files: tuple[Mapping[str, str], ...]
    seconds: float | None


@dataclass
class Follower:
    """Follows prompts on one server; ``should_stop`` is asked at every look."""

    client: ComfyClient
    listener: ProgressListener
    stall_seconds: float
    should_stop: Callable[[], bool] = lambda: False

    def follow(
        self,
        prompt_id: str,
        graph: Graph,
        output_nodes: list[str],
        on_progress: Callable[[float], None] | None = None,
    ) -> Finished:
        """Wait for the end of a prompt; ``output_nodes`` are those whose files are wanted.

        Raises :class:`ComfyError` (lost, stall, execution, out_of_memory, interrupted, contract, connection)
        or :class:`StoppedError`.
        """
        try:
            entry = self._entry(prompt_id, on_progress)
        finally:
            self.listener.forget(prompt_id)
        if entry["status"].get("status_str") != "success":
            raise failure(graph, entry)
        return Finished(files_of(entry, graph, output_nodes), _seconds(entry))

    def _entry(self, prompt_id: str, on_progress: Callable[[float], None] | None) -> dict[str, Any]:
        began = time.monotonic()
        wait, state, alive = FIRST_WAIT_SECONDS, None, began
        queue_asked, waits, renewed = 0.0, False, alive
        heeded = {prompt_id}
        told: float | None = None
        while True:
            entry = self.client.history(prompt_id)
            if entry is not None:
                return entry
            now = time.monotonic()
            if now - queue_asked >= _between_looks(now - began):
                queue_asked = now
                running, pending = self.client.queue()
                if prompt_id not in running and prompt_id not in pending:
                    return self._late_entry(prompt_id)
                # Only what runs, or moves ahead of this prompt, shows life: others can post to a server
                # whose worker is dead.
                waits = prompt_id in pending
                heeded = {prompt_id, *running} if waits else {prompt_id}
                ahead = (running, pending[: pending.index(prompt_id)] if waits else None)
                if ahead != state:
                    state, alive = ahead, now
            alive = max(alive, self.listener.last_seen(heeded) or 0.0)
            if not waits and now - max(alive, renewed) > QUIET_SECONDS:
                self.listener.renew()
                renewed = now
            if now - alive > self.stall_seconds:
                stalled = WaitingStallError if waits else ComfyError
                raise stalled(
                    "stall",
                    f"no progress for {self.stall_seconds:g} seconds on {self.client.url}",
                    "look at the server's log; a larger ANIME_STALL_SECONDS allows for slower models",
                )
            if self.should_stop():
                raise StoppedError
            fraction = self.listener.fraction(prompt_id)
            if on_progress is not None and fraction is not None and fraction != told:
                on_progress(fraction)
                told = fraction
            if self.listener.wait_for_end(prompt_id, wait):
                wait = FIRST_WAIT_SECONDS
            else:
                wait = min(LONGEST_WAIT_SECONDS, wait * 1.5)

    def _late_entry(self, prompt_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + GRACE_SECONDS
        while True:
            entry = self.client.history(prompt_id)
            if entry is not None:
                return entry
            if time.monotonic() >= deadline:
                raise ComfyError("lost", f"{self.client.url} no longer knows the prompt {prompt_id}")
            time.sleep(FIRST_WAIT_SECONDS)


def _between_looks(followed_seconds: float) -> float:
    return min(_QUEUE_SELDOM_SECONDS, max(_QUEUE_EVERY_SECONDS, followed_seconds / _LOOKS))


def is_known(client: ComfyClient, prompt_id: str) -> bool:
    """Whether a server has a prompt in its queue or history; for adopting what an earlier worker posted."""
    running, pending = client.queue()
    return prompt_id in running or prompt_id in pending or client.history(prompt_id) is not None


def files_of(
    entry: Mapping[str, Any], graph: Graph, output_nodes: list[str]
) -> tuple[Mapping[str, str], ...]:
    """The files that these nodes saved, in order. Raises :class:`ComfyError` where there is none."""
    outputs = entry["outputs"]
    named = [
        (node_id, file)
        for node_id in output_nodes
        for kind in _OUTPUT_KINDS
        for file in (outputs.get(node_id) or {}).get(kind) or []
        if isinstance(file, dict) and file.get("filename")
    ]
    files = [file for _, file in named if file.get("type", "output") == "output"]
    if not files and named:
        title = title_of(graph[named[0][0]])
        raise ComfyError(
            "validation",
            f"node “{title}” writes previews only, which the server removes when it starts",
            "let it save (save_output of a Video Combine), or name another node under output_prefix",
        )
    if not files:
        raise ComfyError("contract", "the server says success but names no output file")
    return tuple(files)


def _seconds(entry: Mapping[str, Any]) -> float | None:
    """From execution_start to execution_success by the server's clock (milliseconds there)."""
    times = {kind: data.get("timestamp") for kind, data in entry["status"].get("messages", [])}
    start, end = times.get("execution_start"), times.get("execution_success")
    if not isinstance(start, (int, float)) or not isinstance(end, (int, float)):
        return None
    return max(0.0, (end - start) / 1000.0)
