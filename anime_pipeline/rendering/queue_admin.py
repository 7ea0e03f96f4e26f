"""What a person does with the queue: look, try again, cancel, put in another order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.errors import UserError
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.queue import requeue

STATES = ("queued", "processing", "completed", "failed", "cancelled")
_MOST_DIGITS = 19
"""No number of a job is that long; PostgreSQL would refuse it."""


@dataclass(frozen=True)
class QueuedTake:
    """A row of the queue. ``unfit``: server → why it cannot render this; ``server_url``: who renders it."""

    job_id: int
    cut_key: str
    take_number: int
    status: str
    priority: int
    attempts: int
    max_attempts: int
    template_name: str
    created_at: datetime | None
    server_url: str | None
    worker_id: str | None
    not_before: datetime | None
    unfit: dict[str, str]
    message: str | None


@dataclass(frozen=True)
class AttemptInfo:
    """One try at a take, as it was recorded; times in UTC."""

    attempt_id: int
    server_url: str
    server_kind: str
    prompt_id: str
    token: int
    started_at: datetime
    finished_at: datetime | None
    gpu_seconds: float | None
    outcome: str | None
    error_class: str | None
    message: str | None


_QUEUE = """
    SELECT q.job_id, p.cut_key, t.take_number, q.status, q.priority, q.attempts, q.max_attempts,
           r.template_name, q.created_at, l.server_url, l.worker_id,
           to_timestamp((q.render_params->>'not_before')::float8) AS not_before,
           COALESCE(q.render_params->'unfit', '{}') AS unfit, q.error_message AS message
    FROM render_queue q
    JOIN studio.takes t ON t.job_id = q.job_id
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    LEFT JOIN studio.render_leases l ON l.queue_id = q.id
"""


def list_queue(
    session: Session,
    scope: str | None = None,
    states: Collection[str] = ("queued", "processing", "failed"),
    job_ids: Sequence[int] | None = None,
) -> list[QueuedTake]:
    """The takes in these states of a project, episode, scene or cut (None: all), in order of their turn."""
    rows = session.execute(
        text(f"""{_QUEUE}
            WHERE q.status = ANY(:states) AND (CAST(:job_ids AS bigint[]) IS NULL OR q.job_id = ANY(:job_ids))
              AND (CAST(:scope AS text) IS NULL OR p.cut_key = :scope OR starts_with(p.cut_key, :prefix))
            ORDER BY array_position(ARRAY['processing', 'queued'], q.status::text), q.priority DESC, q.id
        """),
        {
            "states": list(states), "scope": scope, "prefix": f"{scope}.",
            "job_ids": None if job_ids is None else list(job_ids),
        },
    )  # fmt: skip
    return [QueuedTake(**row) for row in rows.mappings()]


def resolve(session: Session, target: str, states: Collection[str] = STATES) -> list[QueuedTake]:
    """The takes that a person means by a job's number or the key of a cut, scene, episode or project.

    Raises :class:`UserError` when there is none in these states.
    """
    if target.isdecimal():
        found = list_queue(session, None, states, [int(target)]) if len(target) < _MOST_DIGITS else []
    else:
        found = list_queue(session, target, states)
    if not found:
        which = "" if states == STATES else f" that is {' or '.join(states)}"
        raise UserError(f"{target} has no take{which}.", "anime-pipeline queue list --all shows all")
    return found


def attempts_of(session: Session, job_id: int) -> list[AttemptInfo]:
    """Every attempt at a take, oldest first."""
    rows = session.execute(
        text("""
            SELECT id AS attempt_id, server_url, server_kind, prompt_id::text, token, started_at, finished_at,
                   gpu_seconds, outcome, error_class, message
            FROM studio.render_attempts WHERE job_id = :job_id ORDER BY id
        """),
        {"job_id": job_id},
    )
    return [AttemptInfo(**row) for row in rows.mappings()]


def retry(session: Session, target: str) -> list[QueuedTake]:
    """Queue failed or cancelled takes again, with all their attempts and every server to try.

    From now on a person wants them, whatever their cuts' plans want.
    """
    takes = resolve(session, target, ("failed", "cancelled"))
    job_ids = [take.job_id for take in takes]
    requeue(session, job_ids)
    session.execute(
        text(
            "UPDATE render_queue SET render_params = render_params || '{\"retried\": true}' "
            "WHERE job_id = ANY(:job_ids)"
        ),
        {"job_ids": job_ids},
    )
    return takes


def reprioritise(session: Session, target: str, priority: int) -> list[QueuedTake]:
    """Give waiting takes another priority; the higher goes first. What is being rendered goes on."""
    takes = resolve(session, target, ("queued", "processing"))
    set_priority(session, [take.job_id for take in takes], priority)
    return takes


def set_priority(session: Session, job_ids: Collection[int], priority: int) -> None:
    """Give these takes a priority; the higher goes first, 0 is usual."""
    session.execute(
        text("UPDATE render_queue SET priority = :priority WHERE job_id = ANY(:job_ids)"),
        {"priority": priority, "job_ids": list(job_ids)},
    )


def cancel(session: Session, target: str) -> list[QueuedTake]:
    """Cancel takes that wait or are being rendered.

    Their leases end here, so that a worker's late report is not applied; then, after the commit, call
    :func:`take_off_servers` with what this returns.
    """
    takes = resolve(session, target, ("queued", "processing"))
    ids: dict[str, Any] = {"job_ids": [take.job_id for take in takes]}
    leases = text(
        "DELETE FROM studio.render_leases WHERE queue_id IN "
        "(SELECT id FROM render_queue WHERE job_id = ANY(:job_ids))"
    )
    session.execute(leases, ids)
    session.execute(
        text("""
            WITH ended AS (
                UPDATE render_queue SET status = 'cancelled', completed_at = CURRENT_TIMESTAMP,
                       worker_id = NULL, error_message = 'cancelled by a person'
                WHERE job_id = ANY(:job_ids) AND status IN ('queued', 'processing') RETURNING job_id
            )
            UPDATE jobs SET status = 'cancelled', completed_at = CURRENT_TIMESTAMP,
                   error_message = 'cancelled by a person'
            FROM ended WHERE jobs.id = ended.job_id
        """),
        ids,
    )
    session.execute(leases, ids)  # again, for what was leased in between
    return takes


def close_attempts(session: Session, takes: Sequence[QueuedTake]) -> list[AttemptInfo]:
    """Close the open attempts of cancelled takes; those whose prompts are to be taken off their servers."""
    open_attempts = [
        attempt
        for take in takes
        for attempt in attempts_of(session, take.job_id)
        if attempt.finished_at is None
    ]
    session.execute(
        text(
            "UPDATE studio.render_attempts SET finished_at = clock_timestamp(), outcome = 'cancelled', "
            "error_class = 'interrupted', message = 'cancelled by a person' WHERE id = ANY(:ids)"
        ),
        {"ids": [attempt.attempt_id for attempt in open_attempts]},
    )
    return open_attempts


def take_off_servers(attempts: Sequence[AttemptInfo]) -> list[str]:
    """Take prompts off their servers, as far as those answer; why not, for each that could not be."""
    said = []
    for attempt in attempts:
        try:
            ComfyClient(attempt.server_url).cancel(attempt.prompt_id)
        except ComfyError as error:
            said.append(f"{attempt.prompt_id} may still run: {error}")
    return said
