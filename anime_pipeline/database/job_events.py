"""Events of jobs: read in an order in which none is missed, from any point on.

The triggers of 0015_api write them with the change itself. Transactions overlap, so ids become visible out
of order. What is below a snapshot's xmin is final: read by (txid, id), nothing can appear before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

KEPT_DAYS = 7


@dataclass(frozen=True, order=True)
class Position:
    """A place in the order of events; its text is what SSE calls the event's id."""

    txid: int
    id: int

    def __str__(self) -> str:
        return f"{self.txid}-{self.id}"

    @classmethod
    def parse(cls, written: str) -> Position | None:
        """The place that a text names, None for any other text."""
        match = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", written)
        return cls(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class StoredEvent:
    """A job's status or frame as it was at that moment, with where the job belongs."""

    position: Position
    job_id: int
    project_id: int | None
    cut_key: str | None
    job_type: str
    status: str
    current_frame: int | None
    total_frames: int | None
    message: str | None
    created_at: datetime


_EVENTS = text("""
    SELECT e.txid, e.id, e.job_id, j.project_id, p.cut_key, j.job_type, e.status, e.current_frame,
           e.total_frames, e.message, e.created_at
    FROM studio.job_events e
    JOIN jobs j ON j.id = e.job_id
    LEFT JOIN studio.cut_profiles p ON p.cut_id = j.cut_id
    WHERE (e.txid, e.id) > (:txid, :id)
      AND e.txid < CAST(pg_snapshot_xmin(pg_current_snapshot())::text AS bigint)
      AND (CAST(:job_id AS int) IS NULL OR e.job_id = :job_id)
      AND (CAST(:project_id AS int) IS NULL OR j.project_id = :project_id)
    ORDER BY e.txid, e.id LIMIT :limit
""")


def events_after(
    connection: Connection,
    position: Position,
    limit: int = 1000,
    job_id: int | None = None,
    project_id: int | None = None,
) -> list[StoredEvent]:
    """The next events after a position, of all jobs or of one job or project."""
    rows = connection.execute(
        _EVENTS,
        {
            "txid": position.txid,
            "id": position.id,
            "limit": limit,
            "job_id": job_id,
            "project_id": project_id,
        },
    )
    return [StoredEvent(Position(row.txid, row.id), *row[2:]) for row in rows]


def newest_position(connection: Connection) -> Position:
    """Where the order ends now: whatever comes later comes after it."""
    row = connection.execute(
        text("""
            SELECT txid, id FROM studio.job_events
            WHERE txid < CAST(pg_snapshot_xmin(pg_current_snapshot())::text AS bigint)
            ORDER BY txid DESC, id DESC LIMIT 1
        """)
    ).one_or_none()
    return Position(row.txid, row.id) if row is not None else Position(0, 0)


def forget_old_events(connection: Connection) -> int:
    """Delete what is older than a week, and what a restored backup brought from another server's counting."""
    deleted = connection.execute(
        text("""
            DELETE FROM studio.job_events
            WHERE created_at < clock_timestamp() - make_interval(days => :days)
               OR txid >= CAST(pg_snapshot_xmax(pg_current_snapshot())::text AS bigint)
        """),
        {"days": KEPT_DAYS},
    )
    return deleted.rowcount
