"""Defends palette adherence: CIELAB by its published reference values, shares by known pictures."""

from __future__ import annotations

import numpy as np
import pytest

from anime_pipeline.quality.engines.palette_adherence import NEAR, PaletteAdherence, lab, palette_lab
from anime_pipeline.quality.engines.protocol import TakeFacts
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.films import Film, panning

PALETTE = {"sea": "#1f6f8b", "lantern": "#f2a541", "night": "#1b1f3b"}


def facts(palette: dict[str, str], fps: float = 24.0) -> TakeFacts:
    return TakeFacts("video", fps=fps, palette=palette)


def painted(*shares: tuple[str, int]) -> Film:
    """One frame of 10 rows, so many of each colour."""
    rows = [[bytes.fromhex(colour[1:])] * 20 for colour, count in shares for _ in range(count)]
    return np.array([[list(pixel) for pixel in row] for row in rows], dtype=np.uint8)[None]


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ("#ffffff", (100.0, 0.0, 0.0)),
        ("#000000", (0.0, 0.0, 0.0)),
        ("#ff0000", (53.24, 80.09, 67.20)),
        ("#00ff00", (87.73, -86.18, 83.18)),
        ("#0000ff", (32.30, 79.19, -107.86)),
        ("#808080", (53.59, 0.0, 0.0)),
    ],
)
def test_cielab_of_known_colours(colour: str, expected: tuple[float, float, float]) -> None:
    assert palette_lab([colour])[0] == pytest.approx(expected, abs=0.02)


def test_the_share_is_of_pixels_near_some_colour() -> None:
    score = measure(
        PaletteAdherence(), painted(("#1f6f8b", 5), ("#f2a541", 2), ("#ff00ff", 3)), facts(PALETTE)
    )
    assert score.value == pytest.approx(0.7)
    assert score.details["share_by_colour"] == {"sea": 0.5, "lantern": 0.2, "night": 0.0}


def test_near_means_a_distance_of_twenty() -> None:
    grey = np.arange(256, dtype=np.uint8)
    distance = np.abs(lab(np.stack([grey] * 3, axis=1))[:, 0])
    inside = int(grey[distance <= NEAR].max())
    for value, expected in ((inside, 1.0), (inside + 1, 0.0)):
        film = np.full((1, 4, 4, 3), value, dtype=np.uint8)
        assert measure(PaletteAdherence(), film, facts({"black": "#000000"})).value == expected


def test_a_film_is_looked_at_four_times_a_second() -> None:
    score = measure(PaletteAdherence(), panning(24), facts(PALETTE), chunk=7)
    assert [t for t, value in enumerate(score.per_frame) if value is not None] == [0, 6, 12, 18]
    assert score.details["frames_looked_at"] == 4


def test_without_a_palette_there_is_nothing_to_keep_to() -> None:
    score = measure(PaletteAdherence(), panning(3), facts({}))
    assert (score.state, score.reason) == ("not_measurable", "the story bible names no palette")


def test_an_edited_palette_is_another_measurement() -> None:
    engine = PaletteAdherence()
    assert engine.provenance(facts(PALETTE)) != engine.provenance(facts({**PALETTE, "sea": "#000000"}))


@pytest.mark.parametrize("colour", ["teal", "#12345", "#1234567", "#fff", "['#000000']"])
def test_a_colour_that_is_none_is_named(colour: str) -> None:
    stream = EngineStream([PaletteAdherence()], facts({**PALETTE, "x": colour}))
    stream.add(panning(1)[0])
    score = stream.finish()["palette_adherence"]
    assert score.state == "not_measurable"
    assert f"palette has {colour!r}" in (score.reason or "")
