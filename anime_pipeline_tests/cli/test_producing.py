"""Defends that rendering goes on with retakes until they pass or their budget ends, and then stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from anime_pipeline.cli import production as producing
from anime_pipeline.cli.dagster_process import JobOutcome
from anime_pipeline.cli.house import House
from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import finished_takes, judge_takes
from anime_pipeline.review.answering import answer_failures
from anime_pipeline.review.selection import select_best
from anime_pipeline_tests.defs.test_retakes import FlashingArtist, artist, video  # noqa: F401
from anime_pipeline_tests.rendering.conftest import server, studio  # noqa: F401
from anime_pipeline_tests.rendering.studio import Studio


class Line:
    """Does what the jobs of a run do, in this process."""

    def __init__(self, studio: Studio) -> None:  # noqa: F811
        self.studio = studio
        self.runs: list[str] = []

    def run(self, house: House, steps: Sequence[str], update: Callable[..., None]) -> list[JobOutcome]:
        self.runs += [step.partition("=")[0] for step in steps if step != "sync"]
        if any(step.startswith("render_cuts") for step in steps):
            self.studio.render()
        keys = self.studio.keys()
        with session_scope(house.settings) as session:
            takes = [job for jobs in finished_takes(session, keys).values() for job in jobs]
            measure_takes(session, house.settings, takes)
            judge_takes(session, takes)
            select_best(session, house.settings, keys)
            answer_failures(session, house.settings, keys)
        return [JobOutcome("measure_cuts", tuple(keys), "run", None)]


@pytest.fixture
def line(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Line:  # noqa: F811
    """The line, with which the command renders and measures."""
    one = Line(studio)
    monkeypatch.setattr(producing, "run_jobs", one.run)
    return one


def produce(line: Line, **changed: Any) -> str:
    """Produce all cuts; the state of the only one."""
    house = House(line.studio.settings.model_copy(update=changed))
    producing.produce_cuts(house, line.studio.keys())
    return line.studio.states()["c0010"].state


def test_a_bad_take_is_retaken_in_the_same_command(line: Line, artist: FlashingArtist) -> None:  # noqa: F811
    artist.flashing = 2
    line.studio.import_(video())
    assert produce(line) == "current"
    assert line.runs == ["render_cuts", "measure_cuts"] * 3
    assert produce(line) == "current"
    assert len(line.runs) == 6, "nothing is left to do"


def test_it_ends_where_nothing_helps(line: Line, artist: FlashingArtist) -> None:  # noqa: F811
    artist.flashing = 99
    line.studio.import_(video(budget={"retakes": 1}))
    assert produce(line) == "in_review"
    assert len(line.studio.artist.shots) == 2


def test_a_threshold_that_was_moved_is_asked_before_another_take_is_made(
    line: Line,
    artist: FlashingArtist,  # noqa: F811
) -> None:
    artist.flashing = 99
    line.studio.import_(video())
    assert produce(line, retakes="off") == "failing"
    with session_scope(line.studio.settings) as session:
        session.execute(
            text("""
                UPDATE quality_gates SET threshold_value = 0
                WHERE gate_name IN ('animatic_flicker_minimum', 'motion_smoothness_minimum')
            """)
        )
    assert produce(line) == "current"
    assert line.studio.query("SELECT 1 FROM studio.retakes") == []


def test_a_take_that_cannot_be_rendered_does_not_hold_it_up(line: Line) -> None:
    line.studio.import_(video())
    line.studio.server.misbehave("fail_render", times=None)
    assert produce(line) == "failed"
    assert line.runs == ["render_cuts", "measure_cuts"]
