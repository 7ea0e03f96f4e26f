"""Defends the sensors: each asks the database, requests batches, and says why it doesn't act."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from anime_pipeline.definitions import defs
from anime_pipeline.defs.delivery.sensors import assemble_episodes_ready, assemble_scenes_ready
from anime_pipeline.defs.quality.sensors import measure_rendered
from anime_pipeline.defs.rendering.sensors import render_backlog
from anime_pipeline.defs.story.sensors import story_sync
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import stills

EPISODE = "tiny.e01"


def tick(line: Line, sensor: dg.SensorDefinition) -> Any:
    """What a sensor answers now."""
    context = dg.build_sensor_context(
        instance=line.instance, resources={"studio": StudioResource(line.studio.settings)}
    )
    return sensor(context)


def ranges(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    """First and last partition of each request."""
    return [
        (r.tags["dagster/asset_partition_range_start"], r.tags["dagster/asset_partition_range_end"])
        for r in requests
    ]


@pytest.fixture
def told(line: Line) -> Line:
    """A line with five stills in its story."""
    line.studio.import_(stills(5))
    return line


def test_sensors_carry_a_cut_from_the_story_to_the_master(told: Line) -> None:
    assert "cuts: 5 added" in str(tick(told, story_sync).skip_message)
    assert "those of the story" in str(tick(told, story_sync).skip_message)
    keys = told.studio.keys()

    backlog = tick(told, render_backlog)
    assert ranges(backlog) == [(keys[0], keys[-1])]
    assert backlog[0].run_key == tick(told, render_backlog)[0].run_key
    assert isinstance(tick(told, measure_rendered), dg.SkipReason)

    assert told.run("render_cuts", keys).success
    assert isinstance(tick(told, render_backlog), dg.SkipReason)
    assert ranges(tick(told, measure_rendered)) == [(keys[0], keys[-1])]
    assert isinstance(tick(told, assemble_scenes_ready), dg.SkipReason)

    assert told.run("measure_cuts", keys).success
    assert isinstance(tick(told, measure_rendered), dg.SkipReason)
    assert ranges(tick(told, assemble_scenes_ready)) == [(f"{EPISODE}.s001", f"{EPISODE}.s001")]
    assert ranges(tick(told, assemble_episodes_ready)) == [(EPISODE, EPISODE)]

    assert told.run("assemble_scenes", [f"{EPISODE}.s001"]).success
    assert told.run("assemble_episodes", [EPISODE]).success
    assert isinstance(tick(told, assemble_scenes_ready), dg.SkipReason)
    assert isinstance(tick(told, assemble_episodes_ready), dg.SkipReason)


def test_takes_that_a_run_is_about_to_measure_are_left_to_it(told: Line) -> None:
    tick(told, story_sync)
    keys = told.studio.keys()
    assert told.run("render_cuts", keys).success
    run = told.instance.create_run_for_job(
        defs.resolve_job_def("produce_cuts"), status=dg.DagsterRunStatus.STARTED
    )
    assert run.run_id[:8] in str(tick(told, measure_rendered).skip_message)
    told.instance.report_run_failed(run)
    assert ranges(tick(told, measure_rendered)) == [(keys[0], keys[-1])]


def test_an_episode_with_a_failed_gate_is_not_assembled(told: Line) -> None:
    tick(told, story_sync)
    keys = told.studio.keys()
    for key in keys[:2]:
        told.studio.server.misbehave("black_frames", times=None, match=key)
    assert told.run("render_cuts", keys).success
    assert told.run("measure_cuts", keys).success
    assert isinstance(tick(told, assemble_episodes_ready), dg.SkipReason)


def test_an_omitted_cut_leaves_the_partitions(told: Line) -> None:
    tick(told, story_sync)
    told.studio.import_(stills(4))
    assert "cuts: 0 added, 1 removed" in str(tick(told, story_sync).skip_message)
    assert list(told.instance.get_dynamic_partitions("cuts")) == told.studio.keys()
