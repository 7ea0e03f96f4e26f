"""The one queue: takes wait here, are leased under a token, and are finished only under the current token."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.templates import Graph
from anime_pipeline.rendering.worker_identity import is_dead


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt that was begun and has no end: its prompt may still run, or lie finished on its server.

    ``broken_by``: the connection's failure that left it so; None where its worker ended.
    """

    attempt_id: int
    prompt_id: str
    server_url: str
    server_kind: str
    broken_by: str | None = None


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
    models: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """The server that a take is leased for, and what else decides which take that is.

    ``concurrency`` None: unlimited. ``vram`` and ``biggest`` (of all servers that may be used) in bytes;
    ``loaded``: the models of its last take; ``others``: the other servers that may be used. ``staffed``: the
    servers that this worker has threads on: what lies on one of those is left to them while there is other
    work.
    """

    url: str
    concurrency: int | None = None
    vram: int = 0
    biggest: int = 0
    loaded: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    staffed: Sequence[str] = ()


# Takes carry what has been learned of them in render_params: `unfit` (server → why it cannot), `avoid`
# (servers to try last), `vram_over` (bytes that were too few), and how often each class of failure has hit.
# What lies on a server already is adopted there first, since it has its place. Else priority decides. Then
# projects share: each has its part of the last attempts, in steps of QUANTUM, within which a server keeps to
# the models that it has loaded, if one of the next LOOK_AHEAD wants them.
SHARE_WINDOW, QUANTUM, LOOK_AHEAD = 32, 8, 64
_FIT = """
    NOT jsonb_exists(COALESCE(q.render_params->'unfit', '{}'), :server_url)
"""
_LEASE = text(f"""
    WITH recent AS MATERIALIZED (
        SELECT j.project_id, count(*) AS takes
        FROM (SELECT job_id FROM studio.render_attempts ORDER BY id DESC LIMIT {SHARE_WINDOW}) a
        JOIN jobs j ON j.id = a.job_id GROUP BY j.project_id
    ), ready AS (
        SELECT q.id, q.priority, q.job_id, j.project_id,
               row_number() OVER (PARTITION BY q.priority, j.project_id ORDER BY q.id) AS place
        FROM render_queue q JOIN jobs j ON j.id = q.job_id
        WHERE q.status = 'queued' AND (:everything OR q.job_id = ANY(:job_ids))
          AND (:concurrency IS NULL OR :concurrency >
               (SELECT count(*) FROM studio.render_leases WHERE server_url = :server_url))
          AND COALESCE((q.render_params->>'not_before')::float8, 0) <= extract(epoch FROM clock_timestamp())
          AND {_FIT}
          AND (NOT jsonb_exists(COALESCE(q.render_params->'avoid', '[]'), :server_url)
               OR jsonb_exists_all(q.render_params->'avoid', :others))
          AND (COALESCE((q.render_params->>'vram_over')::int8, -1) < :vram
               OR COALESCE((q.render_params->>'vram_over')::int8, -1) >= :biggest)
    ), next AS (
        SELECT q.id FROM (SELECT * FROM ready WHERE place <= {LOOK_AHEAD}) n
        JOIN render_queue q ON q.id = n.id
        JOIN studio.takes t ON t.job_id = n.job_id
        JOIN studio.recipes r USING (recipe_hash)
        LEFT JOIN recent s ON s.project_id = n.project_id
        LEFT JOIN LATERAL (
            SELECT server_url FROM studio.render_attempts
            WHERE job_id = n.job_id AND finished_at IS NULL ORDER BY id DESC LIMIT 1
        ) o ON TRUE
        WHERE q.status = 'queued'
        ORDER BY CASE WHEN o.server_url = :server_url THEN 0
                      WHEN o.server_url = ANY(:staffed) THEN 2 ELSE 1 END,
                 n.priority DESC, COALESCE(s.takes, 0) / {QUANTUM},
                 (r.models <> '{{}}' AND r.models = CAST(:loaded AS jsonb)) DESC,
                 COALESCE(s.takes, 0), n.id
        LIMIT 1 FOR UPDATE OF q SKIP LOCKED
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
           r.models, a.id AS attempt_id, a.prompt_id, a.server_url, a.server_kind, a.message AS broken_by
    FROM marked m
    JOIN studio.takes t USING (job_id)
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p USING (cut_id)
    LEFT JOIN LATERAL (
        SELECT id, prompt_id, server_url, server_kind, message FROM studio.render_attempts
        WHERE job_id = m.job_id AND finished_at IS NULL ORDER BY id DESC LIMIT 1
    ) a ON TRUE
""")


def lease(
    session: Session,
    worker_id: str,
    place: Place | str,
    seconds: float,
    job_ids: Collection[int] | None = None,
) -> Leased | None:
    """Claim the next take for a server, or None when none is ready that it can do.

    What lies on the server already first, then the highest priority, then the project with the fewest of the
    last attempts, then the models that the server has loaded, then the order of planning; what lies on
    another ``staffed`` server last. ``job_ids`` limits the choice; rows that other workers are
    claiming at this moment are passed over. All workers together keep to the place's concurrency.
    """
    at = Place(place) if isinstance(place, str) else place
    if at.concurrency is not None:  # or two workers would both see the last free place
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:url))"), {"url": f"lease {at.url}"})
    row = session.execute(
        _LEASE,
        {
            "worker_id": worker_id,
            "server_url": at.url,
            "seconds": seconds,
            "everything": job_ids is None,
            "job_ids": list(job_ids or ()),
            "others": list(at.others),
            "staffed": list(at.staffed),
            "vram": at.vram,
            "biggest": at.biggest,
            "concurrency": at.concurrency,
            "loaded": json.dumps(at.loaded),
        },
    ).one_or_none()
    if row is None:
        return None
    attempt = None
    if row.attempt_id is not None:
        attempt = OpenAttempt(
            row.attempt_id, str(row.prompt_id), row.server_url, row.server_kind, row.broken_by
        )
    return Leased(
        row.queue_id, row.token, row.job_id, row.cut_key, row.take_number, row.recipe_hash, row.workflow,
        row.inputs, attempt, row.models,
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


def _free(session: Session, worker_ids: Collection[str] = (), tokens: Collection[int] = ()) -> int:
    # One at a time: a second that waited for the first's rows would judge them by leases as they were before,
    # and take one from whoever leased it in between.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.free_leases'))"))
    session.execute(
        text(
            "DELETE FROM studio.render_leases "
            "WHERE expires_at < clock_timestamp() OR worker_id = ANY(:ids) OR token = ANY(:tokens)"
        ),
        {"ids": list(worker_ids), "tokens": list(tokens)},
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


def give_back(session: Session, tokens: Collection[int]) -> None:
    """Free takes that their worker could not report on; their open attempts stay, to be adopted."""
    _free(session, tokens=tokens)


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
    """Queue failed or cancelled takes again, with all the attempts that their cuts' budgets now allow."""
    session.execute(
        text("""
            WITH again AS (
                UPDATE render_queue SET status = 'queued', attempts = 0, error_message = NULL,
                    max_attempts = COALESCE(
                        (SELECT b.attempts FROM studio.budget_of(cut_id) b), max_attempts),
                    worker_id = NULL, started_at = NULL, completed_at = NULL,
                    render_params = jsonb_strip_nulls(jsonb_build_object(
                        'recipe_hash', render_params->'recipe_hash', 'template', render_params->'template'))
                WHERE job_id = ANY(:job_ids) AND status IN ('failed', 'cancelled') RETURNING job_id
            )
            UPDATE jobs SET status = 'queued', error_message = NULL, completed_at = NULL
            FROM again WHERE jobs.id = again.job_id
        """),
        {"job_ids": list(job_ids)},
    )


def unfinished(
    session: Session,
    job_ids: Collection[int] | None = None,
    server_url: str | None = None,
    worker_id: str | None = None,
) -> int:
    """How many takes wait or are being rendered, by this worker or another.

    Without ``job_ids``: how many wait or are this worker's, so that nobody waits for other workers' takes.
    With ``server_url``: without those that wait and cannot be done there.
    """
    return int(
        session.scalar(
            text(
                "SELECT count(*) FROM render_queue q WHERE job_id IS NOT NULL "
                "AND (:everything OR job_id = ANY(:job_ids)) "
                f"AND ((status = 'queued' AND (CAST(:server_url AS text) IS NULL OR {_FIT})) "
                "     OR (status = 'processing' AND (NOT :everything OR worker_id = :worker_id)))"
            ),
            {
                "everything": job_ids is None,
                "job_ids": list(job_ids or ()),
                "server_url": server_url,
                "worker_id": worker_id,
            },
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


def leave_open(session: Session, attempt_id: int, token: int, why: str) -> None:
    """Say why nobody follows an attempt for now: whoever leases its take next asks its server for it."""
    session.execute(
        text("UPDATE studio.render_attempts SET message = :why WHERE id = :id AND token = :token"),
        {"why": why, "id": attempt_id, "token": token},
    )


def log_late_report(session: Session, leased: Leased, attempt_id: int, said: str) -> None:
    """Note a report under an old token.

    While nobody has the take again the attempt stays open for adoption.
    """
    session.execute(
        text(
            "UPDATE studio.render_attempts a SET finished_at = clock_timestamp(), outcome = 'superseded', "
            "message = :said FROM render_queue q "
            "WHERE a.id = :id AND a.token = :token AND a.finished_at IS NULL "
            "AND q.id = :queue_id AND q.status <> 'queued'"
        ),
        {"said": said, "id": attempt_id, "token": leased.token, "queue_id": leased.queue_id},
    )
