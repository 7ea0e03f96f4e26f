"""Runs one prompt: which nodes are needed, which are cached, and what is told while they work."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.frames import Frames, Pixels
from anime_pipeline.preview.graph import as_link, execution_order, filename_prefixes, signatures
from anime_pipeline.preview.misbehaviour import Misbehaviours, spoil
from anime_pipeline.preview.nodes import NODES
from anime_pipeline.preview.nodes.base import NodeResult, RunContext
from anime_pipeline.preview.progress import Progress
from anime_pipeline.preview.prompt_queue import HistoryEntry, QueueItem
from anime_pipeline.preview.sabotage import Sabotage
from anime_pipeline.preview.sockets import Sockets


class InterruptedRunError(Exception):
    """Someone asked to stop what runs."""


class Executor:
    """Executes prompts one after the other, in one thread, and keeps the results of the latest graph."""

    def __init__(
        self,
        folders: Folders,
        sockets: Sockets,
        misbehaviours: Misbehaviours,
        interrupted: threading.Event,
    ) -> None:
        self.folders = folders
        self.sockets = sockets
        self.interrupted = interrupted
        self._misbehaviours = misbehaviours
        self._cache: dict[str, NodeResult] = {}
        self._free_requested = False

    def free(self) -> None:
        """Forget cached results before the next prompt; from any thread."""
        self._free_requested = True

    def execute(self, item: QueueItem) -> tuple[HistoryEntry, Sabotage, Progress]:
        """Run a prompt to its end, whatever that is; failures are in the entry, not raised."""
        if self._free_requested:
            self._free_requested = False
            self._cache.clear()
        active = self._misbehaviours.for_execution(filename_prefixes(item.prompt))
        sabotage = Sabotage(active, self.interrupted)
        progress = Progress(self.sockets, item, silent=sabotage.silent)
        run = _Run(self, item, progress, sabotage)
        return run.execute(self._cache), sabotage, progress

    def check_interrupt(self) -> None:
        """Raise InterruptedRunError if someone asked to stop."""
        if self.interrupted.is_set():
            raise InterruptedRunError


class _Run(RunContext):
    """One prompt's execution."""

    def __init__(self, executor: Executor, item: QueueItem, progress: Progress, sabotage: Sabotage) -> None:
        self.folders = executor.folders
        self.prompt = item.prompt
        self.extra_pnginfo = item.extra_data.get("extra_pnginfo")
        self._executor = executor
        self._item = item
        self._progress = progress
        self._sabotage = sabotage
        self._entry = HistoryEntry(item)
        self._messages: list[list[Any]] = []
        self._executed: list[str] = []
        self._node_id = ""

    def execute(self, cache: dict[str, NodeResult]) -> HistoryEntry:
        self._tell("execution_start", {})
        if self._sabotage.cuts_socket:
            self._executor.sockets.cut(self._item.client_id)
        results: dict[str, NodeResult] = {}
        try:
            keys = signatures(self.prompt, self.folders)
            results.update({node_id: cache[key] for node_id, key in keys.items() if key in cache})
            cache.clear()
            cache.update({keys[node_id]: result for node_id, result in results.items()})
            self._tell("execution_cached", {"nodes": list(results)}, ids_last=True)
            for node_id in execution_order(self.prompt, self._item.outputs, results):
                self._node_id = node_id
                self._executor.check_interrupt()
                result = results.get(node_id)
                if result is None:
                    result = results[node_id] = self._run_node(results)
                    cache[keys[node_id]] = result
                else:
                    self._show(result)
                    self._progress.finish(node_id)
            self._end("success")
        except InterruptedRunError:
            self._end("error", "execution_interrupted", self._where())
        except Exception as error:
            self._end("error", "execution_error", self._failure(error, results))
        return self._entry

    def watch(self, frames: Frames) -> Iterator[Pixels]:
        frames = spoil(frames, self._sabotage.active)
        for number, frame in enumerate(frames, start=1):
            self._executor.check_interrupt()
            yield frame
            if frames.count > 1:
                self._progress.step(self._node_id, number, frames.count)

    def _run_node(self, results: Mapping[str, NodeResult]) -> NodeResult:
        node_id, node_class = self._node_id, NODES[self.prompt[self._node_id]["class_type"]]
        self._progress.start(node_id)
        self._sabotage.before_node(node_class)
        self._executor.check_interrupt()
        result = node_class().run(self, **self._inputs(node_id, results))
        self._sabotage.after_node(self.folders, result.ui)
        self._executed.append(node_id)
        self._show(result)
        self._progress.finish(node_id)
        return result

    def _inputs(self, node_id: str, results: Mapping[str, NodeResult]) -> dict[str, Any]:
        """Values for the declared inputs: linked results, given values, defaults of what is optional."""
        given = self.prompt[node_id]["inputs"]
        declared = NODES[self.prompt[node_id]["class_type"]].input_types(self.folders)
        values: dict[str, Any] = {}
        for name, (_, options) in {**declared.get("optional", {}), **declared["required"]}.items():
            link = as_link(given.get(name))
            if link is not None:
                values[name] = results[link[0]].values[link[1]]
            elif name in given or "default" in options:
                values[name] = given.get(name, options.get("default"))
        return values

    def _show(self, result: NodeResult) -> None:
        if result.ui is None or self._sabotage.hides_outputs:
            return
        node_id = self._node_id
        self._progress.executed(node_id, result.ui)
        self._entry.outputs[node_id] = result.ui
        self._entry.meta[node_id] = {
            "node_id": node_id,
            "display_node": node_id,
            "parent_node": None,
            "real_node_id": node_id,
        }

    def _tell(self, event: str, data: dict[str, Any], ids_last: bool = False) -> None:
        prompt_id = {"prompt_id": self._item.prompt_id}
        data = {**data, **prompt_id} if ids_last else {**prompt_id, **data}
        data["timestamp"] = int(time.time() * 1000)
        self._messages.append([event, data])
        if event == "execution_interrupted":
            self._progress.send(event, data)
        else:
            self._progress.send_to_client(event, data)

    def _end(self, status: str, event: str = "execution_success", data: dict[str, Any] | None = None) -> None:
        if status != "success":
            self._entry.outputs, self._entry.meta = {}, {}
        self._tell(event, data or {})
        self._entry.status = {
            "status_str": status,
            "completed": status == "success",
            "messages": self._messages,
        }

    def _where(self) -> dict[str, Any]:
        class_type = self.prompt[self._node_id]["class_type"] if self._node_id else ""
        return {"node_id": self._node_id, "node_type": class_type, "executed": self._executed}

    def _failure(self, error: Exception, results: Mapping[str, NodeResult]) -> dict[str, Any]:
        given = self.prompt[self._node_id]["inputs"] if self._node_id else {}
        hidden = {"prompt": self.prompt, "extra_pnginfo": self.extra_pnginfo}
        shown = {name: [repr(value)[:200]] for name, value in {**given, **hidden}.items()}
        name = type(error).__qualname__
        return {
            **self._where(),
            "exception_message": getattr(error, "shown_message", str(error)),
            "exception_type": getattr(error, "shown_type", name),
            "traceback": traceback.format_tb(error.__traceback__),
            "current_inputs": shown,
            "current_outputs": list(results),
        }
