"""What the supervisor is told of us: the truth as the database and the servers have it at this moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.echo_brain.checks import can_check
from anime_pipeline.echo_brain.machines import Machines, machines_now, renderable
from anime_pipeline.settings import Settings

CHECK = "consistency_check"
Word = Literal["ready", "busy", "degraded", "draining"]
STANDING_MINUTES = 10
"""Takes that wait for so long while nothing is rendered are renders that nobody does."""
_SHOWN = 20


@dataclass(frozen=True)
class WorkerStatus:
    """One word, and what is behind it.

    draining: every server is given a rest, what is in flight is finished. degraded: some or all of the fleet
    cannot render, or nobody drains the queue; ``reasons`` says why. busy: takes are being rendered;
    ``busy_with`` names them. ready: none is. ``queue`` counts takes; VRAM is in GiB, None without a GPU.
    """

    status: Word
    reasons: tuple[str, ...]
    busy_with: tuple[dict[str, Any], ...]
    queue: dict[str, int]
    vram: dict[str, float | None] | None
    gpu_info: dict[str, Any] | None
    capabilities: tuple[str, ...]
    max_concurrent_jobs: int

    def heartbeat(self) -> dict[str, Any]:
        """What goes into a heartbeat."""
        told = asdict(self)
        for name in ("gpu_info", "capabilities", "max_concurrent_jobs"):
            told.pop(name)
        return told

    def registration(self, callback_url: str) -> dict[str, Any]:
        """What goes into a registration, beside the worker's id."""
        return {
            "worker_type": "anime_renderer",
            "capabilities": list(self.capabilities),
            "callback_url": callback_url,
            "gpu_info": self.gpu_info,
            "max_concurrent_jobs": self.max_concurrent_jobs,
            "status": self.status,
        }


_QUEUE = text(f"""
    SELECT count(*) FILTER (WHERE q.status = 'queued') AS waiting,
           count(*) FILTER (WHERE q.status = 'processing') AS rendering,
           count(*) FILTER (WHERE q.status = 'failed') AS failed,
           COALESCE(bool_or(q.status = 'queued'
                            AND q.created_at < CURRENT_TIMESTAMP - interval '{STANDING_MINUTES} minutes'
                            AND COALESCE((q.render_params->>'not_before')::float8, 0)
                                <= extract(epoch FROM clock_timestamp())), FALSE) AS stands
    FROM render_queue q WHERE q.job_id IS NOT NULL
""")
_LEASED = text(f"""
    SELECT q.job_id, p.cut_key, t.take_number, l.server_url
    FROM studio.render_leases l
    JOIN render_queue q ON q.id = l.queue_id
    JOIN studio.takes t ON t.job_id = q.job_id
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    WHERE l.expires_at > clock_timestamp() ORDER BY l.token LIMIT {_SHOWN}
""")


def worker_status(session: Session, settings: Settings) -> WorkerStatus:
    """Look at queue, leases and servers; two queries, and one short request to each server."""
    machines = machines_now(session, settings)
    counted = session.execute(_QUEUE).one()
    busy_with = tuple(dict(row._mapping) for row in session.execute(_LEASED))
    reasons = [one.trouble for one in machines.all if one.trouble is not None]
    if counted.stands and not busy_with:
        reasons.append(
            f"{counted.waiting} takes wait and none is rendered; anime-pipeline render renders them"
        )
    return WorkerStatus(
        status=_word(machines, reasons, bool(busy_with)),
        reasons=tuple(reasons),
        busy_with=busy_with,
        queue={"waiting": counted.waiting, "rendering": counted.rendering, "failed": counted.failed},
        vram=machines.vram(),
        gpu_info=machines.gpu_info(),
        capabilities=(*renderable(machines, settings), *((CHECK,) if can_check(session, settings) else ())),
        max_concurrent_jobs=machines.max_concurrent_jobs,
    )


def _word(machines: Machines, reasons: list[str], busy: bool) -> Word:
    if machines.all and all(one.resting for one in machines.all):
        return "draining"
    if reasons:
        return "degraded"
    return "busy" if busy else "ready"
