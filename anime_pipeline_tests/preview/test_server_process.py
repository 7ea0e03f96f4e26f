"""Defends the server as a process: one per home, found by all, gone with its last user, clean at its end."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from anime_pipeline.preview import launcher
from anime_pipeline.preview.__main__ import main
from anime_pipeline.preview.launcher import PreviewServerError, ensure_preview_server
from anime_pipeline.preview.users_watch import address_file
from anime_pipeline.settings import Settings
from anime_pipeline_tests.preview.client import Client, picture_graph
from anime_pipeline_tests.preview.running import running_preview_server

USER = """
import sys
from pathlib import Path
from anime_pipeline.preview.launcher import ensure_preview_server
from anime_pipeline.settings import Settings
print(ensure_preview_server(Settings(home=Path(sys.argv[1]))), flush=True)
sys.stdin.read()
"""


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits with pidfd_open, Linux only")


@contextmanager
def user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the home's server until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until_gone(pid: int) -> None:
    """Until the process of another parent has ended; by its descriptor, not by looking again and again."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], 30)
        assert ready, "the server is still there"
    finally:
        os.close(descriptor)


@needs_pidfd
def test_all_users_of_a_home_share_one_server_and_it_ends_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an office's proxy stands before everything."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with user(tmp_path) as one, user(tmp_path) as other:
        url = first_line(one)
        assert first_line(other) == url
        pid = json.loads(address_file(tmp_path).read_text())["pid"]
        one.send_signal(signal.SIGKILL)
        one.wait(10)
        monkeypatch.delenv("http_proxy")
        assert requests.get(f"{url}/queue", timeout=20).status_code == 200
        other.send_signal(signal.SIGKILL)
        wait_until_gone(pid)
    assert not address_file(tmp_path).exists()


@needs_pidfd
def test_a_server_whose_home_was_removed_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with user(home) as one:
        first_line(one)
        pid = json.loads(address_file(home).read_text())["pid"]
        shutil.rmtree(home)
        wait_until_gone(pid)


@needs_pidfd
def test_a_killed_server_is_replaced(tmp_path: Path) -> None:
    with user(tmp_path) as one:
        first = first_line(one)
        pid = json.loads(address_file(tmp_path).read_text())["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        with user(tmp_path) as other:
            second = first_line(other)
            assert requests.get(f"{second}/queue", timeout=20).status_code == 200
            os.kill(json.loads(address_file(tmp_path).read_text())["pid"], signal.SIGTERM)
    assert first


@pytest.mark.parametrize(
    "left_behind", ["", "{}", "[]", '{"url": "http://127.0.0.1:9", "pid": 1, "instance": "x"}']
)
def test_an_address_that_nobody_answers_is_ignored(
    tmp_path: Path, left_behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address_file(tmp_path).parent.mkdir()
    address_file(tmp_path).write_text(left_behind)
    monkeypatch.setattr(launcher, "_start", lambda home: "started")
    assert ensure_preview_server(Settings(home=tmp_path)) == "started"


def test_the_address_of_another_server_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_start", lambda home: "started")
    with running_preview_server(tmp_path / "other") as other:
        address_file(tmp_path).parent.mkdir()
        address_file(tmp_path).write_text(json.dumps({"url": other.url, "pid": 1, "instance": "ours"}))
        assert ensure_preview_server(Settings(home=tmp_path)) == "started"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "preview").write_text("a file where the folder should be")
    with pytest.raises(PreviewServerError, match=r"can't serve: .*Not a directory") as caught:
        ensure_preview_server(Settings(home=tmp_path))
    assert "preview.log" in str(caught.value.remedy)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_started_by_hand_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "anime_pipeline.preview", "--home", str(tmp_path), "--port", "0"]
    command += ["--misbehave", "slow:always"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = first_line(process)
        with Client(url) as client:
            client.post(picture_graph())
            client.wait_for("executing")
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_restart_loses_queue_history_and_outputs(tmp_path: Path) -> None:
    with running_preview_server(tmp_path) as first, Client(first.url) as client:
        entry = client.render(picture_graph())
        file = client.first_file(entry)
        picture = {"image": ("k.png", client.view(file).content)}
        requests.post(f"{first.url}/upload/image", files=picture, timeout=20)
    with running_preview_server(tmp_path) as second, Client(second.url) as client:
        assert client.get("/history") == {}
        assert client.view(file).status_code == 404
        assert client.view({"filename": "k.png", "type": "input"}).status_code == 200


def test_a_second_server_of_a_home_leaves_the_firsts_outputs_alone(tmp_path: Path) -> None:
    with running_preview_server(tmp_path) as first, Client(first.url) as client:
        file = client.first_file(client.render(picture_graph()))
        with running_preview_server(tmp_path):
            assert client.view(file).status_code == 200


def test_a_wrong_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--misbehave", "catch_fire"])
    assert "unknown misbehaviour 'catch_fire'; known are" in capsys.readouterr().err
