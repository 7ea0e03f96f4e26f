"""What a drain tells while it works, and what it tells at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

EventKind = Literal[
    "started", "adopted", "progress", "finished", "retried", "failed", "superseded", "stopped"
]


@dataclass(frozen=True)
class RenderEvent:
    """One thing that happened to a take. ``done`` of ``total`` takes of this drain have ended so far.

    ``fraction`` (0 to 1) says how far the running node is, in events of kind ``progress``.
    """

    kind: EventKind
    job_id: int
    cut_key: str
    take_number: int
    server_url: str
    done: int
    total: int
    message: str = ""
    fraction: float | None = None


OnEvent = Callable[[RenderEvent], None]


@dataclass(frozen=True)
class TakeReport:
    """How a take ended; ``reason`` is set where it failed."""

    job_id: int
    cut_key: str
    take_number: int
    reason: str | None = None


@dataclass(frozen=True)
class DrainReport:
    """Every take that was asked for: finished, failed (with reasons), or still waiting for a server."""

    finished: list[TakeReport] = field(default_factory=list)
    failed: list[TakeReport] = field(default_factory=list)
    waiting: list[TakeReport] = field(default_factory=list)


def drain_report(session: Session, job_ids: list[int]) -> DrainReport:
    """What the database says of these takes now."""
    report = DrainReport()
    rows = session.execute(
        text("""
            SELECT j.id, p.cut_key, t.take_number, j.status, j.error_message
            FROM jobs j JOIN studio.takes t ON t.job_id = j.id
            JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
            WHERE j.id = ANY(:job_ids)
        """),
        {"job_ids": job_ids},
    )
    for row in sorted(rows, key=lambda row: (row.cut_key, row.take_number)):
        take = TakeReport(row.id, row.cut_key, row.take_number, row.error_message)
        if row.status == "completed":
            report.finished.append(take)
        elif row.status in ("failed", "cancelled"):
            report.failed.append(take)
        else:
            report.waiting.append(take)
    return report
