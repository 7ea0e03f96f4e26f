"""Events over real sockets: each job's progress, its end, resuming without a gap, tickets, origins."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import websockets.sync.client
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.job_events import Position, events_after, forget_old_events, newest_position
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.rendering.worker import drain
from anime_pipeline.web.app import create_app
from anime_pipeline.web.event_hub import Wanted
from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.web.clients import key_for
from anime_pipeline_tests.web.running import running_api

SECONDS = 20


def socket(api: httpx.Client, path: str, **headers: str) -> Any:
    url = str(api.base_url).replace("http", "ws", 1).rstrip("/") + f"/api/anime{path}"
    return websockets.sync.client.connect(
        url, additional_headers=headers, open_timeout=SECONDS, close_timeout=2, proxy=None
    )


def told(connection: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(timeout=SECONDS))
    return message


def until_closed(connection: Any) -> list[dict[str, Any]]:
    return [json.loads(message) for message in connection]


@contextmanager
def stream(api: httpx.Client, path: str = "/events", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream as they come; comments are left out."""
    with api.stream("GET", f"/api/anime{path}", headers=headers, timeout=SECONDS) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name in ("id", "event", "data"):
            event[name] = json.loads(value) if name == "data" else value
        if not line and event:
            yield event
            event = {}


def queued(tiny: Studio) -> int:
    [planned] = tiny.plan(["tiny.e01.s001.c0010"])
    assert planned.job_id is not None
    return planned.job_id


def test_a_job_is_followed_from_its_queue_to_its_end(tiny: Studio, api: httpx.Client) -> None:
    with stream(api) as events:
        job_id = queued(tiny)
        worker = threading.Thread(target=drain, args=(tiny.settings, [job_id]))
        worker.start()
        seen = []
        for event in events:
            seen.append(event)
            if event["event"] != "progress":
                break
    worker.join(SECONDS)
    assert {event["data"]["job_id"] for event in seen} == {job_id}
    statuses = [event["data"]["status"] for event in seen]
    assert (statuses[0], statuses[-1]) == ("queued", "completed")
    assert "processing" in statuses
    assert seen[-1]["event"] == "complete"
    assert seen[-1]["data"]["progress"] == 1.0
    assert [event["id"] for event in seen] == [event["data"]["event_id"] for event in seen]


def test_a_stream_is_resumed_where_it_broke_off(tiny: Studio, api: httpx.Client) -> None:
    with stream(api) as events:
        tiny.plan()
        first = next(events)
    drain(tiny.settings)
    with stream(api, **{"Last-Event-ID": first["id"]}) as events:
        rest = [next(events) for _ in range(3 + 2 * 4)]
    ended = [event["data"]["job_id"] for event in rest if event["event"] == "complete"]
    jobs = [row.id for row in tiny.query("SELECT id FROM jobs")]
    assert sorted(ended) == sorted(jobs)
    assert first["id"] not in {event["id"] for event in rest}
    positions = [Position.parse(event["id"]) for event in rest]
    assert positions == sorted(positions)  # type: ignore[type-var]
    with stream(api, f"/events?last_event_id={rest[3]['id']}&job_id={jobs[-1]}") as events:
        assert next(events)["data"]["job_id"] == jobs[-1]


def test_a_failed_job_ends_as_an_error_with_its_reason(tiny: Studio, api: httpx.Client) -> None:
    job_id = queued(tiny)
    tiny.query_none(f"UPDATE jobs SET status = 'failed', error_message = 'no' WHERE id = {job_id}")
    with socket(api, f"/ws/{job_id}") as connection:
        [event] = until_closed(connection)
    assert (event["type"], event["status"], event["message"]) == ("error", "failed", "no")


def test_one_job_by_websocket_begins_with_its_state_and_closes_at_its_end(
    tiny: Studio, api: httpx.Client
) -> None:
    job_id = queued(tiny)
    with socket(api, f"/ws/{job_id}") as connection:
        assert (told(connection)["status"], queued(tiny)) == ("queued", job_id)
        drain(tiny.settings, [job_id])
        events = until_closed(connection)
    assert (events[-1]["type"], events[-1]["status"]) == ("complete", "completed")
    with socket(api, f"/ws/{job_id}") as connection:
        assert [event["type"] for event in until_closed(connection)] == ["complete"]


def test_filters_by_project(tiny: Studio, api: httpx.Client) -> None:
    with socket(api, "/ws?project_id=999") as other, socket(api, "/ws") as all_of_them:
        queued(tiny)
        assert told(all_of_them)["status"] == "queued"
        with pytest.raises(TimeoutError):
            other.recv(timeout=0.6)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws/999", 404),
        ("/ws/x", 422),
        ("/ws?job_id=x", 422),
        ("/ws?jobb=1", 422),
        ("/ws?last_event_id=soon", 422),
    ],
)
def test_a_websocket_that_asks_wrongly_is_refused(shared_api: httpx.Client, path: str, status: int) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused, socket(shared_api, path):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["status"] == status


@pytest.mark.parametrize("path", ["/events?last_event_id=soon", "/events?jobb=1", "/events?job_id=0"])
def test_a_stream_that_is_asked_for_wrongly_is_refused(shared_api: httpx.Client, path: str) -> None:
    assert shared_api.get(f"/api/anime{path}").status_code == 422
    assert shared_api.get("/api/anime/events?job_id=999").status_code == 404


def test_pages_of_other_origins_may_not_listen(tiny: Studio, api: httpx.Client) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        socket(api, "/ws", Origin="https://evil.example")
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["x-request-id"]
    with socket(api, "/ws", Origin=str(api.base_url).rstrip("/")):
        pass


def test_a_ticket_stands_for_a_key_once(tiny: Studio) -> None:
    closed = tiny.settings.model_copy(update={"api_open_on_loopback": False})
    key = {"Authorization": f"Bearer {key_for(closed, 'viewer')}"}
    with running_api(closed) as url, httpx.Client(base_url=url, timeout=SECONDS, trust_env=False) as api:
        assert api.get("/api/anime/events").status_code == 401
        assert api.post("/api/anime/events/ticket").status_code == 401
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            socket(api, "/ws")
        assert refused.value.response.status_code == 401
        ticket = api.post("/api/anime/events/ticket", headers=key).json()["ticket"]
        with pytest.raises(websockets.exceptions.InvalidStatus):
            socket(api, f"/ws?ticket={ticket}x")
        with socket(api, f"/ws?ticket={ticket}") as connection:
            job_id = queued(tiny)
            assert told(connection)["job_id"] == job_id
        assert api.get(f"/api/anime/events?ticket={ticket}").status_code == 401
        second = api.post("/api/anime/events/ticket", headers=key).json()["ticket"]
        assert api.get(f"/api/anime/jobs?ticket={second}").status_code == 401
        tiny.query_none("UPDATE studio.event_tickets SET expires_at = now() - interval '1 second'")
        assert api.get(f"/api/anime/events?ticket={second}").status_code == 401
        with stream(api, f"/events?job_id={job_id}", **key) as events:
            assert next(events)["data"]["job_id"] == job_id
    kept = tiny.query("SELECT ticket_sha256 FROM studio.event_tickets")
    assert second not in {row.ticket_sha256 for row in kept}


def test_many_clients_share_one_look(tiny: Studio, api: httpx.Client) -> None:
    """Thirty listeners cost one reader of the database, and all hear of every job in the same order."""
    heard: list[list[str]] = []

    def listen() -> None:
        with socket(api, "/ws") as connection:
            ready.release()
            heard.append([told(connection)["event_id"] for _ in range(4)])

    ready = threading.Semaphore(0)
    threads = [threading.Thread(target=listen) for _ in range(30)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert ready.acquire(timeout=SECONDS)
    tiny.plan()
    for thread in threads:
        thread.join(SECONDS)
    assert len(heard) == 30
    assert all(one == heard[0] for one in heard)


def test_a_server_that_is_told_to_stop_waits_for_no_stream(shared_tiny: Studio) -> None:
    told: list[int] = []

    async def until_the_stream_ends() -> list[Any]:
        app = create_app(shared_tiny.settings)
        hub = app.state.api.events
        async with app.router.lifespan_context(app), hub.listen(Wanted(), None) as events:
            pending = asyncio.ensure_future(_all_of(events))
            signal.raise_signal(signal.SIGTERM)
            return await asyncio.wait_for(pending, 20)

    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        assert asyncio.run(until_the_stream_ends()) == []
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [
        signal.SIGTERM,
        signal.SIGTERM,
    ]  # the server's own handler hears of it, too, and is put back


async def _all_of(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


def test_transactions_that_overlap_hide_no_event(tiny: Studio) -> None:
    """What begins early and commits late comes after what was seen, never before it."""
    first, second = [row.job_id for row in tiny.plan()[:2]]
    engine = engine_for(tiny.settings)
    change = text("UPDATE jobs SET current_frame = COALESCE(current_frame, 0) + 1 WHERE id = :id")
    with engine.connect() as reader:
        start = newest_position(reader)
    with Session(engine) as early, Session(engine) as late:
        early.execute(change, {"id": first})
        late.execute(change, {"id": second})
        late.commit()
        with engine.connect() as reader:
            assert events_after(reader, start) == []
        early.commit()
    with engine.connect() as reader:
        assert [event.job_id for event in events_after(reader, start)] == [first, second]


def test_old_events_and_those_of_another_life_are_forgotten(tiny: Studio) -> None:
    tiny.plan()
    week = timedelta(days=8)
    with session_scope(tiny.settings) as session:
        session.execute(
            text(
                "UPDATE studio.job_events SET created_at = created_at - CAST(:w AS interval) "
                "WHERE job_id = (SELECT min(id) FROM jobs)"
            ),
            {"w": week},
        )
        session.execute(
            text(
                "UPDATE studio.job_events SET txid = txid + 1000000000 "
                "WHERE job_id = (SELECT max(id) FROM jobs)"
            )
        )
    with engine_for(tiny.settings).begin() as connection:
        assert forget_old_events(connection) == 2
        assert len(events_after(connection, Position(0, 0))) <= 2


def test_a_position_is_read_back() -> None:
    assert Position.parse(str(Position(831, 12))) == Position(831, 12)
    for wrong in ("", "831", "831-", "-12", "a-b", "1-2-3", "9" * 30 + "-1"):
        assert Position.parse(wrong) is None
