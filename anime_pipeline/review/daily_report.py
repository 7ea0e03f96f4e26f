"""A day in the studio: what was rendered, what passed and failed, what people decided, and what it cost.

Everything is asked of the database. The text of a day that is over changes only where its rows do; queue and
servers are told as they are when the report is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.errors import UserError
from anime_pipeline.media.atomic import whole_file
from anime_pipeline.rendering.known_takes import SUPERSEDED
from anime_pipeline.review.report_text import markdown
from anime_pipeline.settings import Settings

Row = Mapping[str, Any]

# Days are half-open, and every time of ours is in UTC: `b` and `e` are aware, `nb` and `ne` the same without
# a zone, as columns of type TIMESTAMP have them.
_QUERIES: dict[str, str] = {
    "rendered": """
        SELECT f.slug AS project, t.server_kind AS renderer, count(*) AS takes,
               sum(CASE WHEN j.total_frames > 0 THEN j.total_frames ELSE 1 END) AS frames,
               count(*) FILTER (WHERE t.reproduces_job_id IS NOT NULL) AS reproductions
        FROM jobs j JOIN studio.takes t ON t.job_id = j.id
        JOIN studio.project_profiles f USING (project_id)
        WHERE j.status = 'completed' AND j.completed_at >= :nb AND j.completed_at < :ne
        GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "not_rendered": f"""
        SELECT p.cut_key AS cut, t.take_number AS take, j.status, j.error_message AS why
        FROM jobs j JOIN studio.takes t ON t.job_id = j.id JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
        WHERE j.status IN ('failed', 'cancelled') AND j.completed_at >= :nb AND j.completed_at < :ne
          AND NOT starts_with(COALESCE(j.error_message, ''), '{SUPERSEDED}')
        ORDER BY 1, 2
    """,
    "judged": """
        SELECT phase, count(*) FILTER (WHERE verdict = 'passed') AS passed,
               count(*) FILTER (WHERE verdict = 'failed') AS failed,
               count(*) FILTER (WHERE verdict = 'incomplete') AS incomplete
        FROM (
            SELECT DISTINCT ON (job_id, phase) phase, verdict FROM studio.gate_verdicts
            WHERE scope = 'cut' AND created_at >= :nb AND created_at < :ne ORDER BY job_id, phase, id DESC
        ) newest GROUP BY 1 ORDER BY 1
    """,
    "retakes": """
        SELECT f.slug AS project,
               CASE WHEN r.automatic THEN 'automatic, ' || r.cause
                    ELSE 'asked by ' || COALESCE(r.asked_by, 'somebody') END AS asked,
               count(*) AS retakes
        FROM studio.retakes r JOIN studio.cut_profiles p USING (cut_id)
        JOIN studio.project_profiles f USING (project_id)
        WHERE r.created_at >= :nb AND r.created_at < :ne GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "to_review": """
        SELECT p.cut_key AS cut, w.reason AS why
        FROM studio.cut_reviews w JOIN studio.cut_profiles p USING (cut_id)
        WHERE w.created_at >= :nb AND w.created_at < :ne AND p.omitted_at IS NULL ORDER BY 1
    """,
    "gates": """
        SELECT DISTINCT ON (scope_key, phase) scope_key AS scope, phase, verdict, cuts_passed AS passed,
               cuts_total AS cuts, reason
        FROM studio.gate_verdicts v
        WHERE scope <> 'cut' AND created_at >= :nb AND created_at < :ne
          AND (verdict <> 'incomplete'
               OR EXISTS (SELECT FROM jsonb_each(v.judged_cuts) c WHERE c.value ->> 0 IS NOT NULL))
        ORDER BY scope_key, phase, id DESC
    """,
    "overrides": """
        SELECT scope_key AS scope, phase, verdict, overridden_by AS by, reason FROM studio.gate_overrides
        WHERE created_at >= :nb AND created_at < :ne ORDER BY id
    """,
    "withdrawn": """
        SELECT scope_key AS scope, phase, withdrawn_by AS by, withdrawn_reason AS reason
        FROM studio.gate_overrides WHERE withdrawn_at >= :nb AND withdrawn_at < :ne ORDER BY id
    """,
    "thresholds": """
        SELECT COALESCE(project, 'all projects') AS project, gate_name AS gate, old_value AS old,
               new_value AS new, changed_by AS by
        FROM studio.threshold_changes WHERE created_at >= :nb AND created_at < :ne ORDER BY id
    """,
    "films": """
        SELECT scope_key AS scope, kind, count(*) AS built FROM studio.deliveries
        WHERE created_at >= :nb AND created_at < :ne GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "cost": """
        SELECT server_url AS server, server_kind AS kind, count(*) AS attempts,
               count(*) FILTER (WHERE outcome <> 'succeeded') AS in_vain,
               round(COALESCE(sum(gpu_seconds), 0)::numeric, 1)::float8 AS gpu_seconds
        FROM studio.render_attempts WHERE finished_at >= :b AND finished_at < :e
        GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "queue": """
        SELECT f.slug AS project, q.status, count(*) AS takes, max(q.priority) AS highest_priority
        FROM render_queue q JOIN studio.takes t ON t.job_id = q.job_id
        JOIN studio.cut_profiles p ON p.cut_id = t.cut_id JOIN studio.project_profiles f USING (project_id)
        WHERE q.status IN ('queued', 'processing') GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "servers": """
        SELECT url AS server, state, kind, failures, last_error AS error
        FROM studio.render_servers ORDER BY 1
    """,
}  # fmt: skip


@dataclass(frozen=True)
class DailyReport:
    """A day's rows by what they tell of; ``begins`` and ``ends`` (UTC) bound the day of the zone."""

    day: date
    time_zone: str
    begins: datetime
    ends: datetime
    rows: dict[str, list[dict[str, Any]]]

    @property
    def totals(self) -> dict[str, int | float]:
        """The day in numbers."""
        return {
            "takes_rendered": sum(row["takes"] for row in self.rows["rendered"]),
            "takes_not_rendered": len(self.rows["not_rendered"]),
            "takes_passed": sum(row["passed"] for row in self.rows["judged"]),
            "takes_failed": sum(row["failed"] for row in self.rows["judged"]),
            "takes_incomplete": sum(row["incomplete"] for row in self.rows["judged"]),
            "retakes": sum(row["retakes"] for row in self.rows["retakes"]),
            "cuts_to_review": len(self.rows["to_review"]),
            "gates_passed": sum(row["verdict"] == "passed" for row in self.rows["gates"]),
            "gates_not_passed": sum(row["verdict"] != "passed" for row in self.rows["gates"]),
            "overrides": len(self.rows["overrides"]),
            "gpu_seconds": round(sum(row["gpu_seconds"] for row in self.rows["cost"]), 1),
            "takes_waiting": sum(row["takes"] for row in self.rows["queue"]),
        }

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**asdict(self), "day": self.day.isoformat(), "totals": self.totals}

    def markdown(self) -> str:
        """The report for people."""
        return markdown(self.day, self.time_zone, self.totals, self.rows)


def daily_report(session: Session, settings: Settings, day: date) -> DailyReport:
    """The report of a day of the studio's zone (``ANIME_TIME_ZONE``)."""
    zone = ZoneInfo(settings.time_zone)
    begins, ends = (
        datetime.combine(one, time(), zone).astimezone(timezone.utc) for one in (day, day + timedelta(days=1))
    )
    bounds = {"b": begins, "e": ends, "nb": begins.replace(tzinfo=None), "ne": ends.replace(tzinfo=None)}
    rows = {
        name: [dict(row) for row in session.execute(text(sql), _used(sql, bounds)).mappings()]
        for name, sql in _QUERIES.items()
    }
    return DailyReport(day, settings.time_zone, begins, ends, rows)


def reported_day(settings: Settings, told: str | None, now: datetime) -> date:
    """The day that is told, as 2026-11-22 or today; untold, the last whole one of the studio's zone."""
    today = now.astimezone(ZoneInfo(settings.time_zone)).date()
    if not told:
        return today - timedelta(days=1)
    try:
        return today if told == "today" else date.fromisoformat(told)
    except ValueError:
        raise UserError(f"{told!r} is no day.", "write it as 2026-11-22, or today") from None


def write_report(settings: Settings, report: DailyReport) -> Path:
    """Keep the report as ``reports/<day>.md`` in the home; an earlier one of the same day is replaced."""
    path = settings.home / "reports" / f"{report.day.isoformat()}.md"
    with whole_file(path) as temporary:
        temporary.write_text(report.markdown(), encoding="utf-8")
    return path


def _used(sql: str, bounds: Mapping[str, datetime]) -> dict[str, datetime]:
    return {name: at for name, at in bounds.items() if f":{name} " in sql or f":{name}\n" in sql}
