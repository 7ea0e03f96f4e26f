"""Defends the commands for fleet and queue: what they list, what they change, and what mistakes cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from anime_pipeline.cli import main, queue_commands, server_commands
from anime_pipeline.cli.house import House
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.rendering.conftest import artist, server  # noqa: F401
from anime_pipeline_tests.rendering.conftest import studio as _studio  # noqa: F401
from anime_pipeline_tests.rendering.studio import Studio, stills


@pytest.fixture
def studio(_studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:  # noqa: F811
    """The studio, which the commands open as their house."""
    for module in (queue_commands, server_commands):
        monkeypatch.setattr(module, "open_house", lambda: House(_studio.settings))
    monkeypatch.setattr("anime_pipeline.rendering.fate.retry_delay", lambda failures: 0.01)
    return _studio


def told(app: Any, *arguments: str) -> Any:
    """What a command prints as JSON."""
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def queue(*arguments: str) -> Any:
    return told(queue_commands.app, *arguments)


def servers(*arguments: str) -> Any:
    return told(server_commands.app, *arguments)


def test_the_fleet_is_listed_and_changed(studio: Studio) -> None:
    (listed,) = servers("list")
    assert (listed["url"], listed["state"], listed["healthy"]) == (studio.server.url, "active", True)
    assert listed["version"]
    assert listed["devices"]
    for command, state in (("drain", "paused"), ("resume", "active"), ("pause", "paused")):
        servers(command, studio.server.url)
        assert servers("list")[0]["state"] == state
    assert "silent" not in CliRunner().invoke(server_commands.app, ["list"]).stdout


def test_a_server_is_added_with_what_it_can_do(studio: Studio) -> None:
    added = servers("add", studio.server.url, "--concurrency", "1")
    assert "EmptyImage" in added["node_classes"]
    assert servers("list")[0]["concurrency"] == 1
    with pytest.raises(UserError, match="does not answer"):
        CliRunner().invoke(server_commands.app, ["add", "http://127.0.0.1:9"], catch_exceptions=False)


def test_a_failed_take_says_why_and_is_tried_again(studio: Studio) -> None:
    studio.import_(stills(2))
    studio.plan()
    studio.server.misbehave("fail_render", times=None, match="c0020")
    studio.drain()
    (failed,) = queue("list")
    assert (failed["cut_key"][-5:], failed["status"], failed["attempts"]) == ("c0020", "failed", 3)
    (shown,) = queue("show", str(failed["job_id"]))
    assert [attempt["error_class"] for attempt in shown["attempted"]] == ["execution"] * 3
    assert all(attempt["server_url"] == studio.server.url for attempt in shown["attempted"])
    studio.server.behave()
    assert [take["job_id"] for take in queue("retry", failed["cut_key"])] == [failed["job_id"]]
    assert len(studio.drain().finished) == 1
    assert {take["status"] for take in queue("list", "--all")} == {"completed"}
    with pytest.raises(UserError, match="no take that is failed or cancelled"):
        queue("retry", failed["cut_key"])


def test_waiting_takes_are_put_in_another_order_and_cancelled(studio: Studio) -> None:
    studio.import_(stills(3))
    studio.plan()
    queue("reprioritise", "tiny.e01.s001.c0030", "5")
    assert [take["cut_key"][-5:] for take in queue("list", "tiny")] == ["c0030", "c0010", "c0020"]
    queue("cancel", "tiny.e01.s001.c0010")
    assert [take["cut_key"][-5:] for take in queue("list", "--state", "cancelled")] == ["c0010"]
    assert [take.cut_key[-5:] for take in studio.drain().finished] == ["c0020", "c0030"]
    with pytest.raises(UserError, match="No take is lost"):
        queue("list", "--state", "lost")


def test_what_is_being_rendered_is_cancelled_on_its_server(studio: Studio, tmp_path: Path) -> None:
    import threading

    from anime_pipeline.rendering.comfyui import ComfyClient
    from anime_pipeline_tests.rendering.test_killed import wait_until

    studio.import_(stills(1))
    studio.plan()
    studio.server.misbehave("slow", times=None, seconds=20)
    draining = threading.Thread(target=studio.drain)
    draining.start()
    client = ComfyClient(studio.server.url)
    wait_until(lambda: client.queue()[0])
    queue("cancel", "tiny")
    draining.join(30)
    assert not draining.is_alive()
    wait_until(lambda: client.queue() == ([], []))
    assert studio.outcomes() == {"cancelled": 1}
    assert queue("list", "--all")[0]["status"] == "cancelled"
    assert studio.query("SELECT 1 FROM studio.render_leases") == []


@pytest.mark.parametrize("target", ["99999999999999", "9" * 40, "²"])
def test_a_number_that_no_job_has_is_said_so(studio: Studio, target: str) -> None:
    with pytest.raises(UserError, match=r"has no take\."):
        CliRunner().invoke(queue_commands.app, ["show", target], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ANIME_COMFYUI_URLS", "http://gpu:8188,mika:secret@gpu-2:8188", "gpu-2:8188 is no URL of a server"),
        ("ANIME_RENDER_HOURS", "all night", "ANIME_RENDER_HOURS: "),
    ],
)
def test_a_wrong_setting_is_named_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["anime-pipeline", "workflow", "list"])
    get_settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main()
    get_settings.cache_clear()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert said in told
    assert "secret" not in told
    assert "Traceback" not in told
