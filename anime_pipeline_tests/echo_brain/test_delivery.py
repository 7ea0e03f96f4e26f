"""Defends delivery: nothing lost, nothing doubled for one that honours the id, a job's events in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain import outbox
from anime_pipeline.echo_brain.delivery import deliver
from anime_pipeline.echo_brain.heartbeat import beat, register, unregister
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings
from anime_pipeline_tests.echo_brain.supervising import (
    SECRET,
    RunningSupervisor,
    TurnedClock,
    end_jobs,
    make_jobs,
    outbox_states,
)

pytestmark = pytest.mark.slow

FAST = {"anime_pipeline.echo_brain.client.READ_SECONDS": 0.5}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for answers half a second and not five."""
    for name, value in FAST.items():
        monkeypatch.setattr(name, value)


def execute(settings: Settings, query: str, **values: Any) -> list[Any]:
    with session_scope(settings) as session:
        result = session.execute(text(query), values)
        return list(result.all()) if result.returns_rows else []


def deliver_all(settings: Settings, clock: TurnedClock, ticks: int = 40) -> None:
    """As the sensors do, every 30 seconds of the turned clock, until nothing is left."""
    for _ in range(ticks):
        beat(settings, clock)
        if deliver(settings, clock=clock).left == 0:
            return
        clock.turn(seconds=30)
    raise AssertionError("not all was delivered")


def check_each_came_once(supervisor: RunningSupervisor, settings: Settings) -> None:
    """What was written is what came, and each job's events in the order in which they were written."""
    written = execute(settings, "SELECT event_id::text AS id, job_id FROM studio.outbox o ORDER BY o.id")
    came = [(event["event_id"], event["job_id"]) for event in supervisor.received()]
    assert Counter(came) == Counter((row.id, row.job_id) for row in written)
    for job_id in {row.job_id for row in written}:
        assert [e for e, job in came if job == job_id] == [row.id for row in written if row.job_id == job_id]


def test_ends_of_jobs_are_told_in_order(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    first, second = make_jobs(registered, 2)
    end_jobs(registered, [first], "failed")
    end_jobs(registered, [first], "queued")
    end_jobs(registered, [second], "cancelled")
    end_jobs(registered, [first], "completed")
    done = deliver(registered, clock=clock)
    assert (done.ended, done.delivered, done.left) == ("empty", 3, 0)
    assert supervisor.kinds(first) == ["job.failed", "job.completed"]
    assert supervisor.kinds(second) == ["job.failed"]
    (cancelled,) = [event for event in supervisor.received() if event["job_id"] == second]
    assert cancelled["data"]["status"] == "cancelled"
    check_each_came_once(supervisor, registered)
    assert deliver(registered, clock=clock).delivered == 0


def test_an_event_is_written_with_its_change_or_not_at_all(registered: Settings) -> None:
    (job_id,) = make_jobs(registered, 1)
    with session_scope(registered) as session:
        session.execute(text("UPDATE jobs SET status = 'completed' WHERE id = :id"), {"id": job_id})
        assert session.scalar(text("SELECT count(*) FROM studio.outbox")) == 1
        session.rollback()
    assert outbox_states(registered) == {}


def test_without_a_supervisor_nothing_piles_up(settings: Settings) -> None:
    end_jobs(settings, make_jobs(settings, 3))
    assert outbox_states(settings) == {}
    assert deliver(settings).ended == "off"
    assert beat(settings).done == "off"
    assert execute(settings, "SELECT 1 FROM studio.echo_worker") == []


def test_a_supervisor_that_no_process_names_any_more_gets_no_events(registered: Settings) -> None:
    execute(registered, "UPDATE studio.echo_worker SET seen_at = now() - interval '8 days'")
    end_jobs(registered, make_jobs(registered, 1))
    assert outbox_states(registered) == {}


def test_ten_minutes_down_and_nothing_is_lost(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    jobs = make_jobs(registered, 20)
    end_jobs(registered, jobs[:5])
    supervisor.down()
    for minute in range(10):
        end_jobs(registered, jobs[5 + minute : 6 + minute], random.choice(["completed", "failed"]))
        for _ in range(2):
            assert deliver(registered, clock=clock).delivered == 0
            assert beat(registered, clock).done in ("unreachable", "waiting")
            clock.turn(seconds=30)
    assert outbox_states(registered) == {"waiting": 15}
    tried = execute(registered, "SELECT sum(attempts) AS n FROM studio.outbox")[0].n
    assert tried == 0, "a supervisor that is away is no failure of an event"
    supervisor.up()
    clock.turn(minutes=5)
    end_jobs(registered, jobs[15:])
    deliver_all(registered, clock)
    assert len(supervisor.received()) == 20
    check_each_came_once(supervisor, registered)


def test_while_it_is_down_a_tick_asks_once_and_waits_longer_each_time(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    end_jobs(registered, make_jobs(registered, 50))
    supervisor.down()
    waits = []
    for _ in range(12):
        before = time.monotonic()
        assert deliver(registered, clock=clock).ended == "outage"
        assert time.monotonic() - before < 15
        (row,) = execute(registered, "SELECT deliver_at FROM studio.echo_worker")
        waits.append((row.deliver_at - clock()).total_seconds())
        assert deliver(registered, clock=clock).ended == "outage", "not tried again before its time"
        clock.turn(seconds=waits[-1] + 0.001)
    assert 0.5 <= waits[0] <= 1
    assert 150 <= waits[-1] <= 300


@pytest.mark.parametrize("kind", ["error", "lost", "down"])
def test_answers_of_500_cost_nothing_but_time(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock, kind: str
) -> None:
    jobs = make_jobs(registered, 6)
    end_jobs(registered, jobs[:3], "failed")
    end_jobs(registered, jobs, "completed")
    supervisor.misbehave(kind, times=7, match="/events")
    deliver_all(registered, clock)
    check_each_came_once(supervisor, registered)
    receipts = [row["receipts"] for row in supervisor.store.events()]
    assert max(receipts) > 1 if kind == "lost" else max(receipts) == 1


@pytest.mark.usefixtures("impatient")
def test_a_slow_supervisor_is_left_alone_and_doubles_nothing(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    end_jobs(registered, make_jobs(registered, 8))
    supervisor.misbehave("slow", times=5, seconds=2.0, match="/events")
    before = time.monotonic()
    done = deliver(registered, clock=clock)
    assert time.monotonic() - before < 10
    assert (done.ended, done.failed) == ("outage", 3)
    clock.turn(seconds=30)
    deliver_all(registered, clock)
    check_each_came_once(supervisor, registered)
    assert any(row["receipts"] > 1 for row in supervisor.store.events()), "it had some of them already"


def test_forgotten_it_registers_again_and_goes_on(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    end_jobs(registered, make_jobs(registered, 2))
    supervisor.store.forget()
    done = deliver(registered, clock=clock)
    assert (done.ended, done.delivered) == ("empty", 2)
    assert beat(registered, clock).done == "told"
    check_each_came_once(supervisor, registered)


def test_one_that_forgets_us_at_once_is_an_outage(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor.supervisor is not None
    monkeypatch.setattr(supervisor.supervisor, "known", lambda worker_id: False)
    end_jobs(registered, make_jobs(registered, 3))
    done = deliver(registered, clock=clock)
    assert (done.ended, done.left) == ("outage", 3)


def test_what_is_refused_dies_stops_its_job_alone_and_is_replayed(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    ill, well = make_jobs(registered, 2)
    end_jobs(registered, [ill, well], "failed")
    execute(
        registered, "UPDATE studio.outbox SET event_type = 'job.failed', data = '[]' WHERE job_id = :j", j=ill
    )
    end_jobs(registered, [ill, well], "completed")
    deaths = 0
    for _ in range(20):
        beat(registered, clock)
        deaths += deliver(registered, clock=clock).died
        clock.turn(seconds=30)
    assert deaths == 1
    assert outbox_states(registered) == {"dead": 1, "waiting": 1, "delivered": 2}
    assert supervisor.kinds(well) == ["job.failed", "job.completed"]
    assert supervisor.kinds(ill) == []
    with session_scope(registered) as session:
        waiting, dead = outbox.list_events(session, ["waiting", "dead"], 10)
        assert waiting.held_by == dead.event_id
        assert dead.attempts == 5
        assert "422" in (dead.last_error or "")
    execute(registered, "UPDATE studio.outbox SET data = '{}' WHERE state = 'dead'")
    with session_scope(registered) as session:
        assert outbox.replay(session, "dead") == 1
    deliver_all(registered, clock)
    check_each_came_once(supervisor, registered)


def test_a_dead_event_can_be_dropped_so_that_its_job_goes_on(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    (job_id,) = make_jobs(registered, 1)
    end_jobs(registered, [job_id], "failed")
    end_jobs(registered, [job_id], "completed")
    execute(registered, "UPDATE studio.outbox SET state = 'dead' WHERE event_type = 'job.failed'")
    assert deliver(registered, clock=clock).ended == "later"
    with session_scope(registered) as session:
        with pytest.raises(UserError, match="no dead event"):
            outbox.drop(session, "4711")
        assert outbox.drop(session, str(job_id)) == 1
    deliver_all(registered, clock)
    assert supervisor.kinds(job_id) == ["job.completed"]


@pytest.mark.parametrize("target", ["4711", "dead", "2f8a2c9e-3f6c-4f0e-9d6b-0c8f8f0e7a11", "nonsense", ""])
def test_a_replay_of_nothing_says_so(registered: Settings, target: str) -> None:
    with session_scope(registered) as session, pytest.raises(UserError):
        outbox.replay(session, target)


def test_a_delivered_event_is_replayed_under_its_id(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    end_jobs(registered, make_jobs(registered, 1))
    deliver_all(registered, clock)
    (event,) = supervisor.received()
    with session_scope(registered) as session:
        assert outbox.replay(session, event["event_id"]) == 1
    deliver_all(registered, clock)
    (row,) = supervisor.store.events()
    assert row["receipts"] == 2


def test_delivered_events_are_kept_for_a_month(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    end_jobs(registered, make_jobs(registered, 1))
    deliver_all(registered, clock)
    clock.turn(days=29)
    deliver(registered, clock=clock)
    assert outbox_states(registered) == {"delivered": 1}
    clock.turn(days=2)
    deliver(registered, clock=clock)
    assert outbox_states(registered) == {}


def test_one_process_delivers_at_a_time(registered: Settings, clock: TurnedClock) -> None:
    from anime_pipeline.echo_brain.delivery import _only_deliverer

    with _only_deliverer(registered) as session:
        assert session is not None
        assert deliver(registered, clock=clock).ended == "elsewhere"
    assert deliver(registered, clock=clock).ended == "empty"


def test_killed_in_the_middle_of_a_delivery(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    """SIGKILL, twice, of a real process; what it was at comes again under the same id."""
    jobs = make_jobs(registered, 30)
    end_jobs(registered, jobs, "failed")
    end_jobs(registered, jobs, "completed")
    supervisor.misbehave("slow", times=None, seconds=0.03, match="/events")
    for share in (15, 35):
        process = _delivering(registered)
        _wait_until(lambda: len(supervisor.store.events()) >= share)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert outbox_states(registered)["waiting"] > 0
    supervisor.behave()
    _wait_until(lambda: deliver(registered, clock=clock).ended != "elsewhere")
    deliver_all(registered, clock)
    check_each_came_once(supervisor, registered)
    assert len(supervisor.received()) == 60


def test_a_supervisor_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    """SIGKILL of the supervisor's own process, which starts again on the same port with what it knew."""
    worker = settings.model_copy(update={"echo_brain_secret": SECRET})
    process, url = _supervising(tmp_path, 0)
    worker = worker.model_copy(update={"echo_brain_url": url})
    assert beat(worker).done == "registered"
    jobs = make_jobs(worker, 40)
    end_jobs(worker, jobs, "failed")
    end_jobs(worker, jobs, "completed")
    delivering = _delivering(worker)
    _wait_until(lambda: outbox_states(worker).get("delivered", 0) >= 20)
    process.kill()
    process.wait()
    delivering.wait(60)
    left = outbox_states(worker)["waiting"]
    assert left > 0
    process, _ = _supervising(tmp_path, int(url.rpartition(":")[2]))
    try:
        assert deliver(worker, wait=False).left == 0
        events = requests.get(f"{url}/api/supervisor/state", timeout=10).json()["events"]
    finally:
        process.terminate()
        process.wait()
    came = [row["event"] for row in events]
    assert len(came) == len({event["event_id"] for event in came}) == 80
    for job_id in jobs:
        told = [event["event_type"] for event in came if event["job_id"] == job_id]
        assert told == ["job.failed", "job.completed"]


def test_unregistered_it_says_nothing_until_it_is_registered(
    registered: Settings, supervisor: RunningSupervisor, clock: TurnedClock
) -> None:
    before, after = make_jobs(registered, 2)
    end_jobs(registered, [before])
    unregister(registered, clock)
    assert supervisor.store.workers() == []
    end_jobs(registered, [after])
    assert deliver(registered, clock=clock).ended == "left"
    assert beat(registered, clock).done == "left"
    register(registered, clock)
    deliver_all(registered, clock)
    assert [event["job_id"] for event in supervisor.received()] == [before]


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ends=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["completed", "failed"])), max_size=12),
    faults=st.lists(st.sampled_from(["error", "lost", "down"]), max_size=6),
)
def test_whatever_happens_each_job_is_told_in_order(
    registered: Settings,
    supervisor: RunningSupervisor,
    clock: TurnedClock,
    ends: list[tuple[int, str]],
    faults: list[str],
) -> None:
    """Any ends of any jobs, with faults in between: what is written is what comes, once, in order."""
    jobs = make_jobs(registered, 4)
    beat(registered, clock)
    for fault in faults:
        supervisor.misbehave(fault, match="/events")
    for place, (job, status) in enumerate(ends):
        end_jobs(registered, [jobs[job]], "queued")
        end_jobs(registered, [jobs[job]], status)
        if place % 3 == 0:
            deliver(registered, clock=clock)
            clock.turn(seconds=1)
    beat(registered, clock)
    for _ in range(60):
        if deliver(registered, clock=clock).left == 0:
            break
        clock.turn(seconds=30)
        beat(registered, clock)
    supervisor.behave()
    check_each_came_once(supervisor, registered)


def _supervising(home: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    """A supervisor in a process of its own, and its URL."""
    code = "from anime_pipeline.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "echo-supervisor", "--port", str(port)],
        env={
            **os.environ,
            "ANIME_HOME": str(home),
            "ANIME_ECHO_BRAIN_SECRET": SECRET,
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split(" at ")[1].split(",")[0]
    _wait_until(lambda: _answers(url))
    return process, url


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _delivering(settings: Settings) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from anime_pipeline.settings import Settings; "
        "from anime_pipeline.echo_brain.delivery import deliver; "
        "deliver(Settings.model_validate_json(sys.argv[1]), 60.0)"
    )
    return subprocess.Popen([sys.executable, "-c", code, settings.model_dump_json()])


def _wait_until(condition: Any, seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
