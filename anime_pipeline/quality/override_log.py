"""The log of overrides: gates that a person opened though they had not passed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateOverride
from anime_pipeline.quality.evidence import FRESH


@dataclass(frozen=True)
class Override:
    """A gate opened by a person, and the verdict that it was opened against.

    A ``standing`` one holds until it is withdrawn; another only while what was judged is what is there.
    """

    id: int
    scope_key: str
    phase: str
    verdict_id: int
    verdict: str
    verdict_reason: str
    judged_sha256: str
    standing: bool
    overridden_by: str
    reason: str
    created_at: datetime
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None
    withdrawn_at: datetime | None = None

    @property
    def withdrawn(self) -> bool:
        """Whether it was taken back."""
        return self.withdrawn_at is not None

    def holds_for(self, judged_sha256: str) -> bool:
        """Whether it opens the gate of a scope whose cuts are in this state."""
        return not self.withdrawn and (self.standing or self.judged_sha256 == judged_sha256)

    @property
    def said(self) -> str:
        """Who opened the gate and why, for verdicts and films."""
        return f"overridden by {self.overridden_by}: {self.reason}"


def read_overrides(session: Session, scope_key: str | None = None) -> list[Override]:
    """Every override ever made, newest first: of a scope and all below it, or of all."""
    query = select(GateOverride).order_by(GateOverride.id.desc())
    if scope_key is not None:
        below = GateOverride.scope_key.startswith(f"{scope_key}.", autoescape=True)
        query = query.where(or_(GateOverride.scope_key == scope_key, below))
    return _read(session, query)


def standing_overrides(
    session: Session, scope_keys: Collection[str], phase: str
) -> dict[str, list[Override]]:
    """The overrides of a phase that were not withdrawn, newest first, by scope."""
    query = select(GateOverride).where(
        GateOverride.scope_key.in_(list(scope_keys)),
        GateOverride.phase == phase,
        GateOverride.withdrawn_at.is_(None),
    )
    found: dict[str, list[Override]] = {}
    for override in _read(session, query.order_by(GateOverride.id.desc())):
        found.setdefault(override.scope_key, []).append(override)
    return found


def as_override(row: GateOverride) -> Override:
    """A stored override as it is told."""
    return Override(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Override)})


def _read(session: Session, query: Select[GateOverride]) -> list[Override]:
    return [as_override(row) for row in session.scalars(query, execution_options=FRESH)]
