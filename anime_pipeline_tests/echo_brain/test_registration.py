"""Defends registration, heartbeat and status: the supervisor knows us, and what it is told is true."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.client import SupervisorClient
from anime_pipeline.echo_brain.configuration import require_link
from anime_pipeline.echo_brain.errors import SupervisorError
from anime_pipeline.echo_brain.heartbeat import beat, register, unregister
from anime_pipeline.echo_brain.identity import greet, own_row
from anime_pipeline.echo_brain.machines import Machine, Machines
from anime_pipeline.echo_brain.status import WorkerStatus, worker_status
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.fleet_admin import reports
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.supervising import (
    SECRET,
    RunningSupervisor,
    TurnedClock,
    running_supervisor,
)
from anime_pipeline_tests.rendering.studio import Studio, stills


def status_of(settings: Settings) -> WorkerStatus:
    """What would be told now."""
    with session_scope(settings) as session:
        return worker_status(session, settings)


def execute(settings: Settings, query: str, **values: Any) -> None:
    with session_scope(settings) as session:
        session.execute(text(query), values)


@contextmanager
def leased(settings: Settings) -> Iterator[int]:
    """The first take of the queue is being rendered."""
    execute(
        settings,
        "UPDATE render_queue SET status = 'processing' WHERE id = (SELECT min(id) FROM render_queue)",
    )
    execute(
        settings,
        "INSERT INTO studio.render_leases (queue_id, worker_id, server_url, expires_at) "
        "SELECT min(id), 'w', 'http://gpu', now() + interval '1 minute' FROM render_queue",
    )
    yield 1
    execute(settings, "DELETE FROM studio.render_leases")


# Who we are


def test_an_installation_keeps_its_id(settings: Settings) -> None:
    with session_scope(settings) as session:
        first = own_row(session).worker_id
    with session_scope(settings) as session:
        assert own_row(session).worker_id == first
    assert first.startswith("anime-worker-")
    assert len(first) == len("anime-worker-") + 8
    assert int(first.removeprefix("anime-worker-"), 16) >= 0


def test_it_registers_with_what_it_can_do(
    worker: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    assert beat(worker, clock).done == "registered"
    (known,) = supervisor.store.workers()
    told = known["registration"]
    assert told["worker_type"] == "anime_renderer"
    assert told["capabilities"] == ["still_image", "animation_loop", "full_video", "character_sheet"]
    assert told["gpu_info"] is None, "the preview server has no GPU, and none is made up"
    assert told["callback_url"] == "http://127.0.0.1:8328/api/anime/echo"
    assert known["heartbeat"]["status"] == "ready"
    clock.turn(seconds=30)
    assert beat(worker, clock).done == "told"
    (again,) = supervisor.store.workers()
    assert again["heartbeat_at"] == known["heartbeat_at"] + 30
    assert again["registered_at"] == known["registered_at"]


def test_a_slash_at_the_end_is_no_other_supervisor(registered: Settings, clock: TurnedClock) -> None:
    slashed = registered.model_copy(update={"echo_brain_url": f"{registered.echo_brain_url}/"})
    for settings in (slashed, registered, slashed):
        greet(settings)
        assert beat(settings, clock).done == "told"


def test_another_supervisor_is_registered_with(
    registered: Settings, clock: TurnedClock, tmp_path: Path
) -> None:
    with running_supervisor(tmp_path / "other", clock) as other:
        moved = registered.model_copy(update={"echo_brain_url": other.url})
        greet(moved)
        assert beat(moved, clock).done == "registered"
        assert len(other.store.workers()) == 1


def test_other_abilities_are_registered_anew(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    moved = registered.model_copy(update={"echo_brain_callback_url": "https://studio.example/api/anime/echo"})
    assert beat(moved, clock).done == "registered"
    (known,) = supervisor.store.workers()
    assert known["registration"]["callback_url"] == "https://studio.example/api/anime/echo"
    assert beat(moved, clock).done == "told"


def test_a_failed_registration_is_tried_again_with_patience(
    worker: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    supervisor.down()
    done = [beat(worker, clock).done]
    for _ in range(40):
        clock.turn(seconds=30)
        done.append(beat(worker, clock).done)
    assert done.count("unreachable") < 20
    assert done.count("waiting") > 20
    supervisor.up()
    clock.turn(minutes=5)
    assert beat(worker, clock).done == "registered"


def test_it_is_forgotten_after_missed_heartbeats_and_registers_again(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    clock.turn(seconds=89)
    assert beat(registered, clock).done == "told"
    clock.turn(seconds=91)
    assert beat(registered, clock).done == "registered"
    supervisor.store.forget()
    assert beat(registered, clock).done == "registered"


@pytest.mark.parametrize("kind", ["error", "lost", "down"])
def test_a_failing_supervisor_is_told_again_later(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock, kind: str
) -> None:
    supervisor.misbehave(kind, times=2)
    assert beat(registered, clock).done == "unreachable"
    clock.turn(seconds=30)
    assert beat(registered, clock).done == "unreachable"
    clock.turn(seconds=20)
    assert beat(registered, clock).done == "told"


def test_leaving_holds_until_somebody_registers(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    unregister(registered, clock)
    assert supervisor.store.workers() == []
    assert beat(registered, clock).done == "left"
    greet(registered)
    assert beat(registered, clock).done == "left"
    unregister(registered, clock)  # twice is no mistake
    assert register(registered, clock).done == "registered"
    assert beat(registered, clock).done == "told"


def test_leaving_is_noted_also_where_the_supervisor_is_away(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    supervisor.down()
    with pytest.raises(SupervisorError):
        unregister(registered, clock)
    assert beat(registered, clock).done == "left"


def test_another_secret_is_told_in_words(
    worker: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    wrong = worker.model_copy(update={"echo_brain_secret": "not the supervisor's"})
    with pytest.raises(SupervisorError, match="401") as caught:
        register(wrong, clock)
    assert "ANIME_ECHO_BRAIN_SECRET" in (caught.value.remedy or "")
    assert beat(wrong, clock).done == "unreachable"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"echo_brain_secret": None}, "ANIME_ECHO_BRAIN_SECRET is not set"),
        ({"echo_brain_secret": "short"}, "fewer than 16"),
        ({"echo_brain_url": "supervisor:8309"}, "ANIME_ECHO_BRAIN_URL is supervisor:8309"),
        ({"echo_brain_url": "http://host:port"}, "no address"),
        ({"echo_brain_callback_url": "here"}, "ANIME_ECHO_BRAIN_CALLBACK_URL"),
    ],
)
def test_settings_of_no_use_say_what_to_set(worker: Settings, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        beat(worker.model_copy(update=changed))


def test_the_secret_is_in_no_text_of_the_settings() -> None:
    settings = Settings(echo_brain_secret=SECRET, echo_brain_url="http://127.0.0.1:1")
    assert SECRET not in repr(settings)
    assert SECRET not in repr(require_link(settings))


# What is told


def test_it_is_busy_with_what_it_renders(studio: Studio) -> None:
    studio.import_(stills(3))
    studio.plan()
    with session_scope(studio.settings) as session:
        reports(session, studio.settings)
    assert status_of(studio.settings).status == "ready"
    with leased(studio.settings):
        told = status_of(studio.settings)
    assert told.status == "busy"
    assert told.busy_with[0]["cut_key"] == "tiny.e01.s001.c0010"
    assert told.queue == {"waiting": 2, "rendering": 1, "failed": 0}


def test_it_is_degraded_where_a_server_is_silent_and_says_which(studio: Studio) -> None:
    dead = "http://127.0.0.1:9"
    settings = studio.settings.model_copy(update={"comfyui_urls": f"{studio.server.url},{dead}"})
    told = status_of(settings)
    assert told.status == "degraded"
    assert any(dead in reason for reason in told.reasons)
    assert "still_image" in told.capabilities, "the other one renders"
    execute(settings, "DELETE FROM studio.render_servers")
    alone = status_of(studio.settings.model_copy(update={"comfyui_urls": dead}))
    assert (alone.status, alone.capabilities, alone.max_concurrent_jobs) == ("degraded", (), 0)


def test_it_is_degraded_where_a_server_is_blocked(studio: Studio) -> None:
    status_of(studio.settings)
    execute(
        studio.settings,
        "UPDATE studio.render_servers SET state = 'blocked', last_error = 'CUDA error: device lost'",
    )
    told = status_of(studio.settings)
    assert told.status == "degraded"
    assert "device lost" in told.reasons[0]


def test_it_is_draining_where_every_server_rests(studio: Studio) -> None:
    status_of(studio.settings)
    execute(studio.settings, "UPDATE studio.render_servers SET state = 'draining'")
    told = status_of(studio.settings)
    assert (told.status, told.capabilities, told.max_concurrent_jobs) == ("draining", (), 0)


def test_a_queue_that_nobody_drains_is_told(studio: Studio) -> None:
    studio.import_(stills(2))
    studio.plan()
    assert status_of(studio.settings).status == "ready"
    execute(studio.settings, "UPDATE render_queue SET created_at = created_at - interval '11 minutes'")
    told = status_of(studio.settings)
    assert told.status == "degraded"
    assert "2 takes wait" in told.reasons[0]


def test_gpus_are_told_as_their_servers_name_them() -> None:
    cuda = {"name": "cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync", "type": "cuda",
            "vram_total": 25_757_220_864, "vram_free": 20_000_000_000}  # fmt: skip
    small = {
        "name": "cuda:1 Tesla T4",
        "type": "cuda",
        "vram_total": 16_106_127_360,
        "vram_free": 1_073_741_824,
    }
    machines = Machines((Machine("http://gpu", [small, cuda], frozenset(), 2),), embedded=False)
    assert machines.gpu_info() == {"model": "NVIDIA GeForce RTX 4090", "vram_gb": 24.0, "driver": None}
    assert machines.vram() == {"total_gb": 39.0, "free_gb": 19.6}
    nameless = Machine("http://gpu", [{"type": "cuda"}], frozenset(), 1)
    machines = Machines((nameless,), embedded=False)
    assert machines.gpu_info() == {"model": None, "vram_gb": None, "driver": None}
    assert machines.vram() == {"total_gb": None, "free_gb": None}


def test_checks_are_offered_only_where_faces_can_be_told(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.import_(stills(1))
    assert "consistency_check" not in status_of(studio.settings).capabilities
    monkeypatch.setattr("anime_pipeline.echo_brain.checks.absence", lambda *_: None)
    assert "consistency_check" in status_of(studio.settings).capabilities


# The rest of the protocol


def test_an_answer_that_drips_in_for_ever_is_given_up(
    worker: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anime_pipeline.echo_brain.client.ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            with contextlib.suppress(OSError), listening.accept()[0] as connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(1000):
                    connection.sendall(b" ")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        slow = worker.model_copy(update={"echo_brain_url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        before = time.monotonic()
        client = SupervisorClient(require_link(slow), "anime-worker-01234567")
        with client, pytest.raises(SupervisorError, match="no end") as caught:
            client.heartbeat({"status": "ready"})
        assert time.monotonic() - before < 20, "it would drip for 50 s"
    assert caught.value.trouble == "failing"


def test_tasks_are_given_and_contexts_are_asked(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    supervisor.store.set_context("7", {"mood": "calm"})
    with SupervisorClient(require_link(registered), "anime-worker-01234567", clock) as client:
        task = {"task_id": "t-1", "task_type": "quality_review", "payload": {"job_id": 3}}
        assert client.submit_task(task)["duplicate"] is False
        assert client.submit_task(task)["duplicate"] is True
        assert client.project_context(7, character_ids=[1, 2]) == {"mood": "calm"}
        with pytest.raises(SupervisorError) as caught:
            client.project_context(8)
    assert caught.value.trouble == "forgotten"
    (kept,) = supervisor.store.tasks()
    assert kept["task"]["task_type"] == "quality_review"


def test_an_unsigned_worker_gets_nowhere(supervisor: RunningSupervisor, tmp_path: Path) -> None:
    import requests

    for path in ("workers/register", "workers/anime-worker-01234567/heartbeat", "tasks"):
        assert requests.post(f"{supervisor.url}/api/{path}", json={}, timeout=5).status_code == 401
    page = {"Origin": "https://elsewhere.example"}
    order = {"event_type": "render.requested"}
    url = f"{supervisor.url}/api/supervisor/send"
    assert requests.post(url, json=order, headers=page, timeout=5).status_code == 403
    assert requests.post(url, data="{}", timeout=5).status_code == 403


def test_the_page_shows_workers_and_events(registered: Settings, supervisor: RunningSupervisor) -> None:
    import requests

    shown = requests.get(supervisor.url, timeout=5).text
    assert "anime-worker-" in shown
    assert "ready" in shown
