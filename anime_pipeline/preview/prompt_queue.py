"""What waits, what runs and what ran: ComfyUI's queue and history, in memory and gone with the process."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

HISTORY_LIMIT = 10_000


@dataclass(frozen=True, eq=False)
class QueueItem:
    """A prompt that was accepted."""

    number: float
    prompt_id: str
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    outputs: list[str]

    @property
    def client_id(self) -> str | None:
        """The client that the messages about this prompt go to."""
        return self.extra_data.get("client_id")

    def as_list(self) -> list[Any]:
        """The item as /queue and /history show it."""
        return [self.number, self.prompt_id, self.prompt, self.extra_data, self.outputs]


@dataclass
class HistoryEntry:
    """How a prompt ended."""

    item: QueueItem
    outputs: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The entry as /history shows it."""
        return {
            "prompt": self.item.as_list(),
            "outputs": self.outputs,
            "status": self.status,
            "meta": self.meta,
        }


class PromptQueue:
    """Shared by the HTTP handlers and the worker thread; every method takes the lock for a moment only."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Condition()
        self._ticket = count()
        self._number = count()
        self._pending: list[tuple[float, int, QueueItem]] = []
        self._running: dict[int, QueueItem] = {}
        self._history: dict[str, HistoryEntry] = {}
        self._closed = False
        self.interrupted = threading.Event()

    def next_number(self, front: bool) -> float:
        """The next place in line, or one before everybody else."""
        number = next(self._number)
        return -number if front else number

    def put(self, item: QueueItem) -> None:
        """Append to what waits."""
        with self._lock:
            heapq.heappush(self._pending, (item.number, next(self._ticket), item))
            self._lock.notify()
        self._changed()

    def get(self) -> tuple[int, QueueItem] | None:
        """Wait for the next prompt and mark it running; None when the queue is closed."""
        with self._lock:
            while not self._pending and not self._closed:
                self._lock.wait()
            if self._closed:
                return None
            _, ticket, item = heapq.heappop(self._pending)
            self._running[ticket] = item
            self.interrupted.clear()
        self._changed()
        return ticket, item

    def finish(self, ticket: int, entry: HistoryEntry) -> None:
        """Move a prompt from running to history in one step; one that was forgotten meanwhile stays so."""
        with self._lock:
            if self._running.pop(ticket, None) is not None:
                self._history.pop(entry.item.prompt_id, None)
                self._history[entry.item.prompt_id] = entry
                while len(self._history) > HISTORY_LIMIT:
                    self._history.pop(next(iter(self._history)))
        self._changed()

    def close(self) -> None:
        """Interrupt what runs and let the worker go home."""
        with self._lock:
            self._closed = True
            self.interrupted.set()
            self._lock.notify_all()

    def forget_everything(self) -> None:
        """Lose all that waits, runs and ran, as a restart does."""
        with self._lock:
            self._pending.clear()
            self._running.clear()
            self._history.clear()
        self._changed()

    def remaining(self) -> int:
        """How many wait or run."""
        with self._lock:
            return len(self._pending) + len(self._running)

    def snapshot(self) -> tuple[list[QueueItem], list[QueueItem]]:
        """What runs and what waits, the latter in heap order, which is not the order of execution."""
        with self._lock:
            return list(self._running.values()), [item for _, _, item in self._pending]

    def interrupt(self, prompt_id: str | None) -> None:
        """Stop this prompt if it runs, or whatever runs for None. It never hits the prompt after it."""
        with self._lock:
            if any(prompt_id in (None, item.prompt_id) for item in self._running.values()):
                self.interrupted.set()

    def delete_pending(self, prompt_ids: Iterable[str] | None) -> None:
        """Remove waiting prompts without a trace; None removes all."""
        chosen = None if prompt_ids is None else set(prompt_ids)
        with self._lock:
            kept = [] if chosen is None else [e for e in self._pending if e[2].prompt_id not in chosen]
            removed = len(kept) != len(self._pending)
            self._pending = kept
            heapq.heapify(self._pending)
        if removed:
            self._changed()

    def history(self, max_items: int | None = None, offset: int = -1) -> dict[str, Any]:
        """Entries in the order they ended; the last ``max_items`` of them, or that many from ``offset``."""
        with self._lock:
            entries = list(self._history.items())
        start = offset if offset >= 0 else max(0, len(entries) - max_items) if max_items is not None else 0
        stop = None if max_items is None else start + max(0, max_items)
        return {prompt_id: entry.as_dict() for prompt_id, entry in islice(entries, start, stop)}

    def entry(self, prompt_id: str) -> HistoryEntry | None:
        """How this prompt ended, if it is known."""
        with self._lock:
            return self._history.get(prompt_id)

    def entries(self) -> list[HistoryEntry]:
        """All entries, oldest first."""
        with self._lock:
            return list(self._history.values())

    def delete_history(self, prompt_ids: Iterable[str] | None) -> None:
        """Forget finished prompts; None forgets all."""
        with self._lock:
            for prompt_id in list(self._history) if prompt_ids is None else prompt_ids:
                self._history.pop(prompt_id, None)
