"""Defends takes against servers that misbehave:
retried where that helps, named where not, never called done.
"""

from __future__ import annotations

import pytest

from anime_pipeline_tests.rendering.studio import Studio, production, stills


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries after a few milliseconds: how long the waits are is not what these tests are about."""
    monkeypatch.setattr("anime_pipeline.rendering.fate.retry_delay", lambda failures: 0.01)
    monkeypatch.setattr("anime_pipeline.rendering.turns.IDLE_SECONDS", 0.02)
    monkeypatch.setattr("anime_pipeline.rendering.registry.block_seconds", lambda blocks: 0.01)


def test_one_failing_cut_of_ten_costs_no_other(studio: Studio) -> None:
    studio.import_(stills(10))
    studio.server.misbehave("fail_render", times=None, match="c0050")
    report = studio.render()
    assert len(report.finished) == 9
    (failed,) = report.failed
    assert failed.cut_key.endswith("c0050")
    assert failed.reason is not None
    assert studio.states()["c0050"].state == "failed"
    assert studio.outcomes() == {"succeeded": 9, "failed": 3}

    studio.server.behave()
    before = studio.renders
    again = studio.render()
    assert len(again.finished) == 10
    assert again.failed == []
    assert studio.renders - before == 1
    assert {take.take_number for take in again.finished} == {1}
    studio.check_nothing_is_broken()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("truncated_file", "failed"),
        ("missing_file", "failed"),
        ("empty_outputs", "failed"),
        ("out_of_memory", "failed"),
        ("fail_render", "failed"),
        ("pending_deleted", "lost"),
        ("forget_everything", "lost"),
    ],
)
def test_a_fault_that_passes_is_retried(studio: Studio, fault: str, outcome: str) -> None:
    studio.import_(stills(1))
    studio.server.misbehave(fault)
    report = studio.render()
    assert len(report.finished) == 1, report
    assert studio.outcomes() == {outcome: 1, "succeeded": 1}
    studio.check_nothing_is_broken()


def test_a_truncated_film_is_retried(studio: Studio) -> None:
    data = production()
    del data["episodes"][0]["scenes"][0]["cuts"][:3]
    studio.import_(data)
    studio.server.misbehave("truncated_file")
    assert len(studio.render().finished) == 1
    assert studio.outcomes() == {"failed": 1, "succeeded": 1}
    (row,) = studio.shown()
    assert row.frame_count == 6


@pytest.mark.parametrize("fault", ["history_late", "websocket_silent", "websocket_cut", "upload_renamed"])
def test_a_quirk_costs_nothing(studio: Studio, fault: str) -> None:
    studio.import_(stills(2))
    studio.server.misbehave(fault, seconds=0.2)
    assert len(studio.render().finished) == 2
    assert studio.outcomes() == {"succeeded": 2}


@pytest.mark.parametrize("fault", ["wrong_frame_count", "black_frames", "frozen_video"])
def test_a_finished_but_wrong_render_is_a_take_for_its_gate_to_fail(studio: Studio, fault: str) -> None:
    data = production()
    del data["episodes"][0]["scenes"][0]["cuts"][:3]
    studio.import_(data)
    studio.server.misbehave(fault)
    assert len(studio.render().finished) == 1
    assert studio.outcomes() == {"succeeded": 1}
    (row,) = studio.shown()
    assert row.frame_count == (5 if fault == "wrong_frame_count" else 6)


def test_a_lost_prompt_is_never_done_and_does_not_count(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.server.misbehave("forget_everything", times=4)
    assert len(studio.render().finished) == 1
    assert studio.outcomes() == {"lost": 4, "succeeded": 1}
    assert [tuple(row) for row in studio.query("SELECT attempts, max_attempts FROM render_queue")] == [(1, 3)]


def test_losing_prompts_has_an_end(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.server.misbehave("pending_deleted", times=None)
    (failed,) = studio.render().failed
    assert "no longer knows" in str(failed.reason)


def test_dropped_outputs_in_a_200_are_a_failure_that_is_not_retried(studio: Studio) -> None:
    studio.import_(stills(2))
    studio.server.misbehave("node_errors_in_200", match="c0010")
    report = studio.render()
    assert [take.cut_key[-5:] for take in report.finished] == ["c0020"]
    (failed,) = report.failed
    assert "node “" in str(failed.reason)
    assert "input" in str(failed.reason)
    assert studio.outcomes() == {"failed": 1, "succeeded": 1}
    (row,) = studio.query("SELECT error_class FROM studio.render_attempts WHERE outcome = 'failed'")
    assert row.error_class == "validation"


def test_a_server_error_on_submit_is_retried(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.server.misbehave("error_500")
    assert len(studio.render().finished) == 1
    assert studio.renders == 1
    (lost,) = studio.query("SELECT message FROM studio.render_attempts WHERE outcome = 'lost'")
    assert "/prompt answered 500" in lost.message, "why it came to nothing is not forgotten"


def test_a_stalled_server_is_found_by_its_lack_of_progress(studio: Studio) -> None:
    studio.import_(stills(1))
    planned = studio.plan()
    studio.server.misbehave("slow", seconds=30)
    report = studio.drain(stall_seconds=0.3)
    assert [take.job_id for take in report.finished] == [planned[0].job_id]
    assert studio.outcomes() == {"failed": 1, "succeeded": 1}
    (row,) = studio.query("SELECT error_class FROM studio.render_attempts WHERE outcome = 'failed'")
    assert row.error_class == "stall"


def test_a_workflow_that_no_server_can_run_names_what_is_missing(studio: Studio) -> None:
    data = stills(2)
    data["episodes"][0]["scenes"][0]["cuts"][0]["workflow"] = "sdxl-still"
    studio.import_(data)
    report = studio.render()
    assert len(report.finished) == 1
    (failed,) = report.failed
    for node in ("CheckpointLoaderSimple", "KSampler", "VAEDecode"):
        assert node in str(failed.reason)
    assert studio.renders == 1


def test_a_cut_with_a_workflow_that_does_not_exist_fails_alone(studio: Studio) -> None:
    data = stills(2)
    data["episodes"][0]["scenes"][0]["cuts"][0]["workflow"] = "animatic-stil"
    studio.import_(data)
    assert [cut.state for cut in studio.plan()] == ["failed", "queued"]
    assert "no workflow named animatic-stil" in str(studio.plan()[0].reason)
    assert studio.states()["c0010"].state == "failed"
    assert len(studio.drain().finished) == 1
