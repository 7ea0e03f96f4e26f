"""Defends the sensors: each asks the database what changed, requests batches, and says why it doesn't act."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.defs import tries, watching
from anime_pipeline.defs.delivery.sensors import assemble_episodes_ready, assemble_scenes_ready
from anime_pipeline.defs.quality.sensors import measure_rendered
from anime_pipeline.defs.rendering import backlog
from anime_pipeline.defs.rendering.sensors import expire_leases, render_backlog
from anime_pipeline.defs.story import sensors as story_sensors
from anime_pipeline.defs.story.sensors import story_sync
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline.rendering.queue import lease
from anime_pipeline.rendering.queue_admin import reprioritise
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import stills

EPISODE = "tiny.e01"
SCENE = f"{EPISODE}.s001"


class Ticker:
    """Ticks of sensors on a line: each begins where the one before left its cursor, as in the daemon."""

    def __init__(self, line: Line, **settings: Any) -> None:
        self.line = line
        self.settings = line.studio.settings.model_copy(update=settings)
        self.cursors: dict[str, str | None] = {}

    def __call__(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest] | str:
        """The runs that a sensor requests, or the reason why none."""
        context = dg.build_sensor_context(
            instance=self.line.instance,
            cursor=self.cursors.get(sensor.name),
            resources={"studio": StudioResource(self.settings)},
        )
        answer: Any = sensor(context)
        self.cursors[sensor.name] = context.cursor
        return str(answer.skip_message) if isinstance(answer, dg.SkipReason) else list(answer)

    def run(self, sensor: dg.SensorDefinition) -> list[dg.ExecuteInProcessResult]:
        """Run what a sensor requests."""
        requests = self(sensor)
        assert not isinstance(requests, str), requests
        return [self.line.execute(str(one.job_name), one.tags, one.run_config) for one in requests]


def ranges(requests: list[dg.RunRequest] | str) -> list[tuple[str, str]]:
    """First and last partition of each request."""
    assert not isinstance(requests, str), requests
    return [
        (r.tags["dagster/asset_partition_range_start"], r.tags["dagster/asset_partition_range_end"])
        for r in requests
    ]


@pytest.fixture
def told(line: Line) -> Line:
    """A line with five stills in its story."""
    line.studio.import_(stills(5))
    return line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time that sensors see: its one entry."""
    at = [datetime.now(timezone.utc)]
    monkeypatch.setattr(watching, "now", lambda: at[0])
    monkeypatch.setattr(tries, "now", lambda: at[0])
    monkeypatch.setattr("anime_pipeline.defs.rendering.sensors.now", lambda: at[0])
    return at


def test_sensors_carry_a_cut_from_the_story_to_the_master(told: Line) -> None:
    tick = Ticker(told, autorender="on")
    assert "cuts: 5 added" in tick(story_sync)
    assert "No cut was written" in tick(story_sync)
    keys = told.studio.keys()

    assert ranges(tick(render_backlog)) == [(keys[0], keys[-1])]
    assert "measured" in tick(measure_rendered)

    assert told.run("render_cuts", keys).success
    assert tick(render_backlog) == "Nothing waits to be rendered."
    assert ranges(tick(measure_rendered)) == [(keys[0], keys[-1])]
    assert "none is complete" in tick(assemble_scenes_ready)

    assert told.run("measure_cuts", keys).success
    assert tick(measure_rendered) == "Every finished take is measured."
    assert ranges(tick(assemble_scenes_ready)) == [(SCENE, SCENE)]
    assert ranges(tick(assemble_episodes_ready)) == [(EPISODE, EPISODE)]

    assert told.run("assemble_scenes", [SCENE]).success
    assert told.run("assemble_episodes", [EPISODE]).success
    for _ in range(2):
        assert isinstance(tick(assemble_scenes_ready), str)
        assert isinstance(tick(assemble_episodes_ready), str)


def test_a_tick_without_news_asks_nothing_but_what_was_written(
    told: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Ticker(told, autorender="on")
    tick(story_sync)
    told.studio.render()
    sensors = [story_sync, measure_rendered, render_backlog, assemble_scenes_ready, assemble_episodes_ready]
    assert told.run("measure_cuts", told.studio.keys()).success
    assert told.run("assemble_scenes", [SCENE]).success
    assert told.run("assemble_episodes", [EPISODE]).success
    for _ in range(2):  # the second judges nothing new
        for sensor in sensors:
            tick(sensor)

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("a tick without news looked at everything")

    monkeypatch.setattr(story_sensors, "sync_story_partitions", unexpected)
    monkeypatch.setattr("anime_pipeline.defs.quality.sensors.unmeasured_takes", unexpected)
    monkeypatch.setattr(backlog, "states_of", unexpected)
    monkeypatch.setattr("anime_pipeline.defs.delivery.sensors.outdated_films", unexpected)
    for sensor in sensors:
        assert isinstance(tick(sensor), str)


def test_an_edit_of_one_cut_looks_at_that_cut_and_the_one_after(
    told: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = Ticker(told, autorender="on")
    tick(story_sync)
    keys = told.studio.keys()
    told.studio.render()
    tick(render_backlog)
    data = stills(5)
    data["episodes"][0]["scenes"][0]["cuts"][2]["camera_angle"] = "close-up"
    told.studio.import_(data)
    asked: list[list[str]] = []
    states_of = backlog.states_of

    def spied(session: Any, settings: Any, wanted: list[str], **rest: Any) -> Any:
        asked.append(list(wanted))
        return states_of(session, settings, wanted, **rest)

    monkeypatch.setattr(backlog, "states_of", spied)
    assert ranges(tick(render_backlog)) == [(keys[2], keys[2])]
    assert asked == [keys[2:4]]


def test_takes_that_a_run_is_about_to_measure_are_left_to_it(told: Line) -> None:
    tick = Ticker(told)
    tick(story_sync)
    keys = told.studio.keys()
    assert told.run("render_cuts", keys).success
    run = told.create_run("produce_cuts", {}, {})
    assert run.run_id[:8] in tick(measure_rendered)
    told.instance.report_run_failed(run)
    assert ranges(tick(measure_rendered)) == [(keys[0], keys[-1])]


def test_an_episode_with_a_failed_gate_is_not_assembled_until_it_passes(told: Line) -> None:
    tick = Ticker(told)
    tick(story_sync)
    keys = told.studio.keys()
    for key in keys[:2]:
        told.studio.server.misbehave("black_frames", times=None, match=key)
    assert told.run("render_cuts", keys).success
    assert told.run("measure_cuts", keys).success
    assert isinstance(tick(assemble_episodes_ready), str)


def test_an_omitted_cut_leaves_the_partitions(told: Line) -> None:
    tick = Ticker(told)
    tick(story_sync)
    told.studio.import_(stills(4))
    assert "cuts: 0 added, 1 removed" in tick(story_sync)
    assert list(told.instance.get_dynamic_partitions("cuts")) == told.studio.keys()


def test_the_queue_is_drained_whoever_filled_it_and_urgent_takes_first(told: Line) -> None:
    tick = Ticker(told, batch_size=2)
    tick(story_sync)
    keys = told.studio.keys()
    assert tick(render_backlog) == "Nothing waits to be rendered.", "nobody asked, and autorender is off"
    told.studio.plan()
    with session_scope(told.studio.settings) as session:
        reprioritise(session, keys[4], 9)
    requests = tick(render_backlog)
    assert not isinstance(requests, str)
    assert len(requests) == 3
    takes = [one.run_config["ops"]["plan_batch"]["config"]["job_ids"] for one in requests]
    first = told.studio.query("SELECT job_id FROM render_queue ORDER BY priority DESC, id LIMIT 2")
    assert takes[0] == [row.job_id for row in first]
    assert requests[0].tags["dagster/priority"] == requests[0].tags["anime_pipeline/priority"] == "9"
    assert [result.success for result in tick.run(render_backlog)] == [True] * 3
    assert told.recorded("frames") == set(keys)
    assert tick(render_backlog) == "Nothing waits to be rendered."


def test_what_a_run_has_in_hand_is_not_launched_again(told: Line) -> None:
    tick = Ticker(told)
    tick(story_sync)
    told.studio.plan()
    (request,) = tick(render_backlog)
    assert isinstance(request, dg.RunRequest)
    run = told.create_run("render_batch", request.tags, request.run_config)
    assert "1 runs are rendering" in tick(render_backlog)
    told.instance.report_run_failed(run)
    assert "wait" in tick(render_backlog)


def test_work_that_fails_is_tried_again_ever_later_and_not_for_ever(
    told: Line, clock: list[datetime]
) -> None:
    tick = Ticker(told)
    tick(story_sync)
    told.studio.plan()
    keys = []
    for pause in (0, 1, 2, 4, 8, 16, 32, 60, 60, 60):
        began = datetime.now(timezone.utc)
        clock[0] = began - timedelta(days=1)
        assert not isinstance(tick(render_backlog), str), "an end under a wrong clock delays nothing"
        clock[0] = began + timedelta(minutes=pause) - timedelta(seconds=10)
        assert "tried again at" in tick(render_backlog) or not pause
        clock[0] = began + timedelta(minutes=pause, seconds=1)
        (request,) = tick(render_backlog)
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        told.instance.report_run_failed(told.create_run("render_batch", request.tags, request.run_config))
    assert len(set(keys)) == tries.MOST_TRIES
    assert "in vain" in tick(render_backlog)
    # A person who queues a take again makes it new work.
    told.studio.query_none("UPDATE render_queue SET status = 'cancelled' WHERE id % 2 = 0")
    assert not isinstance(tick(render_backlog), str)


def test_sixty_cuts_that_lie_apart_are_two_runs(line: Line) -> None:
    line.studio.import_(stills(200))
    tick = Ticker(line, autorender="on")
    tick(story_sync)
    keys = line.studio.keys()
    wanted = {*keys[::4], *keys[1:40:4]}
    line.studio.query_none(
        "UPDATE studio.cut_profiles SET omitted_at = now() WHERE NOT cut_key IN "
        f"({', '.join(repr(key) for key in wanted)})"
    )
    # The partitions are still those of all cuts: what lies between is not wanted, as if it were rendered.
    requests = tick(render_backlog)
    assert not isinstance(requests, str)
    assert [request.job_name for request in requests] == ["render_batch"] * 2
    listed = [request.run_config["ops"]["plan_batch"]["config"]["cut_keys"] for request in requests]
    assert {key for keys in listed for key in keys} == wanted


def test_the_night_begins_and_ends_when_the_settings_say(told: Line, clock: list[datetime]) -> None:
    tick = Ticker(told, autorender="on", render_hours="22:00-07:00", time_zone="Europe/Berlin")
    tick(story_sync)
    keys = told.studio.keys()
    clock[0] = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
    assert tick(render_backlog) == "Outside the window 22:00-07:00; 5 cuts wait."
    told.studio.plan(keys[:1])
    assert tick(render_backlog) == "Outside the window 22:00-07:00; 5 cuts wait.", "a queued cut counts once"
    clock[0] = datetime(2026, 11, 22, 20, 59, tzinfo=timezone.utc)
    assert "Outside" in tick(render_backlog)
    clock[0] = datetime(2026, 11, 22, 21, 0, tzinfo=timezone.utc)
    queued, missing = tick(render_backlog)
    assert isinstance(queued, dg.RunRequest)
    assert isinstance(missing, dg.RunRequest)
    for request in (queued, missing):
        assert request.tags["anime_pipeline/until"] == "2026-11-23T06:00:00+00:00"
    assert ranges([missing]) == [(keys[1], keys[-1])]
    clock[0] = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
    assert "Outside" in tick(render_backlog)


def test_leases_of_the_dead_are_freed(told: Line) -> None:
    tick = Ticker(told)
    told.studio.plan()
    assert tick(expire_leases) == "No lease is late; 0 were freed so far."
    with session_scope(told.studio.settings) as session:
        assert lease(session, "elsewhere:1:2:3", "http://nowhere:1", 0.0) is not None
    assert "1 takes went back" in tick(expire_leases)
    assert {row.status for row in told.studio.query("SELECT status FROM render_queue")} == {"queued"}
    assert tick(expire_leases) == "No lease is late; 1 were freed so far."


def test_a_cursor_that_a_person_broke_begins_anew(told: Line) -> None:
    tick = Ticker(told)
    for broken in ("not json", "[]", '{"mark": null}'):
        tick.cursors[story_sync.name] = broken
        assert isinstance(tick(story_sync), str)
    assert list(told.instance.get_dynamic_partitions("cuts")) == told.studio.keys()
    assert "No cut was written" in tick(story_sync)
    ahead = json.loads(tick.cursors[story_sync.name]) | {"looked_at": 9e9}
    tick.cursors[story_sync.name] = json.dumps(ahead)
    assert tick(story_sync) == "The partitions are those of the story.", "the clock was set back"
