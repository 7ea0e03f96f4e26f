"""Run one engine over a film, in chunks of any size."""

from __future__ import annotations

import numpy as np

from anime_pipeline.quality.engines.protocol import Engine, FrameChunk, Score, TakeFacts
from anime_pipeline_tests.quality.films import Film

VIDEO = TakeFacts("video")


def measure(engine: Engine, film: Film, facts: TakeFacts = VIDEO, chunk: int = 5) -> Score:
    """The score of a film fed to an engine ``chunk`` frames at a time."""
    accumulator = engine.start(facts)
    for start in range(0, len(film), chunk):
        accumulator.add(FrameChunk(np.ascontiguousarray(film[start : start + chunk]), start))
    return accumulator.finish()
