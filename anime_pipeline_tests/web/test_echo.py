"""Defends the supervisor's way in: over sockets, by signature alone, each refusal with its reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from anime_pipeline.echo_brain.heartbeat import beat
from anime_pipeline.echo_brain.signing import signed_headers
from anime_pipeline_tests.echo_brain.messages import event, signed, task
from anime_pipeline_tests.echo_brain.supervising import SECRET, TurnedClock, running_supervisor
from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.web.running import running_api


@pytest.fixture
def signing(tiny: Studio) -> Iterator[httpx.Client]:
    """The API of a studio that has a supervisor's secret."""
    tiny.settings = tiny.settings.model_copy(update={"echo_brain_secret": SECRET})
    with running_api(tiny.settings) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client


def post(client: httpx.Client, message: object, path: str = "webhook", late: float = 0.0) -> httpx.Response:
    """Send a message, signed so many seconds ago."""
    clock = TurnedClock(datetime.now(timezone.utc) - timedelta(seconds=late))
    body, headers = signed(message, clock)
    return client.post(f"/api/anime/echo/{path}", content=body, headers=headers)


def test_events_and_tasks_are_taken(signing: httpx.Client, tiny: Studio) -> None:
    answer = post(signing, event("render.requested", {"cut_keys": ["tiny.e01.s001.c0010"]}))
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"]["queued"] == 1
    answer = post(signing, task("animation_loop", {"scope": "tiny"}), "tasks")
    assert (answer.status_code, answer.json()["outcome"]["queued"]) == (200, 1)
    assert len(tiny.drain().finished) == 2
    answer = post(signing, event("weather.changed", {}))
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")


def test_refusals_are_problems_with_the_reason(signing: httpx.Client, tiny: Studio) -> None:
    message = event("render.requested", {"scope": "tiny"})
    body, headers = signed(message, TurnedClock())
    url = "/api/anime/echo/webhook"
    refused = {
        "not signed": (401, signing.post(url, content=body)),
        "signature": (401, signing.post(url, content=body + b" ", headers=headers)),
        "600 s ago": (401, post(signing, message, late=600)),
        "ahead of our clock": (401, post(signing, message, late=-600)),
        "262144 bytes": (413, post(signing, {**message, "data": {"scope": "x" * 300_000}})),
        "no JSON": (422, post(signing, b"not json")),
        "exactly one of": (422, post(signing, event("render.requested", {}))),
    }
    for said, (status, answer) in refused.items():
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert said in answer.json()["detail"], answer.text
    assert tiny.query("SELECT 1 FROM jobs") == []
    keyed = {"Idempotency-Key": "once"}  # which is no way around the signature
    assert signing.post(url, content=body, headers=headers | keyed).status_code == 200
    assert signing.post(url, content=body, headers=keyed).status_code == 401
    replayed = signing.post(url, content=body, headers=headers)
    assert (replayed.status_code, "this very signature" in replayed.json()["detail"]) == (409, True)
    assert len(tiny.query("SELECT 1 FROM jobs")) == 4
    again = post(signing, message)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)


def test_an_endless_body_is_cut_off(signing: httpx.Client) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 50_000_000:
            sent += 65_536
            yield b"x" * 65_536

    headers = signed_headers(SECRET, b"", datetime.now(timezone.utc))
    try:
        answer = signing.post("/api/anime/echo/webhook", content=endless(), headers=headers)
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the server had closed the connection before all was sent
    assert sent < 50_000_000


def test_without_a_secret_it_says_what_to_set(api: httpx.Client) -> None:
    answer = post(api, event("story.updated", {"project_id": 1}))
    assert (answer.status_code, "openssl" in answer.json()["remedy"]) == (409, True)


def test_a_supervisor_reaches_us_where_we_said(signing: httpx.Client, tiny: Studio, tmp_path: Path) -> None:
    """Both sides as they are: it is told where we are, and sends an event and a task there, once each."""
    clock = TurnedClock()
    with running_supervisor(tmp_path / "supervisor", clock) as running:
        callback = f"{str(signing.base_url).rstrip('/')}/api/anime/echo"
        changed = {"echo_brain_url": running.url, "echo_brain_callback_url": callback}
        beat(tiny.settings.model_copy(update=changed), clock)
        with httpx.Client(base_url=running.url, trust_env=False) as person:
            order = {"event_type": "render.requested", "data": {"scope": "tiny"}}
            assert person.post("/api/supervisor/send", json=order).status_code == 200
            order = {"task_type": "still_image", "data": {"scope": "tiny"}, "task_id": "t-1"}
            assert person.post("/api/supervisor/send", json=order).status_code == 200
            order = {"task_type": "brew_tea"}
            assert person.post("/api/supervisor/send", json=order).status_code == 200
        assert running.supervisor is not None
        assert running.supervisor.dispatcher.dispatch() == 2
        assert running.supervisor.dispatcher.dispatch() == 0
        states = {row["route"]: row["state"] for row in running.store.outgoing() if row["attempts"]}
        assert states == {"webhook": "taken", "tasks": "taken"}
    assert len(tiny.query("SELECT 1 FROM jobs")) == 4
    assert len(tiny.query("SELECT 1 FROM studio.echo_task_jobs WHERE task_id = 't-1'")) == 2


def test_many_sendings_at_once_are_followed_once(signing: httpx.Client, tiny: Studio) -> None:
    message = event("render.requested", {"scope": "tiny"})
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(signing, message).status_code)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 6
    assert len(tiny.query("SELECT 1 FROM jobs")) == 4
