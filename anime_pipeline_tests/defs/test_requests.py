"""Defends what the API's requests become: free shots rendered, second takes judged, takes measured."""

from __future__ import annotations

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.defs.quality.requests import requests_to_answer
from anime_pipeline.defs.rendering.sensors import render_backlog
from anime_pipeline.quality.requests import request_measuring
from anime_pipeline.rendering.modified_takes import queue_modified_take
from anime_pipeline.rendering.requests import ShotRequest, mark_requested, request_shot
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.defs.test_sensors import Ticker
from anime_pipeline_tests.rendering.studio import stills


@pytest.fixture
def ticker(line: Line) -> Ticker:
    line.studio.import_(stills(1))
    line.sync()
    return Ticker(line)


def shot(ticker: Ticker) -> int:
    """A free shot that is queued and to be measured; its job id."""
    studio = ticker.line.studio
    [project] = studio.query("SELECT project_id FROM studio.project_profiles")
    with session_scope(studio.settings) as session:
        request = ShotRequest(project.project_id, "still_image", "a lamp")
        job_id = request_shot(session, studio.settings, request, "Rin")
        request_measuring(session, [job_id], "Rin")
    return job_id


def test_a_free_shot_is_rendered_and_measured_without_being_a_partition(ticker: Ticker) -> None:
    job_id = shot(ticker)
    assert ticker(requests_to_answer) == "Nobody waits for an answer."
    assert all(result.success for result in ticker.run(render_backlog))
    assert ticker.line.studio.query("SELECT status FROM jobs")[0].status == "completed"
    assert all(result.success for result in ticker.run(requests_to_answer))
    measured = ticker.line.studio.query("SELECT DISTINCT job_id FROM studio.measurements")
    assert [row.job_id for row in measured] == [job_id]
    assert ticker.line.recorded("frames") == set()
    assert ticker(requests_to_answer) == "Nobody waits for an answer."


def test_a_second_take_is_rendered_by_the_job_that_judges_it(ticker: Ticker) -> None:
    job_id = shot(ticker)
    ticker.run(render_backlog)
    ticker.run(requests_to_answer)
    settings = ticker.line.studio.settings
    with session_scope(settings) as session:
        new_id = queue_modified_take(session, settings, job_id, {})
        mark_requested(session, [new_id], "Rin")
    assert "Nothing waits" in str(ticker(render_backlog))
    assert all(result.success for result in ticker.run(requests_to_answer))
    [verdict] = ticker.line.studio.query("SELECT job_id, verdict FROM studio.reproductions")
    assert (verdict.job_id, verdict.verdict) == (new_id, "identical")
    [metric] = ticker.line.studio.query(
        "SELECT job_id, value FROM studio.measurements WHERE metric_name = 'reproducible'"
    )
    assert (metric.job_id, metric.value) == (job_id, 1.0)


def test_one_run_answers_at_a_time(ticker: Ticker) -> None:
    shot(ticker)
    ticker.run(render_backlog)
    requests = ticker(requests_to_answer)
    assert not isinstance(requests, str)
    ticker.line.create_run("answer_requests", requests[0].tags, {})
    assert "is answering" in str(ticker(requests_to_answer))
