"""Defends takes against sudden death, of the worker or the server, and against a person's Ctrl-C."""

from __future__ import annotations

import errno
import signal
import threading
import time
from pathlib import Path

import pytest

from anime_pipeline.errors import UserError
from anime_pipeline.media.errors import UnreachableStoreError
from anime_pipeline.rendering import turns
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline_tests.preview.running import running_preview_server
from anime_pipeline_tests.rendering.studio import Studio, stills


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anime_pipeline.rendering.fate.retry_delay", lambda failures: 0.01)


def wait_until(condition: object, seconds: float = 30.0) -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_killed_worker_left_on_the_server_is_adopted(studio: Studio) -> None:
    studio.import_(stills(8))
    studio.plan()
    studio.server.misbehave("slow", times=None, seconds=0.15)
    process = studio.worker_process()
    wait_until(lambda: studio.outcomes()["succeeded"] >= 2 and studio.outcomes()[None] >= 1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(studio.query("SELECT 1 FROM studio.render_leases")) >= 1
    report = studio.drain()
    assert report.failed == []
    assert [row.count for row in studio.query("SELECT count(*) FROM jobs WHERE status = 'completed'")] == [8]
    assert studio.renders == 8
    assert [event.kind for event in studio.events if event.kind == "adopted"] != []
    studio.check_nothing_is_broken()


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.35])
def test_killed_at_any_moment_a_rerun_finishes(studio: Studio, moment: float) -> None:
    studio.import_(stills(6))
    studio.plan()
    studio.server.misbehave("slow", times=None, seconds=0.05)
    process = studio.worker_process()
    wait_until(lambda: studio.query("SELECT 1 FROM studio.render_attempts"))
    time.sleep(moment)
    process.kill()
    process.wait()
    studio.drain()
    assert [row.count for row in studio.query("SELECT count(*) FROM jobs WHERE status = 'completed'")] == [6]
    assert studio.renders == 6
    studio.check_nothing_is_broken()


def test_a_server_that_is_replaced_loses_prompts_and_no_take(studio: Studio, tmp_path: Path) -> None:
    """The same address, another process: everything it knew is gone."""
    studio.import_(stills(5))
    studio.plan()
    port = int(studio.server.url.rpartition(":")[2])
    reports = []
    with running_preview_server(tmp_path / "first", allow_misbehaviour=True) as first:
        port = int(first.url.rpartition(":")[2])
        first.misbehave("slow", times=None, seconds=0.3)
        draining = threading.Thread(target=lambda: reports.append(studio.drain(comfyui_urls=first.url)))
        draining.start()
        wait_until(lambda: studio.outcomes()["succeeded"] >= 1)
    with running_preview_server(tmp_path / "second", port=port):
        draining.join(60)
    assert not draining.is_alive()
    assert len(reports[0].finished) == 5
    assert studio.outcomes()["succeeded"] == 5
    assert studio.outcomes()[None] == 0
    studio.check_nothing_is_broken()


def test_stopped_by_a_person_the_takes_go_back_and_the_server_is_free(studio: Studio) -> None:
    studio.import_(stills(4))
    studio.plan()
    studio.server.misbehave("slow", times=None, seconds=20)
    process = studio.worker_process()
    wait_until(lambda: studio.outcomes()[None] >= 2)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert studio.query("SELECT 1 FROM studio.render_leases") == []
    assert {row.status for row in studio.query("SELECT status FROM render_queue")} == {"queued"}
    assert studio.outcomes() == {"cancelled": 2}
    wait_until(lambda: ComfyClient(studio.server.url).queue() == ([], []))
    studio.server.behave()
    assert len(studio.drain().finished) == 4


def test_a_render_interrupted_on_the_server_by_a_person_is_not_retried(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    studio.server.misbehave("slow", times=None, seconds=20)
    reports = []
    draining = threading.Thread(target=lambda: reports.append(studio.drain()))
    draining.start()
    client = ComfyClient(studio.server.url)
    wait_until(lambda: client.queue()[0])
    client.cancel(client.queue()[0][0])
    draining.join(30)
    (failed,) = reports[0].failed
    assert "interrupted" in str(failed.reason)
    assert studio.outcomes() == {"cancelled": 1}
    studio.server.behave()
    assert len(studio.render().finished) == 1  # planned again, it is rendered


def test_a_server_that_stays_silent_is_given_up_and_its_takes_wait(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("anime_pipeline.rendering.fleet.GIVE_UP_SECONDS", 0.2)
    studio.import_(stills(2))
    studio.plan()
    with running_preview_server(tmp_path / "gone", allow_misbehaviour=True) as gone:
        gone.misbehave("slow", times=None, seconds=20)
        reports = []
        draining = threading.Thread(target=lambda: reports.append(studio.drain(comfyui_urls=gone.url)))
        draining.start()
        wait_until(lambda: studio.outcomes()[None] == 2)
    draining.join(60)
    assert not draining.is_alive()
    assert len(reports[0].waiting) == 2
    assert studio.query("SELECT 1 FROM studio.render_leases") == []
    assert len(studio.drain().finished) == 2


def test_a_mistake_of_ours_ends_the_drain_and_releases_everything(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.import_(stills(2))
    studio.plan()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(turns, "record_success", broken)
        with pytest.raises(ZeroDivisionError):
            studio.drain()
    assert len(studio.drain().finished) == 2
    assert studio.renders == 2  # what was rendered already is adopted
    studio.check_nothing_is_broken()


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/media/aa"),
            "No space left on device: /media/aa",
            "make room",
        ),
        (UnreachableStoreError("the media store s3://b does not answer", "wait"), "does not answer", "wait"),
    ],
)
def test_a_full_disk_or_lost_store_ends_the_drain_in_words_and_costs_no_take_an_attempt(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str, remedy: str
) -> None:
    """All takes of a night would be rendered and thrown away, three times each."""
    studio.import_(stills(1))
    studio.plan()

    def full(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("anime_pipeline.media.store.MediaStore.put_file", full)
        with pytest.raises(UserError, match=said) as refused:
            studio.drain()
    assert remedy in str(refused.value.remedy)
    (row,) = studio.query("SELECT status, attempts, error_message FROM render_queue")
    assert tuple(row) == ("queued", 0, None)
    assert studio.outcomes() == {None: 1}
    assert len(studio.drain().finished) == 1
    assert studio.renders == 1
    studio.check_nothing_is_broken()
