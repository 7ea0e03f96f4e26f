"""What an engine is: frames stream in by chunks, one score comes out, and the score says how it was made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.calibration import Calibration
from anime_pipeline.quality.engines.style_reference import StyleReference

Frames = npt.NDArray[np.uint8]
"""uint8, T × height × width × 3, RGB."""

State = Literal["measured", "not_measurable", "unavailable"]
Feature = TypeVar("Feature")


@dataclass(frozen=True)
class Provenance:
    """How a score was made: scores of two provenances are never compared.

    ``settings`` holds what else decides the value, among it the facts that the engine judged against, so that
    an edited palette makes an old score out of date.
    """

    backend: str
    version: str
    weights_sha256: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One metric of one take.

    ``value`` is there exactly when ``state`` is ``measured``; otherwise ``reason`` says why not, and
    ``remedy`` what would mend it. ``per_frame`` has one entry per frame, None where a frame has no value of
    its own.
    """

    metric: str
    state: State
    provenance: Provenance
    value: float | None = None
    per_frame: tuple[float | None, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    reason: str | None = None
    remedy: str | None = None

    def __post_init__(self) -> None:
        if (self.state == "measured") != (self.value is not None):
            raise ValueError(f"{self.metric}: a value belongs to a measured score, and only to that")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.metric}: {self.value} is no measurement")
        if self.state != "measured" and not self.reason:
            raise ValueError(f"{self.metric}: a score that is {self.state} says why")


@dataclass(frozen=True)
class TakeFacts:
    """What an engine may know about a take besides its frames.

    ``frame_count``, ``fps``, ``width`` and ``height`` are what was asked; None where nothing was.
    ``file_fps`` is what the film's container says. ``anchors`` maps a figure's name to the sha256s of its
    approved pictures, and ``face_anchors`` to their embeddings by ``identity_backend``, float32 N × width.
    ``anchor_weights`` are the hashes of the weights that made them.
    ``identity_calibration`` is what the project's anchors say of that backend, and ``style`` the project's
    calibrated style; each is None where there is none.
    """

    kind: Literal["still", "loop", "video"]
    frame_count: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    file_fps: float | None = None
    palette: Mapping[str, str] = field(default_factory=dict)
    motion_expected: bool = False
    generation_seconds: float | None = None
    server_kind: str | None = None
    figures: tuple[str, ...] = ()
    anchors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    face_anchors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    anchor_weights: frozenset[str | None] = frozenset()
    identity_backend: str = "ccip"
    identity_calibration: Calibration | None = None
    style: StyleReference | None = None


class NotMeasurableError(Exception):
    """An accumulator's finding that frames like these have no value of its metric; the message says why."""


class FrameChunk:
    """Consecutive frames of a take, with the features that several engines share."""

    def __init__(self, frames: Frames, start: int) -> None:
        self.frames = frames
        self.start = start  # the index of the first frame within the take
        self._features: dict[str, Any] = {}

    def feature(self, name: str, compute: Callable[[Frames], Feature]) -> Feature:
        """``compute(frames)``, computed once for all engines that ask for this ``name``."""
        if name not in self._features:
            self._features[name] = compute(self.frames)
        return cast(Feature, self._features[name])

    def indexed(self, step: int = 1) -> Iterator[tuple[int, int]]:
        """(index in the take, index in the chunk) of every ``step``-th frame from the take's first."""
        first = -self.start % step
        return ((self.start + index, index) for index in range(first, len(self.frames), step))


class Accumulator(Protocol):
    """The running state of one engine on one take; its size does not grow with the take's length."""

    def add(self, chunk: FrameChunk) -> None:
        """Take in the next frames."""

    def finish(self) -> Score:
        """The score of all frames that were taken in."""


@runtime_checkable
class HearsOfDamage(Protocol):
    """An accumulator whose score judges that a film cannot be decoded, instead of being lost by it."""

    def damaged(self, reason: str) -> None:
        """No more frames come, because of ``reason``."""


class Engine(Protocol):
    """One way to measure one metric; shared by takes and threads, it keeps no state of theirs."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def weights(self) -> tuple[str, ...]:
        """Names in the weights catalogue that it loads; empty for engines that need none."""

    @property
    def reads_frames(self) -> bool:
        """False for an engine that judges facts alone; it is measured even where a film is damaged."""

    def provenance(self, facts: TakeFacts) -> Provenance:
        """How a score of this take would be made, known without decoding anything."""

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""


def sampling_step(fps: float | None, per_second: float) -> int:
    """Every how many frames to look, for about ``per_second`` looks a second of film."""
    return max(1, round((fps or per_second) / per_second))
