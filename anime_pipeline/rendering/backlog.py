"""What waits in the queue, as whoever launches work on it needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class WaitingTake:
    """A take that nobody is rendering. ``revision`` differs each time that it comes to the queue anew."""

    job_id: int
    cut_key: str
    priority: int
    revision: str


_WAITING = text("""
    SELECT q.job_id, p.cut_key, COALESCE(q.priority, 0) AS priority,
           q.job_id || '.' || COALESCE(a.newest, 0) AS revision
    FROM render_queue q
    JOIN studio.takes t ON t.job_id = q.job_id
    JOIN jobs j ON j.id = q.job_id
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    LEFT JOIN LATERAL (
        SELECT max(id) AS newest FROM studio.render_attempts WHERE job_id = q.job_id
    ) a ON TRUE
    WHERE q.status = 'queued'
      AND (t.reproduces_job_id IS NULL OR NOT jsonb_exists(COALESCE(j.metadata, '{}'), 'requested_by'))
    ORDER BY q.priority DESC, q.id
""")


def waiting_takes(session: Session) -> list[WaitingTake]:
    """Every take that waits, in the order of its turn: by priority, then as they came.

    Without second takes that someone asked for: the servers must forget the first ones before, which
    :func:`~anime_pipeline.rendering.reproduction.serve_second_takes` sees to.
    """
    return [WaitingTake(*row) for row in session.execute(_WAITING)]
