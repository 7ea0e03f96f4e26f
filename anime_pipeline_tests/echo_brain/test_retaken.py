"""Defends that a task which asked for a take hears of what answers its failure, and of nothing else."""

from __future__ import annotations

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.delivery import deliver
from anime_pipeline.echo_brain.events import CutsWanted
from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.echo_brain.renders import render_cuts
from anime_pipeline_tests.echo_brain.supervising import SECRET, RunningSupervisor, TurnedClock
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.review.failures import KEY, answer, judge


@pytest.fixture
def asked(studio: Studio, supervisor: RunningSupervisor, clock: TurnedClock) -> Studio:
    """A cut whose take the task night-7 asked for: rendered, and judged to fail."""
    studio.settings = studio.settings.model_copy(
        update={"echo_brain_url": supervisor.url, "echo_brain_secret": SECRET}
    )
    beat(studio.settings, clock)
    studio.import_(stills(1, budget={"retakes": 1}))
    ask(studio, "night-7")
    studio.drain()
    judge(studio, "aesthetic")
    return studio


def ask(studio: Studio, task_id: str, **wanted: object) -> None:
    with session_scope(studio.settings) as session:
        render_cuts(session, studio.settings, CutsWanted(scope=KEY, task_id=task_id, **wanted))


def told(studio: Studio, supervisor: RunningSupervisor, clock: TurnedClock) -> list[tuple[str, str | None]]:
    """Kind and task of everything that the supervisor has heard of the newest take."""
    assert deliver(studio.settings, clock=clock).left == 0
    (newest,) = studio.query("SELECT max(job_id) AS job_id FROM studio.takes")
    events = [event for event in supervisor.received() if event["job_id"] == newest.job_id]
    return [(event["event_type"], event["task_id"]) for event in events]


def test_the_answer_of_a_failed_take_is_told_under_its_task(
    asked: Studio, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    assert [decision.outcome for decision in answer(asked)] == ["retaken"]
    asked.drain()
    judge(asked)
    assert told(asked, supervisor, clock) == [("job.completed", "night-7"), ("quality.passed", "night-7")]


def test_what_a_person_asks_of_a_cut_that_was_handed_over_is_told_too(
    asked: Studio, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    answer(asked)
    asked.drain()
    judge(asked, "aesthetic")
    assert [decision.outcome for decision in answer(asked)] == ["in_review"]
    asked.retake(note="by hand")
    asked.drain()
    judge(asked)
    assert told(asked, supervisor, clock) == [("job.completed", "night-7"), ("quality.passed", "night-7")]


def test_a_further_take_of_a_cut_that_passed_is_told_to_those_who_asked_for_it(
    asked: Studio, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    judge(asked, again=True)
    ask(asked, "day-8", new_takes=True)
    asked.drain()
    assert told(asked, supervisor, clock) == [("job.completed", "day-8")]


def test_tasks_of_an_earlier_story_are_not_told_of_this_one(
    asked: Studio, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    asked.import_(stills(1, camera_angle="low angle"))
    asked.render()
    judge(asked, "aesthetic")
    assert [decision.outcome for decision in answer(asked)] == ["retaken"]
    asked.drain()
    assert told(asked, supervisor, clock) == [("job.completed", None)]
