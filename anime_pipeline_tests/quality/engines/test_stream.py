"""Defends the one pass over a take: every engine sees every frame once, shared features are computed once,
memory is bounded by a chunk, and one engine's failure or a damaged film costs no other score.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from anime_pipeline.quality.engines import stream as streams
from anime_pipeline.quality.engines.generation_seconds import GenerationSeconds
from anime_pipeline.quality.engines.motion_smoothness import MotionSmoothness
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    Engine,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
    sampling_step,
)
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.films import panning

FACTS = TakeFacts("video", generation_seconds=3.0)


@dataclass
class Watcher:
    """An engine that notes what it is shown, and shares one feature."""

    metric: str
    computed: list[int]
    chunks: list[tuple[int, int]] = field(default_factory=list)
    breaks_at: int | None = None
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        return Provenance("watcher", "1")

    def start(self, facts: TakeFacts) -> Accumulator:
        return self

    def add(self, chunk: FrameChunk) -> None:
        if self.breaks_at is not None and chunk.start >= self.breaks_at:
            raise RuntimeError("broken")
        self.chunks.append((chunk.start, len(chunk.frames)))
        chunk.feature("sum", self._sum)

    def _sum(self, frames: Frames) -> int:
        self.computed.append(len(frames))
        return int(frames.sum())

    def finish(self) -> Score:
        return Score(self.metric, "measured", self.provenance(FACTS), float(sum(n for _, n in self.chunks)))


def run(engines: list[Engine], frames: Frames, damage: str | None = None) -> dict[str, Score]:
    stream = EngineStream(engines, FACTS)
    for frame in frames:
        stream.add(frame)
    return stream.finish(damage)


def test_every_engine_sees_every_frame_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_CHUNK", 4)
    computed: list[int] = []
    one, other = Watcher("one", computed), Watcher("other", computed)
    scores = run([one, other], panning(10))
    assert one.chunks == other.chunks == [(0, 4), (4, 4), (8, 2)]
    assert computed == [4, 4, 2]  # a shared feature is computed for the first that asks
    assert scores["one"].value == 10


def test_a_chunk_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK_BYTES", 3 * panning(1).nbytes)
    watcher = Watcher("one", [])
    run([watcher], panning(7))
    assert [count for _, count in watcher.chunks] == [3, 3, 1]


def test_scores_do_not_depend_on_how_the_stream_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_CHUNK", 3)
    engines: list[Engine] = [TemporalFlicker(), MotionSmoothness()]
    scores = run(engines, panning(11))
    assert scores == {engine.metric: measure(engine, panning(11), FACTS, chunk=11) for engine in engines}


def test_a_broken_engine_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_CHUNK", 2)
    scores = run([Watcher("bad", [], breaks_at=2), TemporalFlicker()], panning(6))
    assert scores["temporal_flicker"].state == "measured"
    assert (scores["bad"].state, scores["bad"].reason) == (
        "unavailable",
        "its engine failed: RuntimeError: broken",
    )


def test_damage_leaves_what_needs_no_frames() -> None:
    scores = run([TemporalFlicker(), GenerationSeconds()], panning(6), "it is cut short")
    assert scores["generation_seconds"].value == 3.0
    assert scores["temporal_flicker"].state == "not_measurable"
    assert "it is cut short" in (scores["temporal_flicker"].reason or "")


def test_frames_that_change_their_size_are_refused() -> None:
    stream = EngineStream([TemporalFlicker()], FACTS)
    stream.add(panning(1, 32, 48)[0])
    with pytest.raises(ValueError, match=r"frame 1 is 96×64, the frames before it 48×32"):
        stream.add(panning(1, 64, 96)[0])


def test_a_step_counts_from_the_first_frame_of_the_take() -> None:
    frames = np.zeros((5, 1, 1, 3), dtype=np.uint8)
    seen = [at for start in (0, 5, 10) for at, _ in FrameChunk(frames, start).indexed(4)]
    assert seen == [0, 4, 8, 12]


@pytest.mark.parametrize(("fps", "step"), [(24.0, 6), (8.0, 2), (2.0, 1), (None, 1)])
def test_looks_are_spread_over_time(fps: float | None, step: int) -> None:
    assert sampling_step(fps, 4.0) == step


@pytest.mark.parametrize(
    ("state", "value", "reason"),
    [
        ("measured", None, None),
        ("unavailable", 1.0, "x"),
        ("not_measurable", None, None),
        ("measured", float("nan"), None),
    ],
)
def test_a_score_that_contradicts_itself_cannot_be_made(
    state: str, value: float | None, reason: str | None
) -> None:
    with pytest.raises(ValueError, match="m:"):
        Score("m", state, Provenance("b", "1"), value, reason=reason)  # type: ignore[arg-type]
