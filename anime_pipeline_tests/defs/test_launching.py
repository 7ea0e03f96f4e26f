"""Defends backfills: the daemon is given ranges as one backfill and lists as queued runs, or nobody is."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.execution.api import create_execution_plan
from dagster._daemon.types import DaemonHeartbeat

from anime_pipeline.cli.house import REPOSITORY
from anime_pipeline.definitions import defs
from anime_pipeline.defs import launching, runner
from anime_pipeline.defs.launching import DAEMONS, daemon_runs, launch
from anime_pipeline.defs.run_requests import MEASURING, RENDERING, RENDERS_TAG, cuts_of_run, plan_runs
from anime_pipeline.defs.runner import NO_DAEMON, Step, planned_runs, run_steps
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import stills


@pytest.fixture
def told(line: Line) -> Line:
    """A line with nine stills as partitions."""
    line.studio.import_(stills(9))
    line.sync()
    return line


def beat(line: Line, seconds_ago: float = 0.0) -> None:
    """Let Dagster's daemons have shown themselves so long ago."""
    for name in DAEMONS:
        line.instance.add_daemon_heartbeat(
            DaemonHeartbeat(time.time() - seconds_ago, name, f"one-{name}", [])
        )


def test_only_a_daemon_that_beats_is_one(told: Line) -> None:
    assert not daemon_runs(told.instance)
    beat(told, 600)
    assert not daemon_runs(told.instance)
    beat(told)
    assert daemon_runs(told.instance)


@pytest.mark.parametrize(
    ("job", "assets"), [(RENDERING, {"cuts", "frames"}), (MEASURING, {"quality_metrics"})]
)
def test_neighbours_become_one_backfill_of_dagsters(told: Line, job: Any, assets: set[str]) -> None:
    keys = told.studio.keys()
    runs = plan_runs(job, keys, keys[1:8], 4, {"anime_pipeline/priority": "5"})
    launched = launch(told.instance, runs)
    assert launched.is_backfill
    (backfill,) = told.instance.get_backfills()
    assert backfill.backfill_id == launched.backfill_id
    assert backfill.tags["anime_pipeline/priority"] == "5"
    assert (RENDERS_TAG in backfill.tags) is (job is RENDERING)
    assert not any("range" in tag for tag in backfill.tags)
    data = backfill.asset_backfill_data
    assert data is not None
    for asset in assets:
        subset = data.target_subset.get_partitions_subset(dg.AssetKey(asset))
        assert set(subset.get_partition_keys()) == set(keys[1:8])
    assert {key.to_user_string() for key in data.target_subset.asset_keys} == assets


def test_cuts_that_lie_apart_are_runs_that_the_daemon_can_launch(
    told: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = told.studio.keys()
    queued: list[dg.DagsterRun] = []
    monkeypatch.setattr(
        type(told.instance.run_coordinator),
        "submit_run",
        lambda _, submitted: queued.append(submitted.dagster_run),
    )
    launched = launch(told.instance, plan_runs(RENDERING, keys, keys[::2], 3, {}))
    assert not launched.is_backfill
    assert [cuts_of_run(run, keys) for run in queued] == [set(keys[0:6:2]), set(keys[6::2])]
    for run in queued:
        assert run.status == dg.DagsterRunStatus.NOT_STARTED
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == "anime_pipeline"
        assert run.tags["anime_pipeline/backfill"] == launched.backfill_id
        assert RENDERS_TAG in run.tags
    assert {run.run_id for run in told.instance.get_runs(launched.filter)} == {run.run_id for run in queued}


def test_without_a_daemon_the_process_does_it_or_says_that_nobody_will(
    told: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(runner, "run_job", lambda _, run: ran.append(run) or "done")
    studio = StudioResource(told.studio.settings)
    keys = told.studio.keys()
    (refused,) = run_steps(told.instance, studio, [Step("render_cuts", keys, daemon=True, follow=False)])
    assert refused.error == NO_DAEMON
    assert ran == []
    assert run_steps(told.instance, studio, [Step("render_cuts", keys[::2], daemon=True)]) == ["done"]
    assert [run.job for run in ran] == ["render_batch"]


def test_what_is_handed_over_is_followed_to_its_end(told: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    beat(told)
    keys = told.studio.keys()
    monkeypatch.setattr(
        type(told.instance.run_coordinator), "submit_run", lambda _, submitted: submitted.dagster_run
    )
    monkeypatch.setattr(launching.time, "sleep", lambda _: end_all(told))
    studio = StudioResource(told.studio.settings)
    (outcome,) = run_steps(told.instance, studio, [Step("render_cuts", keys[::2], daemon=True)])
    assert outcome.job == "render_batch"
    assert outcome.by == "daemon"
    assert outcome.partitions == keys[::2]
    assert outcome.error is not None


def end_all(line: Line) -> None:
    """What a daemon that fails at everything does."""
    for run in line.instance.get_runs():
        if not run.is_finished:
            line.instance.report_run_failed(run)


def test_a_step_is_a_word_a_list_or_an_object(told: Line) -> None:
    assert Step.parse("sync") == Step("sync")
    keys = told.studio.keys()
    assert Step.parse(f"render_cuts={keys[0]},{keys[2]}").keys == [keys[0], keys[2]]
    step = Step.parse({"job": "measure_cuts", "keys": keys, "tags": {"a": "b"}, "daemon": True})
    (run,) = planned_runs(told.instance, step, 50)
    assert run.tags["a"] == "b"
    assert run.tags["dagster/asset_partition_range_start"] == keys[0]
    assert [r.job for r in planned_runs(told.instance, Step("describe_characters"), 50)] == [
        "describe_characters"
    ]


def test_runs_that_render_leave_a_place_for_others() -> None:
    runs = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())["concurrency"]["runs"]
    (limit,) = runs["tag_concurrency_limits"]
    assert limit["key"] == RENDERS_TAG
    assert limit["limit"] < runs["max_concurrent_runs"]
    rendering = {job.name for job in defs.jobs or () if RENDERS_TAG in (job.tags or {})}
    assert rendering == {"render_cuts", "render_batch", "produce_cuts"}


def test_a_run_whose_process_died_can_go_on_where_it_was() -> None:
    """Dagster repeats it from the step that failed, and so does who asks for that in the UI."""
    for name in ("render_cuts", "measure_cuts", "produce_cuts", "answer_requests"):
        assert create_execution_plan(defs.resolve_job_def(name)).artifacts_persisted, name
    ops = [one.node_def for one in defs.assets or () if isinstance(one, dg.AssetsDefinition)]
    outputs = [output for op in ops if isinstance(op, dg.OpDefinition) for output in op.output_defs]
    stored = {output.dagster_type.display_name for output in outputs} - {"Nothing"}
    assert not stored, "a file for each partition"
