"""Defends scattered batches: few runs for many cuts that lie apart, and exactly their partitions recorded."""

from __future__ import annotations

from math import ceil
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.defs.run_requests import (
    MEASURING,
    RENDERING,
    PlannedRun,
    batch_run,
    cuts_of_run,
    plan_runs,
)
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.defs.test_production_line import evaluations
from anime_pipeline_tests.rendering.studio import stills

KEYS = [f"tiny.e01.s001.c{number:04d}" for number in range(200)]


@given(st.sets(st.sampled_from(KEYS), min_size=1).map(sorted), st.integers(1, 60))
def test_a_backlog_never_takes_more_runs_than_batches(wanted: list[str], size: int) -> None:
    runs = plan_runs(RENDERING, KEYS, wanted, size, {"origin": "here"})
    assert len(runs) <= ceil(len(wanted) / size)
    assert sorted(key for run in runs for key in run.keys) == wanted
    assert all(len(run.keys) <= size and run.tags["origin"] == "here" for run in runs)


def test_neighbours_make_ranges_and_scattered_cuts_make_lists() -> None:
    (ranged,) = plan_runs(RENDERING, KEYS, KEYS[:50], 50, {})
    assert ranged.job == "render_cuts"
    assert ranged.tags["dagster/asset_partition_range_end"] == KEYS[49]
    scattered = plan_runs(RENDERING, KEYS, [*KEYS[::4], *KEYS[1:40:4]], 50, {})
    assert [run.job for run in scattered] == ["render_batch", "render_batch"]
    assert "dagster/asset_partition_range_start" not in scattered[0].tags
    assert plan_runs(RENDERING, KEYS, ["gone.e01.s001.c0001"], 50, {}) == []


def execute(line: Line, run: PlannedRun) -> dg.ExecuteInProcessResult:
    """Run a planned run as Dagster would."""
    return line.execute(run.job, run.tags, run.config)


def test_sixty_of_two_hundred_cuts_are_two_runs_and_sixty_partitions(line: Line) -> None:
    line.studio.import_(stills(200))
    line.sync()
    keys = line.studio.keys()
    wanted = sorted({*keys[::4], *keys[1:40:4]})
    assert len(wanted) == 60
    runs = plan_runs(RENDERING, keys, wanted, 50, {})
    assert len(runs) == 2
    assert all(execute(line, run).success for run in runs)
    assert line.recorded("frames") == set(wanted)
    assert line.studio.renders == 60

    measured: dict[Any, bool] = {}
    for run in plan_runs(MEASURING, keys, wanted, 50, {}):
        result = execute(line, run)
        assert result.success
        measured |= evaluations(result, "take_gate")
    assert line.recorded("quality_metrics") == set(wanted)
    assert measured == dict.fromkeys(wanted, True)
    states = line.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey("quality_metrics"), "take_gate")]
    )
    assert states, "the checks are where the UI looks for them"
    for asset in ("frames", "quality_metrics"):
        events = line.instance.fetch_materializations(dg.AssetKey(asset), limit=500).records
        assert len(events) == 60, "each cut is recorded once"


def test_a_failed_cut_of_a_scattered_batch_costs_the_others_nothing(line: Line) -> None:
    line.studio.import_(stills(9))
    line.sync()
    keys = line.studio.keys()
    wanted = keys[::2]
    line.studio.server.misbehave("fail_render", times=None, match=wanted[1])
    (run,) = plan_runs(RENDERING, keys, wanted, 50, {"anime_pipeline/priority": "7"})
    assert run.job == "render_batch"
    failed = execute(line, run)
    assert not failed.success
    assert line.recorded("frames") == set(wanted) - {wanted[1]}
    assert {row.priority for row in line.studio.query("SELECT priority FROM render_queue")} == {7}

    (run,) = plan_runs(MEASURING, keys, wanted, 50, {})
    failed = execute(line, run)
    assert not failed.success
    assert line.recorded("quality_metrics") == set(wanted) - {wanted[1]}
    gate = evaluations(failed, "take_gate")
    assert gate == {key: key != wanted[1] for key in wanted}


def test_a_take_that_an_edit_superseded_fails_no_run(line: Line) -> None:
    """The run was launched for what waited then; the take that is wanted now has a run of its own."""
    line.studio.import_(stills(2, action_notes="waits"))
    line.sync()
    line.studio.plan()
    data = stills(2, action_notes="waits")
    data["episodes"][0]["scenes"][0]["cuts"][0]["action_notes"] = "waves"
    line.studio.import_(data)
    line.studio.plan()
    keys = line.studio.keys()
    assert execute(line, batch_run(RENDERING, keys, {"job_ids": [1, 2]}, {})).success
    assert line.recorded("frames") == {keys[1]}
    assert line.studio.renders == 1


def test_after_its_end_a_range_records_what_is_finished_and_fails_nothing(line: Line) -> None:
    line.studio.import_(stills(3))
    line.sync()
    keys = line.studio.keys()
    assert line.run("render_cuts", keys[:1]).success
    over = {"anime_pipeline/until": "2026-01-01T00:00:00+00:00"}
    (run,) = plan_runs(RENDERING, keys, keys, 50, over)
    assert run.job == "render_cuts"
    assert execute(line, run).success
    assert line.recorded("frames") == {keys[0]}
    assert line.studio.renders == 1
    assert execute(line, plan_runs(RENDERING, keys, keys, 50, {})[0]).success
    assert line.recorded("frames") == set(keys)


def test_the_cuts_of_a_run_are_read_from_its_tags_or_its_config(line: Line) -> None:
    line.studio.import_(stills(9))
    line.sync()
    keys = line.studio.keys()
    for wanted in (keys[2:6], keys[::2]):
        (run,) = plan_runs(RENDERING, keys, wanted, 50, {})
        known = line.create_run(run.job, run.tags, run.config)
        assert cuts_of_run(known, keys) == set(wanted)


def test_recording_a_range_reads_the_partitions_no_oftener_for_more_cuts(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.studio.import_(stills(12))
    line.sync()
    keys = line.studio.keys()
    storage = type(line.instance.event_log_storage)
    read = storage.get_dynamic_partitions
    reads: list[str] = []
    monkeypatch.setattr(
        storage, "get_dynamic_partitions", lambda self, name: reads.append(name) or read(self, name)
    )
    counts = []
    for wanted in (keys[:2], keys[2:]):
        reads.clear()
        assert line.run("render_cuts", wanted).success
        counts.append(len(reads))
    assert counts[0] == counts[1]
    events = line.instance.fetch_materializations(dg.AssetKey("frames"), limit=50).records
    assert len(events) == len(keys), "each cut is recorded once"
    assert all(
        event.asset_materialization and "take" in event.asset_materialization.metadata for event in events
    )
