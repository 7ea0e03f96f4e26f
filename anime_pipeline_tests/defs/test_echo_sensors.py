"""Defends the supervisor's sensors: quiet without one, never raising, and telling in words what they did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from anime_pipeline.defs.echo_brain.sensors import echo_heartbeat, echo_outbox
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.supervising import (
    SECRET,
    RunningSupervisor,
    TurnedClock,
    end_jobs,
    make_jobs,
    running_supervisor,
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[RunningSupervisor]:
    with running_supervisor(tmp_path / "supervisor", TurnedClock()) as running:
        yield running


def tick(sensor: dg.SensorDefinition, settings: Settings) -> str:
    """What a sensor says now."""
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"studio": StudioResource(settings)}
        answer: Any = sensor(dg.build_sensor_context(instance=instance, resources=resources))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message
    return answer.skip_message


def test_a_job_s_end_reaches_the_supervisor(settings: Settings, supervisor: RunningSupervisor) -> None:
    worker = settings.model_copy(update={"echo_brain_url": supervisor.url, "echo_brain_secret": SECRET})
    assert "is ready" in tick(echo_heartbeat, worker)
    end_jobs(worker, make_jobs(worker, 2))
    assert tick(echo_outbox, worker).startswith("2 delivered, 0 failed, 0 dead, 0 left")
    assert len(supervisor.received()) == 2


def test_without_a_supervisor_there_is_one_quiet_reason(settings: Settings) -> None:
    said = {tick(echo_heartbeat, settings), tick(echo_outbox, settings)}
    assert said == {"No supervisor is configured (ANIME_ECHO_BRAIN_URL)."}
    assert echo_heartbeat.default_status == echo_outbox.default_status == dg.DefaultSensorStatus.STOPPED


def test_a_dead_supervisor_holds_no_tick_up(settings: Settings, supervisor: RunningSupervisor) -> None:
    worker = settings.model_copy(update={"echo_brain_url": supervisor.url, "echo_brain_secret": SECRET})
    tick(echo_heartbeat, worker)
    end_jobs(worker, make_jobs(worker, 50))
    supervisor.down()
    before = time.monotonic()
    assert "cannot be reached" in tick(echo_heartbeat, worker)
    assert "50 left. The supervisor cannot be reached" in tick(echo_outbox, worker)
    assert time.monotonic() - before < 15


def test_settings_of_no_use_are_told_and_raise_nothing(settings: Settings) -> None:
    worker = settings.model_copy(update={"echo_brain_url": "http://127.0.0.1:1"})
    for sensor in (echo_heartbeat, echo_outbox):
        assert "ANIME_ECHO_BRAIN_SECRET is not set. To mend it:" in tick(sensor, worker)
