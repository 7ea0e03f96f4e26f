"""The outbox as people and the deliverer see it. Triggers of the database write it: see 0013_echo_brain."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.errors import UserError

State = Literal["waiting", "delivered", "dead"]
STATES: tuple[State, ...] = ("waiting", "delivered", "dead")
KEPT_DAYS = 30
"""How long a delivered event is kept to look at."""


@dataclass(frozen=True)
class Event:
    """An event for the supervisor; times in UTC.

    ``failures`` weighs the attempts that count against the event: at 300 it is dead. ``held_by``: the dead
    event of the same job that has to be replayed or dropped first, since a job's events keep their order.
    """

    id: int
    event_id: uuid.UUID
    event_type: str
    job_id: int
    task_id: str | None
    data: dict[str, Any]
    occurred_at: datetime
    state: State
    attempts: int
    failures: int
    not_before: datetime | None
    delivered_at: datetime | None
    last_error: str | None
    held_by: uuid.UUID | None = None

    def message(self) -> dict[str, Any]:
        """The event as it is sent."""
        return {
            "event_id": str(self.event_id),
            "event_type": self.event_type,
            "task_id": self.task_id,
            "job_id": self.job_id,
            "timestamp": self.occurred_at.astimezone(timezone.utc).isoformat(),
            "data": self.data,
        }


_COLUMNS = """o.id, o.event_id, o.event_type, o.job_id, o.task_id, o.data, o.occurred_at, o.state, o.attempts,
    o.failures, o.not_before, o.delivered_at, o.last_error"""

# Of each job the oldest event that is not delivered, if it waits and its time has come.
_NEXT = text(f"""
    SELECT {_COLUMNS} FROM (
        SELECT DISTINCT ON (job_id) * FROM studio.outbox WHERE state <> 'delivered' ORDER BY job_id, id
    ) o WHERE o.state = 'waiting' AND (o.not_before IS NULL OR o.not_before <= :now)
    ORDER BY o.id LIMIT :limit
""")
_LIST = text(f"""
    SELECT {_COLUMNS}, CASE WHEN o.state = 'waiting' THEN (
        SELECT d.event_id FROM studio.outbox d
        WHERE d.job_id = o.job_id AND d.state = 'dead' AND d.id < o.id ORDER BY d.id LIMIT 1) END AS held_by
    FROM studio.outbox o WHERE o.state = ANY(:states) ORDER BY o.id DESC LIMIT :limit
""")


def next_events(session: Session, now: datetime, limit: int) -> list[Event]:
    """Events that may be sent now, oldest first, of each job at most one."""
    return [Event(**row) for row in session.execute(_NEXT, {"now": now, "limit": limit}).mappings()]


def list_events(session: Session, states: Collection[State], limit: int) -> list[Event]:
    """The newest events in these states, newest first."""
    rows = session.execute(_LIST, {"states": list(states), "limit": limit})
    return [Event(**row) for row in rows.mappings()]


def count_events(session: Session) -> dict[State, int]:
    """How many events are in each state."""
    rows = session.execute(text("SELECT state, count(*) AS n FROM studio.outbox GROUP BY state"))
    found = {row.state: int(row.n) for row in rows}
    return {state: found.get(state, 0) for state in STATES}


def replay(session: Session, target: str) -> int:
    """Have events delivered (again) as soon as may be; how many.

    ``target``: the id of one event, also of one that was delivered; a job's number, for all its events that
    are not; or ``dead``, for all dead ones. Raises :class:`UserError` where there is none.
    """
    matched = _matching(target)
    queued = session.execute(
        text(f"""
            UPDATE studio.outbox SET state = 'waiting', failures = 0, not_before = NULL, delivered_at = NULL
            WHERE {matched} RETURNING id
        """),
        {"target": target},
    ).all()
    if not queued:
        raise UserError(f"The outbox has no event for {target!r}.", "anime-pipeline echo outbox list --all")
    # Who replays has mended something: the next delivery does not wait until an outage's time is over.
    session.execute(text("UPDATE studio.echo_worker SET deliver_at = NULL"))
    return len(queued)


def drop(session: Session, target: str) -> int:
    """Delete dead events, so that what comes after them in their jobs is delivered; how many."""
    matched = _matching(target)
    query = text(f"DELETE FROM studio.outbox WHERE state = 'dead' AND ({matched}) RETURNING id")
    dropped = session.execute(query, {"target": target}).all()
    if not dropped:
        raise UserError(f"The outbox has no dead event for {target!r}.", "anime-pipeline echo outbox list")
    return len(dropped)


def prune(session: Session, now: datetime) -> int:
    """Delete what was delivered long ago; how many."""
    before = now - timedelta(days=KEPT_DAYS)
    query = text(
        "DELETE FROM studio.outbox WHERE state = 'delivered' AND delivered_at < :before RETURNING id"
    )
    return len(session.execute(query, {"before": before}).all())


def make_due(session: Session) -> None:
    """Let every event that waits for its time be tried now."""
    session.execute(
        text("UPDATE studio.outbox SET not_before = NULL WHERE state = 'waiting' AND not_before IS NOT NULL")
    )


def mark_delivered(session: Session, event: Event, now: datetime) -> None:
    """The supervisor has it."""
    session.execute(
        text("""
            UPDATE studio.outbox SET state = 'delivered', delivered_at = :now, attempts = attempts + 1,
                   last_error = NULL, not_before = NULL WHERE id = :id
        """),
        {"id": event.id, "now": now},
    )


def mark_tried(
    session: Session, event: Event, message: str, weight: int, not_before: datetime, deadly: int
) -> State:
    """The attempt failed: it counts ``weight``, and at ``deadly`` the event is dead."""
    state: State = session.execute(
        text("""
            UPDATE studio.outbox SET attempts = attempts + 1, failures = failures + :weight,
                   last_error = :message, not_before = :not_before,
                   state = CASE WHEN failures + :weight >= :deadly THEN 'dead' ELSE 'waiting' END
            WHERE id = :id RETURNING state
        """),
        {"id": event.id, "weight": weight, "message": message, "not_before": not_before, "deadly": deadly},
    ).scalar_one()
    return state


def write_for_task(session: Session, task_id: str, job_ids: Sequence[int]) -> None:
    """Tell a task of takes that were finished before it asked for them."""
    session.execute(
        text("""
            INSERT INTO studio.outbox (event_type, job_id, task_id, data)
            SELECT 'job.completed', id, :task_id, studio.job_facts(id) FROM jobs
            WHERE id = ANY(:job_ids) AND status = 'completed' ORDER BY id
        """),
        {"task_id": task_id, "job_ids": list(job_ids)},
    )


def _matching(target: str) -> str:
    if target == "dead":
        return ":target = 'dead' AND state = 'dead'"
    if target.isascii() and target.isdigit() and len(target) < 10:
        return "job_id = CAST(:target AS integer) AND state <> 'delivered'"
    try:
        uuid.UUID(target)
    except ValueError:
        raise UserError(
            f"{target!r} names no event.", "give an event's id, a job's number, or the word dead"
        ) from None
    return "event_id = CAST(:target AS uuid)"
