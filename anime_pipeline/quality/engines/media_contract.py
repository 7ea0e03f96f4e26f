"""media_contract: whether a take is what was asked for, before anyone asks whether it is good.

1.0 if every clause holds, else 0.0, with each broken clause named. The clauses: ``decodable``;
``frame_count``, ``size`` and ``fps`` as asked; no ``black`` frame (fewer than 0.1 % of the values are above
16 of 255); no ``empty`` frame (one flat colour, within 2 % of the range); and, where motion is asked, nothing
``frozen``. Frames are held when all but a hundred-thousandth of their values lie within 12 of the run's first
frame, so that encoding noise counts as held and a moving mouth does not. Drawings on twos and threes and
dramatic holds are anime's grammar: a run is frozen when it is longer than half a second and longer than a
third of the cut, or is the whole cut.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anime_pipeline.quality.engines.differences import absolute_difference
from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    Provenance,
    Score,
    TakeFacts,
)

METRIC = "media_contract"
DARK = 16
LIT_SHARE = 0.001
FLAT = 5
HELD = 12
HELD_SHARE = 1e-5
FROZEN_SECONDS = 0.5
FROZEN_SHARE = 1 / 3
FPS_TOLERANCE = 0.02  # animated pictures keep whole milliseconds a frame, so 60 fps comes back as 58.8
_NAMED_FRAMES = 20  # how many frame numbers a broken clause lists


@dataclass(frozen=True)
class MediaContract:
    """1.0 for a take that is as asked and shows pictures, else 0.0."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """What was asked is a setting: another contract asks for a new measurement."""
        asked = {
            "frame_count": facts.frame_count,
            "fps": facts.fps if facts.kind != "still" else None,
            "width": facts.width,
            "height": facts.height,
            "motion": facts.motion_expected,
        }
        return Provenance("pixels", "1", None, {"asked": asked})

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Contract(facts, self.provenance(facts))


def is_black(frame: Frames) -> bool:
    """Whether fewer than 0.1 % of a frame's values are above 16."""
    return bool(np.count_nonzero(frame > DARK) < LIT_SHARE * frame.size)


def is_empty(frame: Frames) -> bool:
    """Whether a frame is one flat colour: every value within 5 of its channel's value in the first pixel."""
    first = frame[:1, :1]
    if absolute_difference(frame[::16, ::16], first).max() > FLAT:  # settles nearly every frame cheaply
        return False
    return bool(absolute_difference(frame, first).max() <= FLAT)


def is_held(frame: Frames, first: Frames) -> bool:
    """Whether a frame shows the same picture as ``first``, but for encoding noise."""
    return bool(np.count_nonzero(absolute_difference(frame, first) > HELD) <= HELD_SHARE * frame.size)


def longest_hold(fps: float, frame_count: int) -> int:
    """How many frames of a cut may show one picture before they count as frozen."""
    return max(int(FROZEN_SECONDS * fps), int(FROZEN_SHARE * frame_count))


@dataclass
class _Contract:
    facts: TakeFacts
    provenance: Provenance
    count: int = 0
    size: tuple[int, int] | None = None  # width, height
    black: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)  # first and last frame of each long hold
    held_since: int = 0
    held_picture: Frames | None = None
    damage: str | None = None

    def add(self, chunk: FrameChunk) -> None:
        for frame in chunk.frames:
            self._add(frame)
            self.count += 1

    def _add(self, frame: Frames) -> None:
        self.size = (frame.shape[1], frame.shape[0])
        if is_black(frame):
            self.black.append(self.count)
        elif is_empty(frame):
            self.empty.append(self.count)
        if self.held_picture is None or not is_held(frame, self.held_picture):
            self._end_run()
            self.held_since, self.held_picture = self.count, frame

    def _end_run(self) -> None:
        length = self.count - self.held_since
        if length > int(FROZEN_SECONDS * self._fps()) or (length >= 2 and self.held_since == 0):
            self.runs.append((self.held_since, self.count - 1))

    def _fps(self) -> float:
        return self.facts.fps or self.facts.file_fps or 24.0

    def damaged(self, reason: str) -> None:
        self.damage = reason

    def finish(self) -> Score:
        self._end_run()
        frozen = self._frozen_runs()
        broken = dict(self._broken_clauses(frozen))
        bad = {
            *self.black,
            *self.empty,
            *(index for first, last in frozen for index in range(first, last + 1)),
        }
        return Score(
            METRIC,
            "measured",
            self.provenance,
            0.0 if broken else 1.0,
            tuple(0.0 if index in bad else 1.0 for index in range(self.count)),
            {
                "broken": broken,
                "frames": self.count,
                "width": (self.size or (0, 0))[0],
                "height": (self.size or (0, 0))[1],
                "fps": self.facts.file_fps,
            },
        )

    def _frozen_runs(self) -> list[tuple[int, int]]:
        if not self.facts.motion_expected:
            return []
        most = longest_hold(self._fps(), self.count)
        whole = (0, self.count - 1)
        return [run for run in self.runs if run[1] - run[0] + 1 > most or run == whole]

    def _broken_clauses(self, frozen: list[tuple[int, int]]) -> list[tuple[str, str]]:
        facts, broken = self.facts, []
        if self.damage or not self.count:
            broken.append(("decodable", self.damage or "the take has no frames"))
        if facts.frame_count is not None and self.count != facts.frame_count:
            broken.append(("frame_count", f"{facts.frame_count} frames asked, {self.count} given"))
        if self.size and (facts.width or self.size[0], facts.height or self.size[1]) != self.size:
            broken.append(
                ("size", f"{facts.width}×{facts.height} asked, {self.size[0]}×{self.size[1]} given")
            )
        if self._fps_differs():
            broken.append(("fps", f"{facts.fps:g} frames a second asked, {facts.file_fps or 0:g} given"))
        if self.black:
            broken.append(("black", f"black: {_named(self.black)}"))
        if self.empty:
            broken.append(("empty", f"one flat colour: {_named(self.empty)}"))
        if frozen:
            runs = ", ".join(f"{first} to {last}" for first, last in frozen[:_NAMED_FRAMES])
            broken.append(("frozen", f"motion is asked, and one picture stands still: frames {runs}"))
        return broken

    def _fps_differs(self) -> bool:
        asked, given = self.facts.fps, self.facts.file_fps
        if self.facts.kind == "still" or asked is None or self.count < 2:
            return False
        return given is not None and abs(given - asked) > FPS_TOLERANCE * asked


def _named(frames: list[int]) -> str:
    more = f" and {len(frames) - _NAMED_FRAMES} more" if len(frames) > _NAMED_FRAMES else ""
    return f"frame{'s' if len(frames) > 1 else ''} {', '.join(map(str, frames[:_NAMED_FRAMES]))}{more}"
