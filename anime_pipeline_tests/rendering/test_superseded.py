"""Defends the queue against takes of an earlier story: they are withdrawn when their cut is planned anew.

What was begun, or asked for by anybody, is rendered whatever the story says now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering import planning, queue, queue_admin
from anime_pipeline.rendering.planning import plan_cuts
from anime_pipeline.rendering.requests import request_cut
from anime_pipeline.rendering.second_takes import queue_second_takes
from anime_pipeline_tests.rendering.studio import Studio, stills

KEY = "tiny.e01.s001.c0010"


def edit(studio: Studio, **fields: object) -> None:
    """Import the only still with these fields."""
    studio.import_(stills(1, **fields))


def queued(studio: Studio) -> dict[int, str]:
    """The state of every take by its number; jobs and queue agree."""
    rows = studio.query(
        "SELECT t.take_number, q.status, j.status AS job, q.error_message, j.error_message AS told "
        "FROM render_queue q JOIN studio.takes t USING (job_id) JOIN jobs j ON j.id = t.job_id ORDER BY 1"
    )
    assert all((row.status, row.error_message) == (row.job, row.told) for row in rows)
    return {row.take_number: row.status for row in rows}


def why(studio: Studio, job_id: int = 1) -> str | None:
    """What the queue says of a take."""
    with session_scope(studio.settings) as session:
        return queue_admin.resolve(session, str(job_id))[0].message


def test_a_take_of_an_earlier_story_is_withdrawn_with_the_field_that_changed(studio: Studio) -> None:
    edit(studio, action_notes="waits")
    studio.plan()
    edit(studio, action_notes="waves")
    (planned,) = studio.plan()
    assert (planned.state, planned.take_number) == ("queued", 2)
    assert queued(studio) == {1: "cancelled", 2: "queued"}
    assert why(studio) == "superseded by a change of cut.action_notes"
    assert [take.take_number for take in studio.drain().finished] == [2]
    assert studio.renders == 1
    assert studio.states()["c0010"].state == "current"


def test_an_edit_that_decides_no_pixel_withdraws_nothing(studio: Studio) -> None:
    edit(studio)
    studio.plan()
    edit(studio, description="a note for the crew")
    assert [cut.take_number for cut in studio.plan()] == [1]
    assert queued(studio) == {1: "queued"}


def test_an_edit_that_is_undone_queues_the_first_take_again(studio: Studio) -> None:
    edit(studio, action_notes="waits")
    studio.plan()
    edit(studio, action_notes="waves")
    studio.plan()
    edit(studio, action_notes="waits")
    state = studio.states()["c0010"]
    assert (state.state, state.reason) == ("missing", None), "nothing of it has failed"
    (planned,) = studio.plan()
    assert (planned.state, planned.take_number) == ("queued", 1)
    assert queued(studio) == {1: "queued", 2: "cancelled"}
    assert why(studio) is None
    assert [take.take_number for take in studio.drain().finished] == [1]
    assert studio.states()["c0010"].state == "current"
    studio.check_nothing_is_broken()


def test_takes_that_a_cut_wants_no_more_are_withdrawn_and_wanted_again(studio: Studio) -> None:
    edit(studio, takes=3)
    studio.plan()
    edit(studio, takes=1)
    assert [cut.take_number for cut in studio.plan()] == [1]
    assert queued(studio) == {1: "queued", 2: "cancelled", 3: "cancelled"}
    assert why(studio, 3) == "superseded by a change of what the cut wants"
    edit(studio, takes=3)
    assert sorted(cut.take_number or 0 for cut in studio.plan()) == [1, 2, 3]
    assert queued(studio) == {1: "queued", 2: "queued", 3: "queued"}


def test_a_new_way_of_drawing_withdraws_what_waits(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(studio)
    studio.plan()
    monkeypatch.setattr("anime_pipeline.rendering.recipes.DRAWING_VERSION", 10_000)
    studio.plan()
    assert queued(studio) == {1: "cancelled", 2: "queued"}
    assert why(studio) == "superseded by a change of renderer.animatic"


def begin(studio: Studio, ends: bool = False) -> None:
    """A worker leases the take and begins an attempt; ``ends``: and dies, so that the take waits again."""
    with session_scope(studio.settings) as session:
        leased = queue.lease(session, "elsewhere:1:1:a", studio.server.url, 60.0)
        assert leased is not None
        queue.start_attempt(
            session, leased, studio.server.url, "preview", "0a5bd2a8-6d0c-4d4e-9d6f-1c1f6d2f7a10"
        )
        if ends:
            queue.give_back(session, [leased.token])


def ask_by_the_api(studio: Studio) -> None:
    with session_scope(studio.settings) as session:
        cut_id = session.scalar(text("SELECT cut_id FROM studio.cut_profiles"))
        request_cut(session, studio.settings, cut_id, "a key")


def cancel_and_retry(studio: Studio) -> None:
    with session_scope(studio.settings) as session:
        queue_admin.cancel(session, "1")
        queue_admin.retry(session, "1")


def sql(statement: str) -> Callable[[Studio], None]:
    return lambda studio: studio.query_none(statement)


KEPT: dict[str, tuple[Callable[[Studio], None], str]] = {
    "rendered at this moment": (begin, "processing"),
    "begun by a worker that ended": (lambda studio: begin(studio, ends=True), "queued"),
    "asked for by the API": (ask_by_the_api, "queued"),
    "tried again by a person": (cancel_and_retry, "queued"),
    "a supervisor's task": (
        sql("INSERT INTO studio.echo_task_jobs (task_id, job_id) VALUES ('t', 1)"),
        "queued",
    ),
    "told of when it is finished": (
        sql("INSERT INTO studio.job_callbacks (job_id, url) VALUES (1, 'https://example.org/')"),
        "queued",
    ),
    "measured when it is finished": (
        sql("INSERT INTO studio.measure_requests (job_id, requested_by) VALUES (1, 'a key')"),
        "queued",
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_was_begun_or_asked_for_is_never_withdrawn(studio: Studio, name: str) -> None:
    act, status = KEPT[name]
    edit(studio, action_notes="waits")
    studio.plan()
    act(studio)
    edit(studio, action_notes="waves")
    studio.plan()
    assert queued(studio) == {1: status, 2: "queued"}


def test_a_retake_that_somebody_asked_for_is_never_withdrawn(studio: Studio) -> None:
    edit(studio, action_notes="waits")
    studio.plan()
    studio.retake(note="once more")
    edit(studio, action_notes="waves")
    studio.plan()
    assert queued(studio) == {1: "cancelled", 2: "queued", 3: "queued"}


def test_a_second_rendering_is_never_withdrawn(studio: Studio) -> None:
    edit(studio, action_notes="waits")
    studio.render()
    with session_scope(studio.settings) as session:
        queue_second_takes(session, [1])
    edit(studio, action_notes="waves")
    studio.plan()
    assert queued(studio) == {1: "completed", 2: "queued", 3: "queued"}


def test_a_take_that_is_being_leased_goes_to_its_worker(studio: Studio) -> None:
    """The lease is not committed yet when the plan looks: nobody waits, and the worker has the take."""
    edit(studio, action_notes="waits")
    studio.plan()
    edit(studio, action_notes="waves")
    with session_scope(studio.settings) as worker:
        leased = queue.lease(worker, "elsewhere:1:1:a", studio.server.url, 60.0)
        assert leased is not None
        planner = threading.Thread(target=studio.plan)
        planner.start()
        planner.join(10)
        assert not planner.is_alive(), "the plan waits for the worker"
    assert queued(studio) == {1: "processing", 2: "queued"}


def test_a_take_that_is_being_withdrawn_is_not_leased(studio: Studio) -> None:
    edit(studio, action_notes="waits")
    studio.plan()
    edit(studio, action_notes="waves")
    with session_scope(studio.settings) as session:
        plan_cuts(session, studio.settings, [KEY])
        with session_scope(studio.settings) as worker:
            assert queue.lease(worker, "elsewhere:1:1:a", studio.server.url, 60.0) is None
    with session_scope(studio.settings) as worker:
        leased = queue.lease(worker, "elsewhere:1:1:a", studio.server.url, 60.0)
    assert leased is not None
    assert leased.take_number == 2


def test_a_plan_that_waited_for_another_reads_the_story_of_now(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would withdraw the takes of the newer story in favour of the one that it had read before."""
    edit(studio, action_notes="waits")
    waits = threading.Event()

    def told(session: object, project_ids: set[int]) -> None:
        waits.set()
        real(session, project_ids)  # type: ignore[arg-type]

    (project,) = studio.query("SELECT project_id FROM studio.project_profiles")
    with session_scope(studio.settings) as first:
        planning.wait_for_other_planners(first, {project.project_id})
        real = planning.wait_for_other_planners
        monkeypatch.setattr(planning, "wait_for_other_planners", told)
        second = threading.Thread(target=studio.plan)
        second.start()
        assert waits.wait(10)
        edit(studio, action_notes="waves")
        plan_cuts(first, studio.settings, [KEY])
    second.join(10)
    assert queued(studio) == {1: "queued"}
