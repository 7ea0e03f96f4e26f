"""Defends the commands for the supervisor: what they tell and do, and that nothing nags without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from anime_pipeline.cli import echo_commands
from anime_pipeline.cli.house import House
from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain import inbox
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.messages import event, signed
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


@pytest.fixture
def worker(settings: Settings, supervisor: RunningSupervisor, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with a supervisor, which the commands open as their house."""
    changed = {"echo_brain_url": supervisor.url, "echo_brain_secret": SECRET}
    one = settings.model_copy(update=changed)
    monkeypatch.setattr(echo_commands, "open_house", lambda: House(one))
    return one


def run(*arguments: str, status: int = 0) -> str:
    """What a command prints."""
    result = CliRunner().invoke(echo_commands.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def told(*arguments: str, status: int = 0) -> Any:
    """What a command prints as JSON."""
    return json.loads(run(*arguments, "--json", status=status))


def test_a_worker_comes_is_looked_at_and_goes(worker: Settings, supervisor: RunningSupervisor) -> None:
    assert told("status")["registered_at"] is None
    assert told("register")["done"] == "registered"
    status = told("status")
    assert (status["status"], status["registered_at"] is not None) == ("ready", True)
    assert status["worker_id"] in run("status")
    assert told("unregister") == {"state": "unregistered"}
    assert supervisor.store.workers() == []
    assert told("status")["unregistered"] is True


def test_events_are_listed_delivered_and_replayed(worker: Settings, supervisor: RunningSupervisor) -> None:
    told("register")
    jobs = make_jobs(worker, 2)
    end_jobs(worker, jobs)
    assert [one["job_id"] for one in told("outbox", "list")] == jobs[::-1]
    assert "job.completed" in run("outbox", "list")
    supervisor.misbehave("down", times=None)
    assert told("outbox", "deliver", status=1)["left"] == 2
    supervisor.behave()
    assert told("outbox", "deliver")["delivered"] == 2, "a person's command does not wait for an outage's end"
    assert told("outbox", "list") == []
    delivered = told("outbox", "list", "--all")
    assert told("outbox", "replay", delivered[0]["event_id"]) == {"replayed": 1}
    run("outbox", "deliver")
    assert sorted(row["receipts"] for row in supervisor.store.events()) == [1, 2]
    with pytest.raises(UserError, match="no dead event"):
        run("outbox", "drop", "dead")
    with pytest.raises(UserError, match="No event is lost"):
        run("outbox", "list", "--state", "lost")


def test_messages_are_listed_and_tried_again(worker: Settings) -> None:
    message = event("story.updated", {"project_id": 4711})
    with session_scope(worker) as session:
        inbox.receive(session, worker, "webhook", *signed(message, TurnedClock()))
    (kept,) = told("inbox", "list")
    assert (kept["state"], kept["body"]["data"]) == ("refused", {"project_id": 4711})
    assert "no project 4711" in run("inbox", "list", "--state", "refused")
    assert told("inbox", "list", "--state", "applied") == []
    assert told("inbox", "retry", message["event_id"], status=1)["state"] == "refused"
    with pytest.raises(UserError, match="no message nothing"):
        run("inbox", "retry", "nothing")
    assert told("inbox", "drop", message["event_id"]) == {"dropped": message["event_id"]}
    assert told("inbox", "list") == []


def test_without_a_supervisor_it_says_so_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_commands, "open_house", lambda: House(settings))
    assert "No supervisor is configured" in run("status")
    assert told("outbox", "deliver")["ended"] == "off"
    with pytest.raises(UserError, match="No supervisor"):
        run("register")


def test_the_reference_supervisor_is_a_command(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ANIME_ECHO_BRAIN_SECRET": SECRET,
        "ANIME_HOME": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }
    command = [
        sys.executable,
        "-c",
        "from anime_pipeline.cli import main; main()",
        "echo-supervisor",
        "--port",
        "0",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split(",")[0]
        assert "Reference supervisor" in requests.get(url, timeout=20).text
        assert (
            requests.post(f"{url}/api/supervisor/misbehave", json={"kind": "down"}, timeout=5).status_code
            == 404
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, -signal.SIGINT, 130)
    assert (tmp_path / "supervisor" / "supervisor.sqlite3").exists()


def test_a_supervisor_without_a_secret_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_commands, "get_settings", lambda: Settings())
    with pytest.raises(UserError, match="ANIME_ECHO_BRAIN_SECRET is not set"):
        echo_commands.echo_supervisor()
