"""What a gate judges: each cut's take and its measurements, in three queries for any scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, CutProfile, Job, Measurement, Take

FINISHED = ("quality_check", "completed")
"""States of a job whose media are recorded."""

FRESH = {"populate_existing": True}
"""Execution option of reads whose rows another session may have changed since this one last saw them."""


@dataclass(frozen=True)
class Measured:
    """A row of studio.measurements, without its per-frame values."""

    state: str
    value: float | None
    reason: str | None
    remedy: str | None
    details: Mapping[str, Any]
    provenance: tuple[str, str, str | None]  # backend, version, weights' sha256


@dataclass(frozen=True)
class CutEvidence:
    """A cut and the take that stands for it; without a take, ``job_id`` is None.

    ``has_animatic`` says that the cut has finished takes, which are animatics and were not asked for.
    """

    cut_key: str
    kind: str
    has_cast: bool = True
    job_id: int | None = None
    take_number: int | None = None
    recipe_hash: str | None = None
    has_animatic: bool = False
    measurements: Mapping[str, Measured] = field(default_factory=dict)


def within(scope_key: str) -> ColumnElement[bool]:
    """The condition that a cut's profile lies in a scope."""
    return or_(
        CutProfile.cut_key == scope_key, CutProfile.cut_key.startswith(f"{scope_key}.", autoescape=True)
    )


def load_evidence(
    session: Session, which: ColumnElement[bool], animatics: bool, job_ids: Collection[int] = ()
) -> list[CutEvidence]:
    """The evidence of the active cuts that meet a condition, in story order.

    A cut's take is the selected one, else its newest finished one. Without ``animatics``, takes of the
    preview server are passed over. A take in ``job_ids`` stands for its cut before all others.
    """
    which = and_(which, CutProfile.omitted_at.is_(None))
    cuts = session.execute(
        select(CutProfile.cut_id, CutProfile.cut_key, CutProfile.kind, Cut.character_ids)
        .join(Cut, Cut.id == CutProfile.cut_id)
        .where(which)
    ).all()
    takes = _finished_takes(session, which)
    chosen = {cut.cut_id: _chosen(takes.get(cut.cut_id, []), animatics, job_ids) for cut in cuts}
    found = _measurements(session, [take.job_id for take in chosen.values() if take])
    return [
        _evidence(cut, chosen[cut.cut_id], cut.cut_id in takes, found)
        for cut in sorted(cuts, key=lambda row: str(row.cut_key))
    ]


def _evidence(
    cut: Any, take: Take | None, has_takes: bool, found: Mapping[int, Mapping[str, Measured]]
) -> CutEvidence:
    has_cast = bool(cut.character_ids)
    if take is None:
        return CutEvidence(cut.cut_key, cut.kind, has_cast, has_animatic=has_takes)
    measured = found.get(take.job_id, {})
    return CutEvidence(
        cut.cut_key, cut.kind, has_cast, take.job_id, take.take_number, take.recipe_hash, False, measured
    )


def _finished_takes(session: Session, which: ColumnElement[bool]) -> dict[int, list[Take]]:
    takes: dict[int, list[Take]] = {}
    for take in session.scalars(
        select(Take)
        .join(Job, Job.id == Take.job_id)
        .join(CutProfile, CutProfile.cut_id == Take.cut_id)
        .where(which, Job.status.in_(FINISHED), Take.reproduces_job_id.is_(None)),
        execution_options=FRESH,
    ):
        takes.setdefault(take.cut_id, []).append(take)
    return takes


def _chosen(takes: list[Take], animatics: bool, job_ids: Collection[int]) -> Take | None:
    allowed = [take for take in takes if animatics or take.server_kind != "preview"]
    return max(
        allowed, key=lambda take: (take.job_id in job_ids, take.selected, take.take_number), default=None
    )


def _measurements(session: Session, job_ids: list[int]) -> dict[int, dict[str, Measured]]:
    found: dict[int, dict[str, Measured]] = {}
    columns = (
        Measurement.job_id,
        Measurement.metric_name,
        Measurement.state,
        Measurement.value,
        Measurement.reason,
        Measurement.remedy,
        Measurement.details,
        Measurement.backend,
        Measurement.backend_version,
        Measurement.weights_sha256,
    )
    rows = session.execute(select(*columns).where(Measurement.job_id.in_(job_ids)))
    for row in rows:
        provenance = (row.backend, row.backend_version, row.weights_sha256)
        measured = Measured(row.state, row.value, row.reason, row.remedy, row.details, provenance)
        found.setdefault(row.job_id, {})[row.metric_name] = measured
    return found
