"""Moving a threshold: every verdict follows at once, nothing is measured again, and who did it is kept.

Verdicts read thresholds when they judge. Lists of takes and cuts read the newest stored verdict, so an edit
judges the takes again that may come out otherwise. The copies of scores that earlier clients read
(quality_scores) carry their thresholds with them, so it rewrites those of its gate in one statement. Nothing
here commits.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    GateThreshold,
    PhaseMetric,
    ProjectProfile,
    QualityGate,
    ThresholdChange,
)
from anime_pipeline.quality.decisions import DecisionError, checked_name
from anime_pipeline.quality.errors import UnknownScopeError
from anime_pipeline.quality.evidence import FRESH
from anime_pipeline.quality.phases import CUTS_GATE, PASS_RATE_GATE
from anime_pipeline.quality.rejudging import rejudge_takes
from anime_pipeline.quality.score_copies import rewrite_score_copies


@dataclass(frozen=True)
class GateSetting:
    """A threshold: the ``default`` of all projects, and a project's ``own`` where it has one.

    ``asked`` are the (phase, metric) pairs that it decides. One that is not ``active`` decides nothing.
    """

    gate_name: str
    description: str | None
    default: float
    own: float | None
    active: bool
    asked: tuple[tuple[str, str], ...]

    @property
    def value(self) -> float:
        """The threshold that decides."""
        return self.default if self.own is None else self.own


@dataclass(frozen=True)
class ThresholdEdit:
    """What an edit did. ``new`` None: the default decides again.

    ``scores`` is how many copies it rewrote, ``takes`` how many takes were judged again.
    """

    project: str | None
    gate_name: str
    old: float | None
    new: float | None
    scores: int
    takes: int = 0


@dataclass(frozen=True)
class LoggedChange:
    """An edit as the log shows it; without ``project`` it was the default of all."""

    id: int
    project: str | None
    gate_name: str
    old_value: float | None
    new_value: float | None
    changed_by: str
    reason: str | None
    created_at: datetime


def list_thresholds(session: Session, project: str | None = None) -> list[GateSetting]:
    """Every gate's threshold, those that decide something first. Raises :class:`UnknownScopeError`."""
    own = _own_thresholds(session, None if project is None else _project_id(session, project))
    asked: dict[str, list[tuple[str, str]]] = {}
    rows = session.scalars(select(PhaseMetric).order_by(PhaseMetric.phase, PhaseMetric.metric_name))
    for row in rows:
        if row.gate_name is not None:
            asked.setdefault(row.gate_name, []).append((row.phase, row.metric_name))
    gates = session.scalars(select(QualityGate).order_by(QualityGate.gate_name), execution_options=FRESH)
    settings = [
        GateSetting(
            gate.gate_name, gate.description, gate.threshold_value, own.get(gate.gate_name),
            gate.is_active is not False, tuple(asked.get(gate.gate_name, ())),
        )
        for gate in gates
    ]  # fmt: skip
    return sorted(settings, key=lambda one: not (one.asked or one.gate_name in (CUTS_GATE, PASS_RATE_GATE)))


def set_threshold(
    session: Session, project: str | None, gate_name: str, value: float, by: str, reason: str | None = None
) -> ThresholdEdit:
    """Set a project's own threshold, or without a project the default of all that have none of their own.

    Raises :class:`DecisionError` for no name or a value that the gate cannot have, :class:`UnknownScopeError`
    for a gate or project that there is not.
    """
    name = checked_name(by)
    project_id = None if project is None else _project_id(session, project)
    gate = _locked_gate(session, gate_name)
    checked = _checked_value(gate_name, value)
    if project_id is None:
        old: float | None = gate.threshold_value
        gate.threshold_value = checked
        session.flush()
    else:
        old = _own_thresholds(session, project_id).get(gate_name)
        row = {"project_id": project_id, "gate_name": gate_name, "threshold_value": checked}
        changed = insert(GateThreshold).values(row)
        session.execute(
            changed.on_conflict_do_update(
                index_elements=["project_id", "gate_name"], set_={"threshold_value": checked}
            )
        )
    return _logged(session, project, project_id, gate, old, checked, name, reason)


def unset_threshold(
    session: Session, project: str, gate_name: str, by: str, reason: str | None = None
) -> ThresholdEdit:
    """Take a project's own threshold away, so that the default decides again. Raises as setting does."""
    name = checked_name(by)
    project_id = _project_id(session, project)
    gate = _locked_gate(session, gate_name)
    old = _own_thresholds(session, project_id).get(gate_name)
    if old is None:
        raise DecisionError(
            f"{project} has no {gate_name} of its own", f"anime-pipeline gates thresholds {project}"
        )
    session.execute(
        delete(GateThreshold).where(
            GateThreshold.project_id == project_id, GateThreshold.gate_name == gate_name
        )
    )
    return _logged(session, project, project_id, gate, old, None, name, reason)


def threshold_log(session: Session, project: str | None = None) -> list[LoggedChange]:
    """Every edit, newest first: those that touch a project, or all."""
    query = select(ThresholdChange).order_by(ThresholdChange.id.desc())
    if project is not None:
        query = query.where((ThresholdChange.project == project) | ThresholdChange.project.is_(None))
    return [
        LoggedChange(
            row.id, row.project, row.gate_name, row.old_value, row.new_value,
            row.changed_by, row.reason, row.created_at,
        )
        for row in session.scalars(query)
    ]  # fmt: skip


def _logged(
    session: Session,
    project: str | None,
    project_id: int | None,
    gate: QualityGate,
    old: float | None,
    new: float | None,
    by: str,
    reason: str | None,
) -> ThresholdEdit:
    gate_name = gate.gate_name
    if old == new:
        return ThresholdEdit(project, gate_name, old, new, 0)
    session.add(
        ThresholdChange(
            project=project, gate_name=gate_name, old_value=old, new_value=new, changed_by=by,
            reason=(reason or "").strip() or None,
        )
    )  # fmt: skip
    session.flush()
    scores = rewrite_score_copies(session, gate_name, project_id)
    before, after = (gate.threshold_value if value is None else value for value in (old, new))
    takes = rejudge_takes(session, gate_name, before, after, project_id)
    return ThresholdEdit(project, gate_name, old, new, scores, takes)


def _locked_gate(session: Session, gate_name: str) -> QualityGate:
    """The gate's row, held until the transaction ends, so that two edits come one after the other."""
    query = select(QualityGate).where(QualityGate.gate_name == gate_name).with_for_update()
    gate = session.scalar(query.execution_options(**FRESH))
    if gate is None:
        names = session.scalars(select(QualityGate.gate_name)).all()
        raise UnknownScopeError(f"no gate is called {gate_name}", _near(gate_name, names))
    return gate


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    listing = "anime-pipeline gates thresholds"
    return f"did you mean {near[0]}? {listing} lists them" if near else f"{listing} lists them"


def _checked_value(gate_name: str, value: float) -> float:
    if not math.isfinite(value):
        raise DecisionError(f"{value} is no threshold", "give a number")
    if gate_name == PASS_RATE_GATE and not 0 < value <= 1:
        raise DecisionError(f"a pass rate of {value:g} is not possible", "give a share above 0, up to 1: 0.8")
    if gate_name == CUTS_GATE and (value < 1 or value != int(value)):
        raise DecisionError(f"{value:g} is no number of cuts", "give a whole number from 1")
    return float(value)


def _project_id(session: Session, slug: str) -> int:
    project_id = session.scalar(select(ProjectProfile.project_id).where(ProjectProfile.slug == slug))
    if project_id is None:
        raise UnknownScopeError(f"no project is called {slug}", "anime-pipeline status lists what there is")
    return project_id


def _own_thresholds(session: Session, project_id: int | None) -> dict[str, float]:
    query = select(GateThreshold).where(GateThreshold.project_id == project_id)
    return {row.gate_name: row.threshold_value for row in session.scalars(query, execution_options=FRESH)}
