"""Everything that goes wrong with real render servers, on demand, so that clients can be tested."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from anime_pipeline.preview.frames import Frames, Pixels

Kind = Literal[
    "wrong_frame_count",  # one frame too few (one too many where there is only one)
    "black_frames",  # every frame is black
    "frozen_video",  # every frame is the first
    "truncated_file",  # the saved file loses its second half
    "missing_file",  # the saved file is gone: /view answers 404
    "empty_outputs",  # success with outputs {}
    "out_of_memory",  # execution_error as from CUDA
    "fail_render",  # execution_error of some node
    "slow",  # waits `seconds` before it renders; can be interrupted
    "history_late",  # history comes `seconds` after execution_success
    "zombie_worker",  # the worker thread dies, HTTP goes on
    "forget_everything",  # queue, history and cache are lost, as in a restart
    "websocket_silent",  # no message about the prompt
    "websocket_cut",  # the client's socket is closed when the prompt starts
    "node_errors_in_200",  # accepted, but its outputs are dropped
    "pending_deleted",  # accepted, then deleted from the queue by someone else
    "error_500",  # POST /prompt answers 500
    "answer_garbled",  # accepted, but the answer that says so is cut short
    "upload_renamed",  # an upload is stored under another name
    "upload_too_large",  # an upload is refused with 413
]
KINDS: tuple[str, ...] = get_args(Kind)
DEFAULT_SECONDS = 2.0

_ON_UPLOAD = frozenset({"upload_renamed", "upload_too_large"})
_ON_SUBMIT = frozenset({"node_errors_in_200", "pending_deleted", "error_500", "answer_garbled"})
_ON_EXECUTION = frozenset(KINDS) - _ON_UPLOAD - _ON_SUBMIT


@dataclass
class Misbehaviour:
    """One fault: how often (None: always), and for which output prefix or upload name (None: any)."""

    kind: Kind
    times: int | None = 1
    match: str | None = None
    seconds: float = DEFAULT_SECONDS

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown misbehaviour {self.kind!r}; known are {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be 1 or more, or absent for always")

    @classmethod
    def parse(cls, text: str) -> Misbehaviour:
        """``KIND[:TIMES[:MATCH]]``; TIMES may be ``always``."""
        kind, _, rest = text.partition(":")
        times, _, match = rest.partition(":")
        count = None if times == "always" else int(times or 1)
        return cls(kind, count, match or None)  # type: ignore[arg-type] # __post_init__ checks the kind


class Misbehaviours:
    """The faults that are planned. Each is taken once per prompt or upload that it hits."""

    def __init__(self, planned: Iterable[Misbehaviour] = ()) -> None:
        self._planned = list(planned)
        self._lock = threading.Lock()

    def plan(self, misbehaviour: Misbehaviour) -> None:
        """Add a fault."""
        with self._lock:
            self._planned.append(misbehaviour)

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._planned.clear()

    def for_submission(self, prefixes: Iterable[str]) -> dict[str, float]:
        """The faults, with their seconds, that hit a prompt as it is posted."""
        return self._take(_ON_SUBMIT, prefixes)

    def for_execution(self, prefixes: Iterable[str]) -> dict[str, float]:
        """The faults, with their seconds, that hit a prompt as it is executed."""
        return self._take(_ON_EXECUTION, prefixes)

    def for_upload(self, name: str) -> dict[str, float]:
        """The faults that hit an upload of this name."""
        return self._take(_ON_UPLOAD, [name])

    def _take(self, kinds: frozenset[str], names: Iterable[str]) -> dict[str, float]:
        if not self._planned:
            return {}
        names = list(names)
        with self._lock:
            hits = [one for one in self._planned if one.kind in kinds and _matches(one, names)]
            for one in hits:
                if one.times is not None:
                    one.times -= 1
            self._planned = [one for one in self._planned if one.times != 0]
        return {one.kind: one.seconds for one in hits}


def spoil(frames: Frames, active: Iterable[str]) -> Frames:
    """The frames as a misbehaving server would save them."""
    active = set(active)
    if "black_frames" in active:
        frames = frames.map(lambda given: (np.zeros_like(frame) for frame in given))
    if "frozen_video" in active:
        frames = frames.map(_frozen)
    if "wrong_frame_count" in active:
        count = frames.count - 1 or 2
        whole = frames
        frames = Frames(count, whole.height, whole.width, lambda: _counted(whole, count))
    return frames


def _matches(misbehaviour: Misbehaviour, names: list[str]) -> bool:
    return misbehaviour.match is None or any(misbehaviour.match in name for name in names)


def _frozen(frames: Iterable[Pixels]) -> Iterator[Pixels]:
    first: Pixels | None = None
    for frame in frames:
        first = frame if first is None else first
        yield first


def _counted(frames: Frames, count: int) -> Iterator[Pixels]:
    last = None
    for number, frame in enumerate(frames):
        if number == count:
            return
        last = frame
        yield frame
    for _ in range(count - frames.count):
        assert last is not None
        yield last
