"""What a gate must come to, told from the rows without any of the product's queries or code."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_CUTS = text("""
    SELECT p.cut_key, p.kind, t.job_id, t.job_id IS NULL AND EXISTS (
        SELECT FROM studio.takes a JOIN jobs j ON j.id = a.job_id
        WHERE a.cut_id = p.cut_id AND a.reproduces_job_id IS NULL AND j.status = 'completed'
    ) AS has_animatic
    FROM studio.cut_profiles p
    LEFT JOIN LATERAL (
        SELECT t.job_id FROM studio.takes t
        WHERE t.cut_id = p.cut_id AND t.reproduces_job_id IS NULL
          AND (:animatics OR t.server_kind = 'comfyui')
          AND EXISTS (SELECT FROM jobs j WHERE j.id = t.job_id AND j.status = 'completed')
        ORDER BY NOT t.selected, t.take_number DESC LIMIT 1
    ) t ON TRUE
    WHERE p.omitted_at IS NULL AND p.cut_key LIKE :slug || '.%' ORDER BY p.cut_key
""")
_RULES = text("""
    SELECT m.metric_name, m.comparison, m.cut_kinds, COALESCE(own.threshold_value, g.threshold_value) AS limit
    FROM studio.phase_metrics m
    LEFT JOIN quality_gates g USING (gate_name)
    LEFT JOIN studio.gate_thresholds own ON own.gate_name = m.gate_name AND own.project_id = :project
    WHERE m.phase = :phase ORDER BY m.metric_name
""")
_OWN = text("""
    SELECT t.gate_name, t.threshold_value FROM studio.gate_thresholds t
    WHERE t.project_id = :project AND t.gate_name LIKE 'phase%'
""")
_SCORES = text("""
    SELECT job_id, metric_name, state, value, reason FROM studio.measurements WHERE job_id = ANY(:jobs)
""")


@dataclass(frozen=True)
class Truth:
    """What a scope comes to in a phase, and everything that it came from."""

    passed: bool
    judged: Hashable


def truth(session: Session, project_id: int, slug: str, phase: str) -> Truth:
    """The truth about a project of one scene, whose project, episode and scene hold the same cuts."""
    animatics = phase == "phase_0_animatic"
    cuts = session.execute(_CUTS, {"slug": slug, "animatics": animatics}).all()
    rules = session.execute(_RULES, {"project": project_id, "phase": phase}).all()
    own = {row.gate_name: row.threshold_value for row in session.execute(_OWN, {"project": project_id})}
    jobs = [cut.job_id for cut in cuts if cut.job_id is not None]
    rows = session.execute(_SCORES, {"jobs": jobs}).all()
    scores = {(row.job_id, row.metric_name): row for row in rows}
    kinds = {kind for rule in rules for kind in rule.cut_kinds}
    judged = [cut for cut in cuts if cut.kind in kinds]
    outcomes = [_passes(cut, rules, scores) for cut in judged]
    sampled = all(
        any((cut.job_id, rule.metric_name) in scores for cut in judged)
        for rule in rules
        if rule.metric_name == "reproducible"
    )
    cuts_minimum = own.get("phase_cuts_minimum", 5)
    pass_rate = own.get("phase_pass_rate_minimum", 0.8)
    enough = len(judged) >= cuts_minimum
    whole = enough and sampled and None not in outcomes
    share = sum(outcome is True for outcome in outcomes) / len(judged) if judged else 0.0
    passed = whole and share >= pass_rate - 1e-9
    told = [(cut.cut_key, cut.job_id, cut.has_animatic, _told(cut, rules, scores)) for cut in cuts]
    asked = [(rule.metric_name, rule.limit) for rule in rules]
    return Truth(passed, repr((told, asked, cuts_minimum, pass_rate)))


def _told(cut: Any, rules: Any, scores: Any) -> list[Any]:
    """All scores of a cut that the phase asks, as they are."""
    asked = [rule.metric_name for rule in rules if cut.kind in rule.cut_kinds]
    found = [scores.get((cut.job_id, metric)) for metric in asked]
    return [(row.metric_name, row.state, row.value, row.reason) for row in found if row is not None]


def _passes(cut: Any, rules: Any, scores: Any) -> bool | None:
    """Whether a cut passes; None where anything that decides is not measured."""
    if cut.job_id is None:
        return None
    outcomes: list[bool | None] = []
    for rule in rules:
        if cut.kind not in rule.cut_kinds or rule.comparison == "reported":
            continue
        row = scores.get((cut.job_id, rule.metric_name))
        if row is None or row.state != "measured":
            if rule.metric_name != "reproducible":
                outcomes.append(None)
            continue
        outcomes.append(row.value >= rule.limit if rule.comparison == "at_least" else row.value <= rule.limit)
    return False if False in outcomes else None if None in outcomes else True
