"""Defends the fleet: work goes where it can be done, states are kept to, failing servers get a rest."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering import queue, registry
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import POLICIES, ComfyError
from anime_pipeline.rendering.fate import Scene
from anime_pipeline.rendering.fleet_admin import add_server, remove_server, reports
from anime_pipeline.rendering.queue import Leased, Place
from anime_pipeline.rendering.recording import record_failure
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server
from anime_pipeline_tests.rendering.studio import Studio, stills


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anime_pipeline.rendering.fate.retry_delay", lambda failures: 0.01)
    monkeypatch.setattr("anime_pipeline.rendering.turns.IDLE_SECONDS", 0.02)
    monkeypatch.setattr("anime_pipeline.rendering.worker._STAFF_SECONDS", 0.1)
    monkeypatch.setattr("anime_pipeline.rendering.registry.block_seconds", lambda blocks: 0.05)


@pytest.fixture
def second(tmp_path: Path, server: RunningServer) -> Iterator[RunningServer]:
    """Another server beside that of the studio."""
    with running_preview_server(tmp_path / "second", allow_misbehaviour=True) as running:
        yield running


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lease(studio: Studio, place: Place | str) -> Leased | None:
    with session_scope(studio.settings) as session:
        return queue.lease(session, "elsewhere:1:1:a", place, 60.0)


def fail(studio: Studio, leased: Leased, error_class: Any, scene: Scene) -> str:
    with session_scope(studio.settings) as session:
        outcome = record_failure(session, leased, None, ComfyError(error_class, "as told"), scene)
        session.execute(text("UPDATE render_queue SET render_params = render_params - 'not_before'"))
    return outcome


def state_of(studio: Studio, url: str) -> str:
    return str(studio.query("SELECT state FROM studio.render_servers WHERE url = :url", url=url)[0].state)


def used(studio: Studio) -> set[str]:
    rows = studio.query("SELECT server_url FROM studio.render_attempts WHERE outcome = 'succeeded'")
    return {row.server_url for row in rows}


def add(studio: Studio, *urls: str) -> None:
    with session_scope(studio.settings) as session:
        registry.enlist(session, urls, "added")


def set_state(studio: Studio, url: str, state: registry.ServerState) -> None:
    with session_scope(studio.settings) as session:
        registry.set_state(session, url, state)


def test_two_servers_share_the_work_and_say_what_they_are(studio: Studio, second: RunningServer) -> None:
    studio.import_(stills(8))
    studio.plan()
    for one in (studio.server, second):
        one.misbehave("slow", times=None, seconds=0.1)
    with session_scope(studio.settings) as session:
        assert "EmptyImage" in add_server(session, f"{second.url}/").node_classes
    assert len(studio.drain().finished) == 8
    assert used(studio) == {studio.server.url, second.url}
    with session_scope(studio.settings) as session:
        found = {report.url: report for report in reports(session, studio.settings)}
    assert {url: report.origin for url, report in found.items()} == {
        studio.server.url: "settings",
        second.url: "added",
    }
    assert all(
        (report.healthy, report.state, report.kind, report.in_flight) == (True, "active", "preview", 0)
        and report.node_classes > 5
        and report.vram_free
        for report in found.values()
    )


def test_a_take_goes_to_the_server_that_can_do_it(
    studio: Studio, second: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the two lacks a node; what it cannot do costs no attempt and is done by the other."""
    from anime_pipeline.rendering.fleet import FleetServer

    whole = FleetServer.object_info.fget  # type: ignore[attr-defined]

    def lacking(server: FleetServer) -> dict[str, Any]:
        info = dict(whole(server))
        if server.url == studio.server.url:
            info.pop("AnimaticShot")
        return info

    monkeypatch.setattr(FleetServer, "object_info", property(lacking))
    add(studio, second.url)
    studio.import_(stills(4))
    studio.plan()
    assert len(studio.drain().finished) == 4
    assert used(studio) == {second.url}
    assert {row.attempts for row in studio.query("SELECT attempts FROM render_queue")} == {1}


def test_what_no_server_can_do_fails_and_says_why_for_each(studio: Studio, second: RunningServer) -> None:
    add(studio, second.url)
    data = stills(2)
    data["episodes"][0]["scenes"][0]["cuts"][0]["workflow"] = "sdxl-still"
    studio.import_(data)
    report = studio.render()
    assert len(report.finished) == 1
    (failed,) = report.failed
    for said in ("no server can render this", studio.server.url, second.url, "KSampler"):
        assert said in str(failed.reason)


def test_a_paused_server_gets_nothing_and_a_resumed_one_does(studio: Studio, second: RunningServer) -> None:
    add(studio, second.url)
    set_state(studio, second.url, "paused")
    studio.import_(stills(3))
    studio.plan()
    assert len(studio.drain().finished) == 3
    assert used(studio) == {studio.server.url}
    set_state(studio, second.url, "active")
    with session_scope(studio.settings) as session:
        registry.enlist(session, [studio.server.url], "settings")
        registry.set_state(session, studio.server.url, "paused")
    studio.retake()
    assert len(studio.drain().finished) == 3
    assert used(studio) == {studio.server.url, second.url}


def test_pausing_gives_the_prompts_back_at_once_and_draining_finishes_them(
    studio: Studio, second: RunningServer
) -> None:
    studio.server.misbehave("slow", times=None, seconds=20)
    second.misbehave("slow", times=None, seconds=0.5)
    add(studio, second.url)
    studio.import_(stills(4))
    studio.plan()
    draining = threading.Thread(target=studio.drain)
    draining.start()
    wait_until(lambda: studio.outcomes()[None] == 4)
    set_state(studio, studio.server.url, "paused")
    draining.join(60)
    assert not draining.is_alive()
    assert used(studio) == {second.url}
    assert studio.outcomes() == {"succeeded": 4, "cancelled": 2}
    set_state(studio, second.url, "draining")
    assert state_of(studio, second.url) == "paused", "nothing was left on it"


def test_a_worker_that_lost_its_lease_leaves_the_prompt_to_who_has_it_now(studio: Studio) -> None:
    """That one would take it for interrupted by a person, and the take would end as cancelled."""
    studio.server.misbehave("slow", times=None, seconds=20)
    studio.import_(stills(1))
    studio.plan()
    draining = threading.Thread(target=lambda: studio.drain(prompts_in_flight=1))
    draining.start()
    client = ComfyClient(studio.server.url)
    wait_until(lambda: client.queue()[0])
    studio.query_none("UPDATE studio.render_leases SET token = token + 1, worker_id = 'elsewhere:1:1:a'")
    set_state(studio, studio.server.url, "paused")
    draining.join(60)
    assert not draining.is_alive()
    assert studio.outcomes() == {None: 1}
    assert len(client.queue()[0]) == 1


def test_a_server_that_fails_three_times_running_is_blocked_and_probed_again(studio: Studio) -> None:
    url = "http://gpu:8188"
    add(studio, url)
    with session_scope(studio.settings) as session:
        for _ in range(2):
            registry.note_failure(session, url, "no answer")
        registry.note_success(session, url, {})
        for _ in range(2):
            registry.note_failure(session, url, "no answer")
    assert state_of(studio, url) == "active"
    with session_scope(studio.settings) as session:
        registry.note_failure(session, url, "no answer", suspect=True)
        stands = registry.standing(session, url)
    assert stands is not None
    assert (stands.state, stands.suspect) == ("blocked", True)
    with session_scope(studio.settings) as session:
        registry.unblock(session, url)
        registry.note_failure(session, url, "no answer")
    assert state_of(studio, url) == "blocked", "one failure more is enough"
    set_state(studio, url, "active")
    with session_scope(studio.settings) as session:
        stands = registry.standing(session, url)
    assert stands is not None
    assert (stands.state, stands.suspect) == ("active", False)


def test_a_server_that_loses_everything_for_a_while_is_blocked_and_comes_back(studio: Studio) -> None:
    studio.import_(stills(2))
    studio.plan()
    studio.server.misbehave("pending_deleted", times=6)
    assert len(studio.drain().finished) == 2
    (row,) = studio.query("SELECT state, failures, blocks, suspect FROM studio.render_servers")
    assert tuple(row) == ("active", 0, 0, False)


def test_a_stalled_take_is_tried_elsewhere_first(studio: Studio, second: RunningServer) -> None:
    add(studio, second.url)
    studio.import_(stills(1))
    studio.plan()
    here = Place(studio.server.url, others=(second.url,))
    leased = lease(studio, here)
    assert leased is not None
    assert fail(studio, leased, "stall", Scene(studio.server.url, 0, [])) == "retried"
    assert lease(studio, here) is None
    assert lease(studio, Place(second.url, others=(studio.server.url,))) is not None


def test_a_second_out_of_memory_asks_for_a_bigger_server(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    small, big = Place("http://small", vram=8, biggest=24), Place("http://big", vram=24, biggest=24)
    for _ in range(2):
        leased = lease(studio, small)
        assert leased is not None
        assert fail(studio, leased, "out_of_memory", Scene("http://small", 8, [])) == "retried"
    assert lease(studio, small) is None
    leased = lease(studio, big)
    assert leased is not None
    assert fail(studio, leased, "out_of_memory", Scene("http://big", 24, [])) == "failed", "max_attempts is 3"


def test_a_broken_contract_is_retried_once(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    studio.server.misbehave("empty_outputs", times=None)
    (failed,) = studio.drain().failed
    assert "no output" in str(failed.reason)
    assert studio.outcomes() == {"failed": 2}


@pytest.mark.parametrize("error_class", sorted(POLICIES))
def test_each_class_decides(studio: Studio, error_class: str) -> None:
    studio.import_(stills(1))
    studio.plan()
    leased = lease(studio, "http://a")
    assert leased is not None
    outcome = fail(studio, leased, error_class, Scene("http://a", 0, ["http://a", "http://b"]))
    policy = POLICIES[error_class]
    assert outcome == ("retried" if policy.retried or policy.unfit else "failed")
    (row,) = studio.query("SELECT attempts FROM render_queue")
    assert row.attempts == int(policy.counted and not policy.unfit)


def test_all_workers_together_keep_to_a_servers_concurrency(studio: Studio) -> None:
    studio.import_(stills(6))
    studio.plan()
    taken: list[Leased] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        barrier.wait()
        leased = lease(studio, Place(studio.server.url, concurrency=2))
        if leased is not None:
            taken.append(leased)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 2
    assert lease(studio, Place("http://another", concurrency=2)) is not None


def other_production(slug: str, cuts: int) -> dict[str, Any]:
    """A production whose characters have names of their own."""
    written = json.dumps(stills(cuts)).replace("Toru", f"Toru {slug}").replace("Mika", f"Mika {slug}")
    data: dict[str, Any] = json.loads(written)
    data["project"] |= {"slug": slug, "name": slug.title()}
    return data


def test_what_lies_on_a_server_is_adopted_there_first_and_by_another_last(studio: Studio) -> None:
    studio.import_(stills(3))
    studio.plan()
    taken = {url: lease(studio, url) for url in ("http://here", "http://there")}
    with session_scope(studio.settings) as session:
        for url, one in taken.items():
            assert one is not None
            queue.start_attempt(session, one, url, "comfyui", str(uuid.uuid4()))
            queue.give_back(session, [one.token])
    staffed = ("http://here", "http://there")
    order = [lease(studio, Place("http://there", staffed=staffed)) for _ in range(3)]
    assert [one and one.cut_key[-5:] for one in order] == ["c0020", "c0030", "c0010"]


def test_projects_share_a_server_and_priority_goes_before(studio: Studio) -> None:
    for slug, cuts in (("first", 12), ("later", 4)):
        studio.import_(other_production(slug, cuts))
        keys = studio.keys()
        studio.plan([key for key in keys if key.startswith(slug)])
    order = []
    for _ in range(8):
        leased = lease(studio, "http://a")
        assert leased is not None
        order.append(leased.cut_key.partition(".")[0])
        with session_scope(studio.settings) as session:
            queue.start_attempt(session, leased, "http://a", "preview", str(uuid.uuid4()))
    assert order.count("later") == 4, order
    newest = studio.query("SELECT max(id) AS id FROM render_queue WHERE status = 'queued'")[0].id
    studio.query_none(f"UPDATE render_queue SET priority = 9 WHERE id = {newest}")
    leased = lease(studio, "http://a")
    assert leased is not None
    assert leased.queue_id == newest


def test_a_server_keeps_to_the_models_that_it_has_loaded(studio: Studio) -> None:
    studio.import_(stills(4))
    studio.plan()
    studio.query_none("""
        UPDATE studio.recipes SET models = '{"checkpoints": ["b.safetensors"]}' WHERE recipe_hash IN
        (SELECT recipe_hash FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id)
         WHERE p.cut_key ~ 'c00[24]0$');
        UPDATE studio.recipes SET models = '{"checkpoints": ["a.safetensors"]}' WHERE models = '{}'
    """)
    loaded = {"checkpoints": ["b.safetensors"]}
    order = [one.cut_key[-5:] for _ in range(4) if (one := lease(studio, Place("http://a", loaded=loaded)))]
    assert order == ["c0020", "c0040", "c0010", "c0030"]


def test_a_server_is_removed_or_the_reason_why_not_is_said(studio: Studio) -> None:
    add(studio, "http://gpu:8188")
    with session_scope(studio.settings) as session:
        registry.enlist(session, [studio.server.url], "settings")
        remove_server(session, studio.settings, "http://gpu:8188/")
        with pytest.raises(registry.ServerError, match="ANIME_COMFYUI_URLS"):
            remove_server(session, studio.settings, studio.server.url)
        with pytest.raises(registry.ServerError, match="no server http://gpu:8188"):
            registry.set_state(session, "http://gpu:8188", "paused")
        with pytest.raises(registry.ServerError, match="is no URL"):
            add_server(session, "gpu:8188")


def test_a_silent_server_that_somebody_looks_at_holds_up_no_worker(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take half a minute to answer, and workers note their successes meanwhile."""
    add(studio, "http://gpu:8188")

    def silent(_: ComfyClient) -> Any:
        with session_scope(studio.settings) as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            registry.note_success(session, "http://gpu:8188", {"loras": ["ink"]})
        raise ComfyError("connection", "silent")

    monkeypatch.setattr("anime_pipeline.rendering.fleet_admin.probe", silent)
    named = studio.settings.model_copy(update={"comfyui_urls": "http://gpu:8188"})
    with session_scope(studio.settings) as session:
        (report,) = reports(session, named)
    assert report.loaded_models == {"loras": ["ink"]}


def test_after_a_break_of_the_database_a_take_is_adopted_at_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease of what could not be recorded would last for a minute; nobody waits for that."""
    from sqlalchemy.exc import OperationalError

    from anime_pipeline.rendering import turns

    monkeypatch.setattr("anime_pipeline.rendering.turns.WAIT_SECONDS", 0.05)
    whole, broken = turns.record_success, [True]

    def record(*given: Any) -> Any:
        if broken:
            broken.clear()
            raise OperationalError("COMMIT", None, Exception("terminating connection"))
        return whole(*given)

    monkeypatch.setattr(turns, "record_success", record)
    studio.import_(stills(1))
    studio.plan()
    assert len(studio.drain(lease_seconds=3600).finished) == 1
    assert studio.renders == 1
    assert [event.kind for event in studio.events if event.kind != "progress"] == [
        "started",
        "adopted",
        "finished",
    ]
