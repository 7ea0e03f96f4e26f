"""A worker on a fresh database, and its supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.supervising import (
    SECRET,
    RunningSupervisor,
    TurnedClock,
    running_supervisor,
)
from anime_pipeline_tests.rendering.conftest import artist, server, studio  # noqa: F401


@pytest.fixture
def clock() -> TurnedClock:
    """The time of both sides."""
    return TurnedClock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: TurnedClock) -> Iterator[RunningSupervisor]:
    """A supervisor that is up."""
    with running_supervisor(tmp_path / "supervisor", clock) as running:
        yield running


@pytest.fixture
def worker(settings: Settings, supervisor: RunningSupervisor) -> Settings:
    """An installation that has a supervisor in its settings."""
    return settings.model_copy(update={"echo_brain_url": supervisor.url, "echo_brain_secret": SECRET})


@pytest.fixture
def registered(worker: Settings, clock: TurnedClock) -> Settings:
    """An installation that its supervisor knows."""
    assert beat(worker, clock).done == "registered"
    return worker
