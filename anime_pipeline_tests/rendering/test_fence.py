"""Defends the queue: one owner per take, tokens that only grow, late reports that change nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import MediaInfo
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering import queue, queue_admin, worker_identity
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.queue import Leased
from anime_pipeline.rendering.recording import Rendered, RenderedFile, record_failure, record_success
from anime_pipeline_tests.rendering.studio import Studio, stills

PROMPT = "0a5bd2a8-6d0c-4d4e-9d6f-1c1f6d2f7a10"


def lease(studio: Studio, worker: str = "elsewhere:1:1:a", seconds: float = 60.0) -> Leased | None:
    with session_scope(studio.settings) as session:
        return queue.lease(session, worker, studio.server.url, seconds)


def expire(studio: Studio) -> int:
    with session_scope(studio.settings) as session:
        return queue.expire(session)


def attempt(studio: Studio, leased: Leased, prompt_id: str = PROMPT) -> int | None:
    with session_scope(studio.settings) as session:
        return queue.start_attempt(session, leased, studio.server.url, "preview", prompt_id)


def rendered(studio: Studio) -> Rendered:
    stored = MediaStore.of(studio.settings).put_bytes(b"a picture", ".png")
    return Rendered(
        (RenderedFile(stored, MediaInfo("image", 8, 8, 1, None, "png"), "frame"),), "0" * 64, 1.5, "preview"
    )


@contextmanager
def two_owners(studio: Studio) -> Iterator[tuple[Leased, int, Leased]]:
    """A worker whose lease ran out in the middle of its attempt, and the one that has the take now."""
    studio.import_(stills(1))
    studio.plan()
    late = lease(studio, seconds=0.0)
    assert late is not None
    attempt_id = attempt(studio, late)
    assert attempt_id is not None
    assert expire(studio) == 1
    now = lease(studio, "elsewhere:2:2:b")
    assert now is not None
    assert now.token > late.token
    yield late, attempt_id, now


def test_a_late_success_is_logged_and_not_applied(studio: Studio) -> None:
    with two_owners(studio) as (late, attempt_id, _), session_scope(studio.settings) as session:
        assert record_success(session, late, attempt_id, rendered(studio)) == "superseded"
    assert studio.query("SELECT * FROM studio.take_media") == []
    assert studio.outcomes() == {"superseded": 1}
    assert [row.status for row in studio.query("SELECT status FROM jobs")] == ["processing"]


def test_a_late_failure_is_not_applied_either(studio: Studio) -> None:
    with two_owners(studio) as (late, attempt_id, _), session_scope(studio.settings) as session:
        assert record_failure(session, late, attempt_id, ComfyError("execution", "no")) == "superseded"
    (row,) = studio.query("SELECT status, attempts, error_message FROM render_queue")
    assert tuple(row) == ("processing", 0, None)


def test_the_next_owner_adopts_and_the_late_one_cannot_close_its_attempt(studio: Studio) -> None:
    with two_owners(studio) as (late, attempt_id, now):
        assert now.open_attempt is not None
        assert now.open_attempt.prompt_id == PROMPT
        with session_scope(studio.settings) as session:
            assert queue.adopt_attempt(session, now, now.open_attempt)
        with session_scope(studio.settings) as session:
            record_success(session, late, attempt_id, rendered(studio))
        assert studio.outcomes() == {None: 1}
        with session_scope(studio.settings) as session:
            assert record_success(session, now, attempt_id, rendered(studio)) == "finished"
        assert studio.outcomes() == {"succeeded": 1}


def test_no_attempt_starts_without_the_lease(studio: Studio) -> None:
    with two_owners(studio) as (late, _, now):
        other = "1a5bd2a8-6d0c-4d4e-9d6f-1c1f6d2f7a10"
        assert attempt(studio, late, other) is None
        assert attempt(studio, now, other) is not None


def test_a_lease_whose_time_is_over_still_counts_while_nobody_else_has_the_take(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    leased = lease(studio, seconds=0.0)
    assert leased is not None
    attempt_id = attempt(studio, leased)
    assert attempt_id is not None
    with session_scope(studio.settings) as session:
        assert record_success(session, leased, attempt_id, rendered(studio)) == "finished"


def test_a_heartbeat_keeps_a_lease(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    leased = lease(studio, seconds=0.0)
    assert leased is not None
    with session_scope(studio.settings) as session:
        queue.heartbeat(session, [leased.token], 60.0)
    assert expire(studio) == 0
    assert lease(studio) is None


def test_workers_at_once_never_lease_the_same_take(studio: Studio) -> None:
    studio.import_(stills(20))
    studio.plan()
    leased: list[Leased] = []

    def take_all(name: str) -> None:
        while (one := lease(studio, name)) is not None:
            leased.append(one)

    threads = [threading.Thread(target=take_all, args=(f"elsewhere:{n}:0:x",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.queue_id for one in leased}) == len({one.token for one in leased}) == len(leased) == 20


def test_priority_comes_first_and_then_the_order_of_the_story(studio: Studio) -> None:
    studio.import_(stills(4))
    studio.plan()
    with session_scope(studio.settings) as session:
        session.execute(
            text("UPDATE render_queue SET priority = 5 WHERE id = (SELECT max(id) FROM render_queue)")
        )
    order = [one.cut_key[-5:] for _ in range(4) if (one := lease(studio)) is not None]
    assert order == ["c0040", "c0010", "c0020", "c0030"]


def test_a_dead_worker_of_this_machine_is_noticed_at_once(studio: Studio) -> None:
    studio.import_(stills(2))
    studio.plan()
    alive = worker_identity.new_worker_id()
    host, pid, start, nonce = alive.split(":")
    assert lease(studio, alive) is not None
    assert (
        lease(studio, f"{host}:{pid}:{int(start or 0) + 1}:{nonce}") is not None
    )  # the pid is another's now
    assert expire(studio) == 1
    assert not worker_identity.is_dead(alive)
    assert not worker_identity.is_dead(f"elsewhere:{pid}:0:{nonce}")


def test_two_planners_at_once_make_one_take(studio: Studio) -> None:
    studio.import_(stills(5))
    barrier = threading.Barrier(4)
    plans: list[list[int | None]] = []

    def plan() -> None:
        barrier.wait()
        plans.append([cut.job_id for cut in studio.plan()])

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(plans) == 4
    assert all(one == plans[0] for one in plans)
    assert [row.count for row in studio.query("SELECT count(*) FROM studio.takes")] == [5]


@pytest.mark.parametrize("attempts", range(1, 12))
def test_waits_grow_and_are_bounded(attempts: int) -> None:
    from anime_pipeline.rendering.fate import retry_delay

    assert 0.0 < retry_delay(attempts) <= 30.0


def test_nothing_in_the_media_store_is_needed_for_the_queue(studio: Studio, tmp_path: Path) -> None:
    assert lease(studio) is None
    assert expire(studio) == 0
    report = studio.drain(comfyui_urls="http://127.0.0.1:9")  # an empty queue asks no server
    assert (report.finished, report.failed, report.waiting) == ([], [], [])


def test_a_worker_in_another_container_of_this_machine_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Containers may share their host's name and boot; each counts its processes from 1."""
    place = tmp_path / "pid"
    monkeypatch.setattr(worker_identity, "_PIDS", place)

    def here(container: str) -> str:
        place.unlink(missing_ok=True)
        place.symlink_to(f"pid:[{container}]")
        worker_identity._host.cache_clear()
        return worker_identity.new_worker_id()

    ours = here("4026531836")
    gone = ":".join([ours.split(":")[0], "999999999", *ours.split(":")[2:]])
    assert worker_identity.is_dead(gone)
    here("4026532999")
    assert not worker_identity.is_dead(gone)
    worker_identity._host.cache_clear()


def test_a_take_that_is_leased_while_a_person_cancels_it_is_cancelled(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.plan()
    leased: list[Leased | None] = []

    def between(_: object, __: object, statement: str, *___: object) -> None:
        if "status = 'cancelled'" in statement and not leased:
            leased.append(None)
            leased.append(lease(studio))

    with session_scope(studio.settings) as session:
        event.listen(session.connection().engine, "before_cursor_execute", between)
        try:
            queue_admin.cancel(session, "tiny")
        finally:
            event.remove(session.connection().engine, "before_cursor_execute", between)
    late = leased[-1]
    assert late is not None
    assert attempt(studio, late) is None
    assert studio.query("SELECT 1 FROM studio.render_leases") == []
