"""What rendering will cost, from what rendering has cost: GPU seconds per frame and megapixel, by workflow.

A workflow that nothing has been rendered with has no forecast; nothing is guessed for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.wanted_recipes import wanted_recipes
from anime_pipeline.settings import Settings

HISTORY = 2000
"""The newest attempts that count; servers and workflows change."""

Basis = Literal["workflow and server", "workflow"]


@dataclass(frozen=True)
class CutForecast:
    """What a cut's takes will cost.

    ``takes`` are those that are still to be rendered. ``gpu_seconds`` is None where no take of the
    ``workflow`` was ever rendered; else it is the median of ``history`` takes, scaled by size and length.
    ``basis`` says whether these were rendered on the kind of server that there is now, or on another.
    """

    cut_key: str
    takes: int
    workflow: str
    gpu_seconds: float | None
    history: int
    basis: Basis | None


@dataclass(frozen=True)
class Forecast:
    """What some cuts will cost. ``gpu_seconds`` leaves out the ``unknown`` takes, which have no history."""

    cuts: tuple[CutForecast, ...]

    @property
    def takes(self) -> int:
        """Takes to render."""
        return sum(cut.takes for cut in self.cuts)

    @property
    def gpu_seconds(self) -> float:
        """Seconds of all takes that can be told."""
        return sum(cut.gpu_seconds or 0.0 for cut in self.cuts)

    @property
    def unknown(self) -> int:
        """Takes of which nothing can be told."""
        return sum(cut.takes for cut in self.cuts if cut.gpu_seconds is None)

    @property
    def history(self) -> int:
        """How many rendered takes are behind it."""
        return sum({cut.workflow: cut.history for cut in self.cuts if cut.takes}.values())

    @property
    def said(self) -> str:
        """The forecast in words."""
        if not self.takes:
            return "nothing to render"
        takes = counted(self.takes, "take")
        if self.unknown == self.takes:
            return f"{takes} to render; none of their workflows was rendered before, so the cost is unknown"
        told = f"{takes} to render, about {duration(self.gpu_seconds)} of GPU time"
        told += f" (from {counted(self.history, 'rendered take')})"
        return f"{told}; {self.unknown} of them of unknown cost" if self.unknown else told

    def as_json(self) -> dict[str, Any]:
        """The totals."""
        return {
            "takes": self.takes,
            "gpu_seconds": round(self.gpu_seconds, 1)
            if self.unknown < self.takes or not self.takes
            else None,
            "unknown_takes": self.unknown,
            "history_takes": self.history,
        }


@dataclass(frozen=True)
class _Rate:
    """Seconds per frame and megapixel, and how many takes say so."""

    seconds: float
    takes: int
    basis: Basis


_SPENT = text(f"""
    SELECT r.template_name AS workflow, a.server_kind,
           a.gpu_seconds / (GREATEST(g.frame_count, 1) * g.width::float8 * g.height / 1e6) AS rate
    FROM (
        SELECT job_id, server_kind, gpu_seconds FROM studio.render_attempts
        WHERE outcome = 'succeeded' AND gpu_seconds IS NOT NULL ORDER BY id DESC LIMIT {HISTORY}
    ) a
    JOIN studio.takes t USING (job_id)
    JOIN studio.recipes r USING (recipe_hash)
    JOIN generation_params g USING (job_id)
    WHERE g.width > 0 AND g.height > 0
""")
_KINDS = text("""
    SELECT DISTINCT kind FROM studio.render_servers
    WHERE kind IS NOT NULL AND state <> 'paused'
      AND (origin = 'added' OR url = ANY(:urls))
""")
_CUTS = text("""
    SELECT p.cut_key, COALESCE(p.workflow, f.workflows ->> p.kind, 'animatic-' || p.kind) AS workflow,
           CASE p.kind WHEN 'still' THEN 1 ELSE COALESCE(c.duration_frames, 1) END
           * COALESCE((p.spec ->> 'width')::int, f.width)::float8
           * COALESCE((p.spec ->> 'height')::int, f.height) / 1e6 AS work
    FROM studio.cut_profiles p
    JOIN cuts c ON c.id = p.cut_id
    JOIN studio.project_profiles f USING (project_id)
    WHERE p.cut_key = ANY(:keys)
""")
_TAKES = text("""
    SELECT p.cut_key, t.recipe_hash, j.status = 'completed' AND t.pruned_at IS NULL AS is_finished
    FROM studio.cut_profiles p
    JOIN studio.takes t USING (cut_id)
    JOIN jobs j ON j.id = t.job_id
    WHERE p.cut_key = ANY(:keys) AND t.reproduces_job_id IS NULL
      AND j.status IN ('completed', 'queued', 'processing')
""")


def forecast(session: Session, settings: Settings, cut_keys: Collection[str]) -> Forecast:
    """What rendering these cuts will cost: the takes that they want and lack, and those that wait.

    A constant number of queries. Cuts that cannot be rendered, or lack nothing, cost nothing.
    """
    keys = list(cut_keys)
    lacking = _lacking(session, settings, keys)
    rates = _rates(session, _server_kind(session, settings))
    rows = {row.cut_key: row for row in session.execute(_CUTS, {"keys": keys})}
    return Forecast(tuple(_cut(rows[key], lacking[key], rates) for key in keys))


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 12 min, 3 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int | float, one: str, several: str = "") -> str:
    """A number with what is counted: 1 take, 2 takes."""
    return f"{count} {one if count == 1 else several or f'{one}s'}"


def _cut(row: Any, takes: int, rates: Mapping[str, _Rate]) -> CutForecast:
    rate = rates.get(row.workflow)
    if rate is None:
        return CutForecast(row.cut_key, takes, row.workflow, None if takes else 0.0, 0, None)
    seconds = takes * float(row.work) * rate.seconds
    return CutForecast(row.cut_key, takes, row.workflow, seconds, rate.takes, rate.basis)


def _lacking(session: Session, settings: Settings, keys: list[str]) -> dict[str, int]:
    """How many takes of each cut are still to be rendered: wanted ones that aren't finished, and retakes."""
    finished: dict[str, set[str]] = {}
    waiting: dict[str, set[str]] = {}
    for row in session.execute(_TAKES, {"keys": keys}):
        (finished if row.is_finished else waiting).setdefault(row.cut_key, set()).add(row.recipe_hash)
    return {
        key: len((set(cut.recipe_hashes) - finished.get(key, set())) | waiting.get(key, set()))
        for key, cut in wanted_recipes(session, settings, keys).items()
    }


def _rates(session: Session, kind: str | None) -> dict[str, _Rate]:
    """The median rate of each workflow, on this kind of server where there is any history of it."""
    spent: dict[str, dict[str, list[float]]] = {}
    for row in session.execute(_SPENT):
        spent.setdefault(row.workflow, {}).setdefault(row.server_kind, []).append(float(row.rate))
    rates = {}
    for workflow, by_kind in spent.items():
        if kind in by_kind:
            rates[workflow] = _Rate(median(by_kind[kind]), len(by_kind[kind]), "workflow and server")
        else:
            every = [rate for found in by_kind.values() for rate in found]
            rates[workflow] = _Rate(median(every), len(every), "workflow")
    return rates


def _server_kind(session: Session, settings: Settings) -> str | None:
    """The kind of server that renders now; None where there are several kinds, or it is not known yet."""
    urls = list(settings.comfyui_server_urls)
    kinds = set(session.scalars(_KINDS, {"urls": urls}))
    if not kinds and not urls:
        return "preview"
    return kinds.pop() if len(kinds) == 1 else None
