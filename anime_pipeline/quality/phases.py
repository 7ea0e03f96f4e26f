"""What each phase asks of which cuts, with the thresholds of a project; the code holds none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateThreshold, PhaseMetric, QualityGate
from anime_pipeline.quality.engines.registry import REPRODUCIBLE
from anime_pipeline.quality.errors import QualityError, UnknownScopeError
from anime_pipeline.quality.evidence import FRESH

ANIMATIC_PHASE = "phase_0_animatic"
PHASES = (ANIMATIC_PHASE, "phase_1_still", "phase_2_loop", "phase_3_video")
"""The phases that the product ships, in the order of production."""

PASS_RATE_GATE = "phase_pass_rate_minimum"
CUTS_GATE = "phase_cuts_minimum"

JUDGES_ANIMATICS = frozenset({ANIMATIC_PHASE})
"""Phases that an animatic may stand for; the others judge ComfyUI's renders alone."""

WANTS_WHOLE_SCENES = frozenset({"phase_3_video"})
"""Phases that also want a finished take of every cut in each scene they judge."""

SAMPLED_METRICS = frozenset({REPRODUCIBLE})
"""Metrics asked of a sample: one measured take of a scope will do, and each measured one must pass."""

CAST_METRICS = frozenset({"face_similarity"})
"""Metrics asked only of cuts that show a character."""

CALIBRATED_METRICS = frozenset({"face_similarity", "style_adherence"})
"""Metrics whose numbers mean something by the show's own pictures; a verdict names the calibration."""

Comparison = Literal["at_least", "at_most", "reported"]


@dataclass(frozen=True)
class Rule:
    """A metric of a phase. ``threshold`` is None where it is only reported or its gate is switched off."""

    metric: str
    comparison: Comparison
    threshold: float | None
    gate_name: str | None
    cut_kinds: frozenset[str]

    @property
    def decides(self) -> bool:
        """Whether a cut can fail by this metric."""
        return self.threshold is not None

    @property
    def sampled(self) -> bool:
        """Whether a sample of a scope's takes is enough."""
        return self.metric in SAMPLED_METRICS

    def passes(self, value: float) -> bool | None:
        """Whether a value passes; None where the metric decides nothing. A value on the threshold passes."""
        if self.threshold is None:
            return None
        return value >= self.threshold if self.comparison == "at_least" else value <= self.threshold


@dataclass(frozen=True)
class Phase:
    """A phase as a project has it."""

    name: str
    rules: tuple[Rule, ...]
    minimum_cuts: int
    pass_rate: float

    @property
    def cut_kinds(self) -> frozenset[str]:
        """The kinds of cut that the phase judges."""
        return frozenset().union(*(rule.cut_kinds for rule in self.rules))

    @property
    def judges_animatics(self) -> bool:
        """Whether a take of the preview server may be judged."""
        return self.name in JUDGES_ANIMATICS

    def rules_for(self, cut_kind: str, has_cast: bool) -> tuple[Rule, ...]:
        """What is asked of a kind of cut, with characters in it or without."""
        rules = (rule for rule in self.rules if cut_kind in rule.cut_kinds)
        return tuple(rule for rule in rules if has_cast or rule.metric not in CAST_METRICS)


def load_phases(session: Session, project_ids: Iterable[int]) -> dict[int, dict[str, Phase]]:
    """The phases of each project, by project and name, in three queries.

    Raises :class:`QualityError` where the rows for the pass rate or the least number of cuts are gone.
    """
    wanted = list(dict.fromkeys(project_ids))
    gates = {gate.gate_name: gate for gate in session.scalars(select(QualityGate), execution_options=FRESH)}
    thresholds = select(GateThreshold).where(GateThreshold.project_id.in_(wanted))
    own = {
        (row.project_id, row.gate_name): row.threshold_value
        for row in session.scalars(thresholds, execution_options=FRESH)
    }
    metrics = select(PhaseMetric).order_by(PhaseMetric.phase, PhaseMetric.metric_name)
    asked = session.scalars(metrics, execution_options=FRESH).all()

    def threshold(project_id: int, gate_name: str | None) -> float | None:
        if gate_name is None or gate_name not in gates or gates[gate_name].is_active is False:
            return None
        return own.get((project_id, gate_name), gates[gate_name].threshold_value)

    def phases_of(project_id: int) -> dict[str, Phase]:
        minimum_cuts, pass_rate = threshold(project_id, CUTS_GATE), threshold(project_id, PASS_RATE_GATE)
        if minimum_cuts is None or pass_rate is None:
            raise QualityError(
                f"quality_gates lacks active rows {CUTS_GATE} and {PASS_RATE_GATE}: no phase can be judged",
                "put them back, for instance with the values 5 and 0.8",
            )
        rules: dict[str, list[Rule]] = {}
        for row in asked:
            limit = None if row.comparison == "reported" else threshold(project_id, row.gate_name)
            comparison = cast(Comparison, row.comparison)
            rule = Rule(row.metric_name, comparison, limit, row.gate_name, frozenset(row.cut_kinds))
            rules.setdefault(row.phase, []).append(rule)
        return {
            name: Phase(name, tuple(found), int(minimum_cuts), pass_rate) for name, found in rules.items()
        }

    return {project_id: phases_of(project_id) for project_id in wanted}


def phase_named(phases: dict[str, Phase], name: str) -> Phase:
    """The phase. Raises :class:`UnknownScopeError` naming the phases there are."""
    if name not in phases:
        raise UnknownScopeError(f"{name} is no phase", f"the phases are {', '.join(sorted(phases))}")
    return phases[name]


def phase_of_take(phases: dict[str, Phase], cut_kind: str, server_kind: str | None) -> Phase:
    """The phase whose thresholds a take's scores are shown with: that of its kind, or the animatics'."""
    if server_kind == "preview":
        return phase_named(phases, ANIMATIC_PHASE)
    own = (phase for phase in phases.values() if not phase.judges_animatics and cut_kind in phase.cut_kinds)
    return next(own, phases[ANIMATIC_PHASE])


def metrics_asked(phases: dict[str, Phase], cut_kind: str, has_cast: bool) -> tuple[str, ...]:
    """Every metric that some phase asks of a kind of cut, sorted."""
    rules = (rule for phase in phases.values() for rule in phase.rules_for(cut_kind, has_cast))
    return tuple(sorted({rule.metric for rule in rules}))
