"""The one queue: takes wait here, are leased under a token, and are finished only under the current token."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.templates import Graph
from anime_pipeline.rendering.worker_identity import is_dead


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt that was begun and never reported:
    its prompt may still run, or lie finished on its server.
    """

    attempt_id: int
    prompt_id: str
    server_url: str
    server_kind: str


@dataclass(frozen=True)
class Leased:
    """A take that this worker may render now. ``token`` is the fence: whatever is recorded asks for it."""

    queue_id: int
    token: int
    job_id: int
    cut_key: str
    take_number: int
    recipe_hash: str
    workflow: Graph
    inputs: dict[str, str]
    open_attempt: OpenAttempt | None


_LEASE = text("""
    WITH next AS (
        SELECT id FROM render_queue
        WHERE status = 'queued' AND job_id IS NOT NULL AND (:everything OR job_id = ANY(:job_ids))
          AND COALESCE((render_params->>'not_before')::float8, 0) <= extract(epoch FROM clock_timestamp())
        ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), leased AS (
        INSERT INTO studio.render_leases (queue_id, worker_id, server_url, expires_at)
        SELECT id, :worker_id, :server_url, clock_timestamp() + make_interval(secs => :seconds) FROM next
        RETURNING queue_id, token
    ), marked AS (
        UPDATE render_queue q
        SET status = 'processing', started_at = CURRENT_TIMESTAMP, worker_id = :worker_id
        FROM leased WHERE q.id = leased.queue_id RETURNING q.id, q.job_id, leased.token
    ), job AS (
        UPDATE jobs SET status = 'processing', started_at = CURRENT_TIMESTAMP
        FROM marked WHERE jobs.id = marked.job_id
    )
    SELECT m.id AS queue_id, m.token, m.job_id, p.cut_key, t.take_number, r.recipe_hash, r.workflow, r.inputs,
           a.id AS attempt_id, a.prompt_id, a.server_url, a.server_kind
    FROM marked m
    JOIN studio.takes t USING (job_id)
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p USING (cut_id)
    LEFT JOIN LATERAL (
        SELECT id, prompt_id, server_url, server_kind FROM studio.render_attempts
        WHERE job_id = m.job_id AND finished_at IS NULL ORDER BY id DESC LIMIT 1
    ) a ON TRUE
""")


def lease(
    session: Session, worker_id: str, server_url: str, seconds: float, job_ids: Collection[int] | None = None
) -> Leased | None:
    """Claim the next take (highest priority, then the order of planning), or None when none is ready.

    ``job_ids`` limits the choice; rows that other workers are claiming at this moment are passed over.
    """
    row = session.execute(
        _LEASE,
        {
            "worker_id": worker_id,
            "server_url": server_url,
            "seconds": seconds,
            "everything": job_ids is None,
            "job_ids": list(job_ids or ()),
        },
    ).one_or_none()
    if row is None:
        return None
    attempt = None
    if row.attempt_id is not None:
        attempt = OpenAttempt(row.attempt_id, str(row.prompt_id), row.server_url, row.server_kind)
    return Leased(
        row.queue_id, row.token, row.job_id, row.cut_key, row.take_number, row.recipe_hash, row.workflow,
        row.inputs, attempt,
    )  # fmt: skip


def expire(session: Session) -> int:
    """Free what was leased to workers that are late or, on this machine, dead; the number of takes freed.

    Their open attempts stay, so that the next worker can adopt what they left on a server.
    """
    workers = session.scalars(text("SELECT DISTINCT worker_id FROM studio.render_leases"))
    return _free(session, [worker_id for worker_id in workers if is_dead(worker_id)])


def release(session: Session, worker_id: str) -> int:
    """Free whatever a worker that ends still holds, and whatever is late; the number of takes freed."""
    return _free(session, [worker_id])


def _free(session: Session, worker_ids: list[str]) -> int:
    session.execute(
        text(
            "DELETE FROM studio.render_leases WHERE expires_at < clock_timestamp() OR worker_id = ANY(:ids)"
        ),
        {"ids": worker_ids},
    )
    freed = session.execute(
        text("""
            WITH freed AS (
                UPDATE render_queue q SET status = 'queued', worker_id = NULL
                WHERE status = 'processing' AND job_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM studio.render_leases l WHERE l.queue_id = q.id)
                RETURNING job_id
            )
            UPDATE jobs SET status = 'queued' FROM freed WHERE jobs.id = freed.job_id RETURNING jobs.id
        """)
    )
    return len(freed.all())


def heartbeat(session: Session, tokens: Collection[int], seconds: float) -> None:
    """Prolong leases; a token that has been replaced stays replaced."""
    session.execute(
        text(
            "UPDATE studio.render_leases "
            "SET expires_at = clock_timestamp() + make_interval(secs => :seconds) WHERE token = ANY(:tokens)"
        ),
        {"seconds": seconds, "tokens": list(tokens)},
    )


def give_up_lease(session: Session, leased: Leased) -> bool:
    """End a lease, as part of the transaction that records why;
    False when the token is not current any more.
    """
    ended = session.execute(
        text(
            "DELETE FROM studio.render_leases WHERE queue_id = :queue_id AND token = :token RETURNING token"
        ),
        {"queue_id": leased.queue_id, "token": leased.token},
    )
    return ended.one_or_none() is not None


def holds_lease(session: Session, leased: Leased) -> bool:
    """Whether the token is current; the lease cannot change hands before the transaction ends."""
    held = session.execute(
        text("SELECT FROM studio.render_leases WHERE queue_id = :queue_id AND token = :token FOR UPDATE"),
        {"queue_id": leased.queue_id, "token": leased.token},
    )
    return held.one_or_none() is not None


def put_back(session: Session, leased: Leased, delay_seconds: float = 0.0) -> None:
    """Return a take to the queue, not to be leased before the delay is over.

    Its lease must have been given up.
    """
    session.execute(
        text("""
            WITH back AS (
                UPDATE render_queue SET status = 'queued', worker_id = NULL,
                    render_params = COALESCE(render_params, '{}')
                        || jsonb_build_object('not_before', extract(epoch FROM clock_timestamp()) + :delay)
                WHERE id = :queue_id RETURNING job_id
            )
            UPDATE jobs SET status = 'queued' FROM back WHERE jobs.id = back.job_id
        """),
        {"queue_id": leased.queue_id, "delay": float(delay_seconds)},
    )


def requeue(session: Session, job_ids: Sequence[int]) -> None:
    """Queue failed or cancelled takes again, with all their attempts."""
    session.execute(
        text("""
            WITH again AS (
                UPDATE render_queue SET status = 'queued', attempts = 0, error_message = NULL,
                    worker_id = NULL, started_at = NULL, completed_at = NULL,
                    render_params = COALESCE(render_params, '{}') - 'not_before' - 'lost'
                WHERE job_id = ANY(:job_ids) AND status IN ('failed', 'cancelled') RETURNING job_id
            )
            UPDATE jobs SET status = 'queued', error_message = NULL, completed_at = NULL
            FROM again WHERE jobs.id = again.job_id
        """),
        {"job_ids": list(job_ids)},
    )


def unfinished(session: Session, job_ids: Collection[int] | None = None) -> int:
    """How many takes wait or are being rendered, by this worker or another.

    Without ``job_ids``: how many wait, so that nobody waits for other workers' takes.
    """
    states = ["queued"] if job_ids is None else ["queued", "processing"]
    return int(
        session.scalar(
            text(
                "SELECT count(*) FROM render_queue WHERE status = ANY(:states) AND job_id IS NOT NULL "
                "AND (:everything OR job_id = ANY(:job_ids))"
            ),
            {"states": states, "everything": job_ids is None, "job_ids": list(job_ids or ())},
        )
        or 0
    )


def start_attempt(
    session: Session, leased: Leased, server_url: str, server_kind: str, prompt_id: str
) -> int | None:
    """Record an attempt before its prompt is posted; its id, or None when the lease is lost."""
    if not holds_lease(session, leased):
        return None
    values: dict[str, Any] = {
        "job_id": leased.job_id,
        "queue_id": leased.queue_id,
        "server_url": server_url,
        "server_kind": server_kind,
        "prompt_id": uuid.UUID(prompt_id),
        "token": leased.token,
    }
    attempt_id: int | None = session.scalar(
        text(
            "INSERT INTO studio.render_attempts "
            "(job_id, queue_id, server_url, server_kind, prompt_id, token) "
            "VALUES (:job_id, :queue_id, :server_url, :server_kind, :prompt_id, :token) RETURNING id"
        ),
        values,
    )
    return attempt_id


def adopt_attempt(session: Session, leased: Leased, attempt: OpenAttempt) -> bool:
    """Take over an open attempt under the current token; False when the lease is lost."""
    if not holds_lease(session, leased):
        return False
    session.execute(
        text("UPDATE studio.render_attempts SET token = :token WHERE id = :id"),
        {"token": leased.token, "id": attempt.attempt_id},
    )
    return True


def end_attempt(
    session: Session,
    attempt_id: int,
    token: int,
    outcome: str,
    error_class: str | None = None,
    message: str | None = None,
    gpu_seconds: float | None = None,
) -> None:
    """Close an attempt: succeeded, failed, lost or cancelled.

    An attempt that another token adopted stays open.
    """
    session.execute(
        text(
            "UPDATE studio.render_attempts SET finished_at = clock_timestamp(), outcome = :outcome, "
            "error_class = :error_class, message = :message, gpu_seconds = :gpu_seconds "
            "WHERE id = :id AND token = :token"
        ),
        {
            "id": attempt_id,
            "token": token,
            "outcome": outcome,
            "error_class": error_class,
            "message": message,
            "gpu_seconds": gpu_seconds,
        },
    )


def log_late_report(session: Session, leased: Leased, attempt_id: int, said: str) -> None:
    """Note a report under an old token.

    While nobody has the take again the attempt stays open for adoption.
    """
    session.execute(
        text(
            "UPDATE studio.render_attempts a SET finished_at = clock_timestamp(), outcome = 'superseded', "
            "message = :said FROM render_queue q "
            "WHERE a.id = :id AND a.token = :token AND q.id = :queue_id AND q.status <> 'queued'"
        ),
        {"said": said, "id": attempt_id, "token": leased.token, "queue_id": leased.queue_id},
    )
