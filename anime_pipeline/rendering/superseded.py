"""Withdraws takes that wait for what their cut doesn't want any more, and that only its plan asked for."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.changes import changes_between
from anime_pipeline.rendering.ingredients import Ingredients
from anime_pipeline.rendering.known_takes import SUPERSEDED

_MOST_FIELDS = 4

# Whoever is leasing such a row at this moment has it.
_HOLD = text("""
    SELECT id FROM render_queue WHERE job_id = ANY(:job_ids) AND status = 'queued'
    ORDER BY id FOR UPDATE SKIP LOCKED
""")
# A statement of its own, so that it sees what was written before the rows were held: a row may have been
# leased, begun and given back since the plan looked. A take with an attempt may still lie on a server.
_UNASKED = text("""
    SELECT t.job_id, t.ingredients
    FROM render_queue q
    JOIN studio.takes t USING (job_id)
    JOIN jobs j ON j.id = t.job_id
    WHERE q.id = ANY(:queue_ids)
      AND t.reproduces_job_id IS NULL
      AND NOT jsonb_exists(COALESCE(j.metadata, '{}'), 'requested_by')
      AND NOT jsonb_exists(COALESCE(q.render_params, '{}'), 'retried')
      AND NOT EXISTS (SELECT FROM studio.render_leases l WHERE l.queue_id = q.id)
      AND NOT EXISTS (SELECT FROM studio.render_attempts a WHERE a.job_id = t.job_id)
      AND NOT EXISTS (SELECT FROM studio.retakes r WHERE r.answered_by_job_id = t.job_id)
      AND NOT EXISTS (SELECT FROM studio.echo_task_jobs e WHERE e.job_id = t.job_id)
      AND NOT EXISTS (SELECT FROM studio.job_callbacks c WHERE c.job_id = t.job_id)
      AND NOT EXISTS (SELECT FROM studio.measure_requests m WHERE m.job_id = t.job_id)
""")
_WITHDRAW = text("""
    WITH gone AS (
        UPDATE render_queue q
        SET status = 'cancelled', completed_at = CURRENT_TIMESTAMP, worker_id = NULL, error_message = w.why
        FROM unnest(CAST(:job_ids AS int[]), CAST(:whys AS text[])) AS w (job_id, why)
        WHERE q.job_id = w.job_id AND q.status = 'queued' RETURNING q.job_id, q.error_message
    )
    UPDATE jobs SET status = 'cancelled', completed_at = CURRENT_TIMESTAMP, error_message = gone.error_message
    FROM gone WHERE jobs.id = gone.job_id
""")


def withdraw_superseded(session: Session, superseded: Mapping[int, Ingredients]) -> set[int]:
    """Cancel those of these waiting takes that nobody but the plan asked for; the job ids of these.

    ``superseded``: job id → the ingredients that its cut has now, which the reason tells. What was begun,
    or is being leased at this moment, goes on. Call it under the planners' lock, so that nobody asks for
    one of these takes meanwhile. Planning queues a take again when its recipe is wanted again.
    """
    held = list(session.scalars(_HOLD, {"job_ids": list(superseded)})) if superseded else []
    if not held:
        return set()
    unasked = session.execute(_UNASKED, {"queue_ids": held}).all()
    whys = {row.job_id: _why(row.ingredients, superseded[row.job_id]) for row in unasked}
    session.execute(_WITHDRAW, {"job_ids": list(whys), "whys": list(whys.values())})
    return set(whys)


def _why(old: Ingredients, new: Ingredients) -> str:
    fields = [change.field for change in changes_between(old, new)]
    if not fields:  # fewer takes are wanted, or the same story is told to the renderer in another way
        return f"{SUPERSEDED} what the cut wants"
    more = f" and {len(fields) - _MOST_FIELDS} more" if len(fields) > _MOST_FIELDS else ""
    return f"{SUPERSEDED} {', '.join(fields[:_MOST_FIELDS])}{more}"
