"""Defends retakes on the line: the run that measures a bad take queues its retake, the next renders it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from anime_pipeline.rendering.staleness import CutState
from anime_pipeline.rendering.takes import TakeInfo
from anime_pipeline_tests.defs.conftest import CalmArtist, Line
from anime_pipeline_tests.rendering.studio import production
from anime_pipeline_tests.review.studio import takes_of

KEY = "tiny.e01.s001.c0010"


class FlashingArtist(CalmArtist):
    """Draws calmly, but for its first so many shots, in which every other frame is dark."""

    flashing = 0

    def draw(self, shot: Any) -> Iterator[np.ndarray[Any, Any]]:
        flashes = len(self.shots) < self.flashing
        for number, frame in enumerate(super().draw(shot)):
            yield frame // 3 if flashes and number % 2 else frame


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> FlashingArtist:
    """What the preview server of these tests draws with."""
    one = FlashingArtist()
    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", one.draw, raising=False)
    return one


def video(**fields: Any) -> dict[str, Any]:
    """A production of one video of twelve frames."""
    data = production()
    cut = {"number": 10, "kind": "video", "duration_frames": 12, "cast": ["Toru"], **fields}
    data["episodes"][0]["scenes"][0]["cuts"] = [cut]
    return data


def produce(line: Line) -> CutState:
    """Render and measure the cut, whatever comes of it; its state."""
    line.run("render_cuts", [KEY])
    line.run("measure_cuts", [KEY])
    return line.studio.states()["c0010"]


def begun(line: Line, **fields: Any) -> CutState:
    """Import the video and produce it once."""
    line.studio.import_(video(**fields))
    line.sync()
    return produce(line)


def takes(line: Line) -> list[TakeInfo]:
    return takes_of(line.studio, KEY)


def test_a_take_that_came_out_black_is_rendered_once_more_and_passes(line: Line) -> None:
    line.studio.server.misbehave("black_frames", times=1)
    state = begun(line)
    assert state.state == "queued"
    assert [(take.verdict, take.selected) for take in takes(line)] == [("failed", False), (None, False)]
    state = produce(line)
    assert (state.state, state.retakes) == ("current", 1)
    first, second = takes(line)
    assert (first.recipe_hash, first.verdict) == (second.recipe_hash, "failed")
    assert (second.verdict, second.selected) == ("passed", True)
    assert line.studio.renders == 2


def test_a_film_that_flashes_gets_another_seed_and_passes(line: Line, artist: FlashingArtist) -> None:
    artist.flashing = 1
    assert begun(line).state == "queued"
    assert produce(line).state == "current"
    first, second = takes(line)
    assert first.recipe_hash != second.recipe_hash
    assert (first.verdict, second.verdict, second.selected) == ("failed", "passed", True)
    (retake,) = line.studio.query("SELECT cause, strategy FROM studio.retakes")
    assert (retake.cause, retake.strategy) == ("motion", "new_seed")


def test_a_film_that_always_flashes_ends_with_a_person_when_the_budget_ends(
    line: Line, artist: FlashingArtist
) -> None:
    artist.flashing = 99
    state = begun(line, budget={"retakes": 2})
    rounds = 1
    while state.state == "queued":
        state = produce(line)
        rounds += 1
    assert (state.state, state.retakes, rounds) == ("in_review", 2, 3)
    assert str(state.reason).endswith("tried new seed, then new seed; 2 of 2 retakes are spent")
    assert "temporal_flicker" in str(state.reason)
    assert produce(line).state == "in_review"
    assert line.studio.renders == 3
    assert [take.verdict for take in takes(line)] == ["failed"] * 3


def test_where_retakes_are_off_a_failing_cut_stays_failing(line: Line, artist: FlashingArtist) -> None:
    line.studio.settings = line.studio.settings.model_copy(update={"retakes": "off"})
    artist.flashing = 1
    assert begun(line).state == "failing"
    assert line.studio.query("SELECT 1 FROM studio.retakes") == []
