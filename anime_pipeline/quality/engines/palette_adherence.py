"""palette_adherence: how much of the picture keeps to the story bible's palette.

The share of pixels whose nearest palette colour is at most ΔE 20 away, ΔE being CIE76: the Euclidean distance
in CIELAB (sRGB, D65). From 0 to 1, higher keeps closer. A plain distance to the named colours: shades of a
colour under night light are away from it, so a low value on a night scene is no fault by itself; the metric
is reported and decides nothing until a studio gives it a threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from anime_pipeline.quality.engines.protocol import (
    Accumulator,
    FrameChunk,
    Frames,
    NotMeasurableError,
    Provenance,
    Score,
    TakeFacts,
    sampling_step,
)

METRIC = "palette_adherence"
NEAR = 20.0
LOOKS_PER_SECOND = 4.0
LOOKED_AT_SIDE = 320  # longer side, in pixels, that a frame is thinned out to, without mixing its colours

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_CODES = np.arange(256) / 255.0
_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4)

Lab = npt.NDArray[np.float32]
"""float32, N × 3: L*, a*, b*."""


@dataclass(frozen=True)
class PaletteAdherence:
    """Share of pixels near a colour of the palette."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = True

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The palette itself is a setting: an edited palette asks for a new measurement."""
        settings = {
            "delta_e": "CIE76",
            "near": NEAR,
            "looks_per_second": LOOKS_PER_SECOND,
            "side": LOOKED_AT_SIDE,
            "palette": dict(sorted(facts.palette.items())),
        }
        return Provenance("cielab", "1", None, settings)

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take. Raises NotMeasurableError for a palette colour that is not ``#rrggbb``."""
        return _Adherence(
            self.provenance(facts),
            tuple(facts.palette),
            palette_lab(facts.palette.values()),
            sampling_step(facts.fps, LOOKS_PER_SECOND),
        )


def lab(rgb: npt.NDArray[np.uint8]) -> Lab:
    """CIELAB of sRGB colours, N × 3 uint8 to N × 3 float32; L* is 0 to 100."""
    linear = _LINEAR[rgb] @ (_TO_XYZ / _WHITE[:, None]).T
    curved = np.where(linear > (6 / 29) ** 3, np.cbrt(linear), linear / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = curved[:, 0], curved[:, 1], curved[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)


def palette_lab(colours: Iterable[str]) -> Lab:
    """CIELAB of ``#rrggbb`` texts. Raises NotMeasurableError for others: older bibles have some."""
    codes = []
    for colour in colours:
        if not re.fullmatch(r"#?[0-9a-fA-F]{6}", colour):
            raise NotMeasurableError(
                f"the story bible's palette has {colour!r}, which is no colour as #rrggbb"
            )
        codes.append(bytes.fromhex(colour.removeprefix("#")))
    return lab(np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(-1, 3))


@dataclass
class _Adherence:
    provenance: Provenance
    names: tuple[str, ...]
    palette: Lab
    step: int
    count: int = 0
    looks: dict[int, float] = field(default_factory=dict)  # share of near pixels by index of the frame
    pixels: int = 0
    near: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))  # by colour

    def add(self, chunk: FrameChunk) -> None:
        self.count += len(chunk.frames)
        if not self.names:
            return
        for at, index in chunk.indexed(self.step):
            self.looks[at] = self._look(chunk.frames[index])

    def _look(self, frame: Frames) -> float:
        thin = -(-max(frame.shape[:2]) // LOOKED_AT_SIDE)
        colours, counts = _distinct(frame[::thin, ::thin].reshape(-1, 3))
        distances = np.linalg.norm(lab(colours)[:, None] - self.palette[None], axis=2)
        nearest, is_near = distances.argmin(axis=1), distances.min(axis=1) <= NEAR
        by_colour = np.bincount(nearest[is_near], counts[is_near], minlength=len(self.names)).astype(np.int64)
        self.near = self.near + by_colour
        self.pixels += int(counts.sum())
        return float(by_colour.sum() / counts.sum())

    def finish(self) -> Score:
        if not self.names:
            return Score(METRIC, "not_measurable", self.provenance, reason="the story bible names no palette")
        if not self.looks:
            return Score(METRIC, "not_measurable", self.provenance, reason="the take has no frames")
        shares = (self.near / self.pixels).round(6).tolist()
        return Score(
            METRIC,
            "measured",
            self.provenance,
            sum(self.looks.values()) / len(self.looks),
            tuple(self.looks.get(index) for index in range(self.count)),
            {
                "share_by_colour": dict(zip(self.names, shares, strict=True)),
                "frames_looked_at": len(self.looks),
            },
        )


def _distinct(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The different colours among N × 3 pixels and how often each occurs."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    codes, counts = np.unique(packed, return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8), counts
