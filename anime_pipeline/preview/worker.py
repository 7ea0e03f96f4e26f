"""The one thread that renders: takes prompts from the queue until the queue is closed."""

from __future__ import annotations

import logging
import threading

from anime_pipeline.preview.executor import Executor
from anime_pipeline.preview.prompt_queue import PromptQueue
from anime_pipeline.preview.sabotage import ForgottenError, WorkerDiedError
from anime_pipeline.preview.sockets import Sockets

_log = logging.getLogger(__name__)


class Worker:
    """Owns the thread. A prompt's failure never ends it; only a planned death does."""

    def __init__(self, queue: PromptQueue, executor: Executor, sockets: Sockets) -> None:
        self._queue = queue
        self._executor = executor
        self._sockets = sockets
        self._thread = threading.Thread(target=self._work, name="preview-worker", daemon=True)

    def start(self) -> None:
        """Begin to take prompts."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Interrupt what runs and wait for the thread to end."""
        self._queue.close()
        self._thread.join(timeout)

    def _work(self) -> None:
        while (taken := self._queue.get()) is not None:
            ticket, item = taken
            try:
                entry, sabotage, progress = self._executor.execute(item)
            except WorkerDiedError:
                _log.warning("the worker thread ends, as it was told to; prompts are accepted but never run")
                return
            except ForgottenError:
                self._executor.free()
                self._queue.forget_everything()
                self._sockets.cut(None)
                continue
            sabotage.before_history()
            self._queue.finish(ticket, entry)
            progress.over()
