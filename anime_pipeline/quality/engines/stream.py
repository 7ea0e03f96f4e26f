"""One pass over a take's frames feeds every engine, a chunk at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    Engine,
    FrameChunk,
    HearsOfDamage,
    NotMeasurableError,
    Score,
    TakeFacts,
)

CHUNK_BYTES = 32 * 1024 * 1024
LONGEST_CHUNK = 32

_log = logging.getLogger(__name__)


class EngineStream:
    """The engines at work on one take. Memory is bounded by a chunk, whatever the take's length."""

    def __init__(self, engines: Sequence[Engine], facts: TakeFacts) -> None:
        self._engines = {engine.metric: engine for engine in engines}
        self._facts = facts
        self._ended: dict[str, Score] = {}  # before the take did
        self._accumulators: dict[str, Accumulator] = {}
        self._waiting: list[npt.NDArray[np.uint8]] = []
        self._shape: tuple[int, ...] | None = None
        self._count = 0
        for metric, engine in self._engines.items():
            try:
                self._accumulators[metric] = engine.start(facts)
            except Exception as error:
                self._fail(metric, error)

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Take in a frame, uint8 height × width × 3. Raises ValueError when its size changes."""
        self._shape = self._shape or frame.shape
        if frame.shape != self._shape:
            number, (height, width) = self._count + len(self._waiting), self._shape[:2]
            raise ValueError(
                f"frame {number} is {frame.shape[1]}×{frame.shape[0]}, the frames before it {width}×{height}"
            )
        self._waiting.append(frame)
        if len(self._waiting) >= min(LONGEST_CHUNK, max(1, CHUNK_BYTES // frame.nbytes)):
            self._flush()

    def finish(self, damage: str | None = None) -> dict[str, Score]:
        """The scores by metric. ``damage`` says why the frames ended, if not by themselves."""
        self._flush()
        return {metric: self._score(engine, damage) for metric, engine in self._engines.items()}

    def _flush(self) -> None:
        if not self._waiting:
            return
        chunk = FrameChunk(np.stack(self._waiting), self._count)
        self._count += len(self._waiting)
        self._waiting.clear()
        for metric, accumulator in list(self._accumulators.items()):
            try:
                accumulator.add(chunk)
            except Exception as error:
                self._fail(metric, error)

    def _score(self, engine: Engine, damage: str | None) -> Score:
        accumulator = self._accumulators.get(engine.metric)
        if damage and accumulator and isinstance(accumulator, HearsOfDamage):
            accumulator.damaged(damage)
        elif damage and engine.reads_frames:
            reason = f"the take cannot be read to its end: {damage}"
            return Score(engine.metric, "not_measurable", engine.provenance(self._facts), reason=reason)
        if accumulator:
            try:
                return accumulator.finish()
            except Exception as error:
                self._fail(engine.metric, error)
        return self._ended[engine.metric]

    def _fail(self, metric: str, error: Exception) -> None:
        """One engine's failure costs no other engine."""
        self._accumulators.pop(metric, None)
        provenance = self._engines[metric].provenance(self._facts)
        if isinstance(error, NotMeasurableError):
            self._ended[metric] = Score(metric, "not_measurable", provenance, reason=str(error))
            return
        _log.warning("The engine of %s failed", metric, exc_info=error)
        reason = f"its engine failed: {type(error).__name__}: {error}"
        remedy = "Run it again; if it stays, report it with the log's traceback."
        self._ended[metric] = Score(metric, "unavailable", provenance, reason=reason, remedy=remedy)
