"""Gates: the verdict on a take, a scene, an episode or a project, kept as judged and known to be stale.

Nothing here commits; the caller's transaction does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, GateVerdict, ProjectProfile
from anime_pipeline.quality.errors import GateNotPassedError, UnknownScopeError
from anime_pipeline.quality.evidence import CutEvidence, load_evidence, within
from anime_pipeline.quality.judging import Judgement, Ruling, judge_scope_evidence
from anime_pipeline.quality.phases import Phase, load_phases, phase_named
from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey, parse_scope

Scope = Literal["cut", "scene", "episode", "project"]


@dataclass(frozen=True)
class Verdict:
    """A stored judgement. ``stale`` says that what it judged has changed since: it speaks for nothing.

    ``failing`` and ``missing`` are as :class:`~anime_pipeline.quality.judging.Failing` and
    :class:`~anime_pipeline.quality.judging.Missing`, as plain JSON. ``job_id`` is the judged take of a cut.
    """

    id: int
    scope: Scope
    scope_key: str
    phase: str
    verdict: Ruling
    reason: str
    cuts_total: int
    cuts_passed: int
    cuts_failed: int
    cuts_unmeasured: int
    pass_rate: float | None
    wilson_low: float | None
    wilson_high: float | None
    thresholds: dict[str, Any]
    failing: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    judged_sha256: str
    job_id: int | None
    created_at: datetime
    stale: bool = False

    @property
    def passed(self) -> bool:
        """Whether the gate is open: passed, and still about what is there."""
        return self.verdict == "passed" and not self.stale


@dataclass(frozen=True)
class Explanation:
    """A gate as it stands now: what is asked, what each cut has, and the newest stored verdict if any."""

    scope_key: str
    phase: Phase
    judgement: Judgement
    latest: Verdict | None


def judge_scope(session: Session, scope_key: str, phase: str) -> Verdict:
    """Judge a scene, an episode, a project or a cut, and keep the verdict if it is a new one.

    Five or six queries for any number of cuts. Raises :class:`UnknownScopeError`.
    """
    if isinstance(parse_scope(scope_key), CutKey):
        return judge_cut(session, scope_key, phase)
    project_id, rules, evidence = _look(session, scope_key, phase)
    judgement = judge_scope_evidence(evidence, rules, scope_key)
    return _keep(session, project_id, rules, [(scope_key, None, judgement)])[scope_key]


def judge_cut(session: Session, cut_key: str, phase: str, job_id: int | None = None) -> Verdict:
    """Judge a cut's take: ``job_id``, else the selected take, else the newest finished one."""
    return judge_cuts(session, [cut_key], phase, [] if job_id is None else [job_id])[cut_key]


def judge_cuts(
    session: Session, cut_keys: Sequence[str], phase: str, job_ids: Sequence[int] = ()
) -> dict[str, Verdict]:
    """Judge many cuts of one project, each by itself, in a constant number of queries; by cut key."""
    if not cut_keys:
        return {}
    project_id, rules = _rules(session, cut_keys[0], phase)
    evidence = _evidence_of_cuts(session, cut_keys, rules, job_ids)
    judged = [
        (cut.cut_key, cut.job_id, judge_scope_evidence([cut], rules, cut.cut_key, one_cut=True))
        for cut in evidence
    ]
    return _keep(session, project_id, rules, judged)


def latest_verdict(session: Session, scope_key: str, phase: str) -> Verdict | None:
    """The newest stored verdict of a scope, with ``stale`` told by looking at what it would judge now."""
    return explain(session, scope_key, phase).latest


def latest_cut_verdicts(session: Session, scope_key: str, phase: str) -> dict[str, Verdict]:
    """The newest stored verdict of each active cut in a scope that has one, by cut key."""
    _, rules, evidence = _look(session, scope_key, phase)
    newest = _newest(session, [cut.cut_key for cut in evidence], phase)
    found = {}
    for cut in evidence:
        if cut.cut_key in newest:
            judgement = judge_scope_evidence([cut], rules, cut.cut_key, one_cut=True)
            found[cut.cut_key] = _verdict(newest[cut.cut_key], judgement)
    return found


def explain(session: Session, scope_key: str, phase: str) -> Explanation:
    """What a gate asks and how each cut stands, judged now and without keeping anything."""
    _, rules, evidence = _look(session, scope_key, phase)
    one_cut = isinstance(parse_scope(scope_key), CutKey)
    judgement = judge_scope_evidence(evidence, rules, scope_key, one_cut)
    row = _newest(session, [scope_key], phase).get(scope_key)
    return Explanation(scope_key, rules, judgement, None if row is None else _verdict(row, judgement))


def require_gate(session: Session, scope_key: str, phase: str) -> Verdict:
    """The passed verdict of a scope, for whoever builds on it.

    Raises :class:`GateNotPassedError`, which says why and what to do, where there is none, it is stale, or it
    is not a pass.
    """
    verdict = latest_verdict(session, scope_key, phase)
    again = f"anime-pipeline gates explain {scope_key} {phase}"
    if verdict is None:
        raise GateNotPassedError(f"{scope_key} was not judged in {phase}", again)
    if verdict.stale:
        raise GateNotPassedError(f"{scope_key} has changed since its verdict in {phase}", again)
    if verdict.verdict != "passed":
        remedy = next((entry["remedy"] for entry in verdict.missing if entry["remedy"]), again)
        raise GateNotPassedError(f"{scope_key} is {verdict.verdict} in {phase}: {verdict.reason}", remedy)
    return verdict


def _look(session: Session, scope_key: str, phase: str) -> tuple[int, Phase, list[CutEvidence]]:
    project_id, rules = _rules(session, scope_key, phase)
    return project_id, rules, load_evidence(session, within(scope_key), rules)


def _rules(session: Session, scope_key: str, phase: str) -> tuple[int, Phase]:
    scope = parse_scope(scope_key)
    slug = scope if isinstance(scope, str) else scope.project
    project_id = session.scalar(select(ProjectProfile.project_id).where(ProjectProfile.slug == slug))
    if project_id is None:
        raise UnknownScopeError(f"no project is called {slug}", "anime-pipeline import production.yaml")
    return project_id, phase_named(load_phases(session, [project_id])[project_id], phase)


def _evidence_of_cuts(
    session: Session, cut_keys: Sequence[str], rules: Phase, job_ids: Sequence[int]
) -> list[CutEvidence]:
    evidence = load_evidence(session, CutProfile.cut_key.in_(cut_keys), rules, job_ids)
    unknown = set(cut_keys) - {cut.cut_key for cut in evidence}
    if unknown:
        raise UnknownScopeError(
            f"no active cut is called {', '.join(sorted(unknown))}", "anime-pipeline status"
        )
    return evidence


def _newest(session: Session, scope_keys: Sequence[str], phase: str) -> dict[str, GateVerdict]:
    newest = (
        select(func.max(GateVerdict.id))
        .where(GateVerdict.scope_key.in_(scope_keys), GateVerdict.phase == phase)
        .group_by(GateVerdict.scope_key)
    )
    rows = session.scalars(select(GateVerdict).where(GateVerdict.id.in_(newest)))
    return {row.scope_key: row for row in rows}


def _keep(
    session: Session, project_id: int, rules: Phase, judged: Sequence[tuple[str, int | None, Judgement]]
) -> dict[str, Verdict]:
    """Verdicts of judgements: the stored one where it judged the same, else a new row."""
    rows = _newest(session, [key for key, _, _ in judged], rules.name)
    fresh = []
    for key, job_id, judgement in judged:
        if key not in rows or rows[key].judged_sha256 != judgement.judged_sha256:
            rows[key] = _row(project_id, rules, key, job_id, judgement)
            fresh.append(rows[key])
    session.add_all(fresh)
    session.flush()
    return {key: _verdict(rows[key], judgement) for key, _, judgement in judged}


def _row(project_id: int, rules: Phase, key: str, job_id: int | None, judgement: Judgement) -> GateVerdict:
    low, high = judgement.wilson or (None, None)
    return GateVerdict(
        project_id=project_id,
        scope=_scope(key),
        scope_key=key,
        job_id=job_id,
        phase=rules.name,
        verdict=judgement.verdict,
        cuts_total=len(judgement.cuts),
        cuts_passed=judgement.count("passed"),
        cuts_failed=judgement.count("failed"),
        cuts_unmeasured=judgement.count("unmeasured"),
        pass_rate=judgement.pass_rate,
        wilson_low=low,
        wilson_high=high,
        thresholds=_thresholds(rules, judgement),
        failing=[dataclasses.asdict(failing) for failing in judgement.failing],
        missing=[dataclasses.asdict(missing) for missing in judgement.missing],
        reason=judgement.reason,
        judged_sha256=judgement.judged_sha256,
    )


def _thresholds(rules: Phase, judgement: Judgement) -> dict[str, Any]:
    metrics = {
        rule.metric: {"comparison": rule.comparison, "threshold": rule.threshold, "gate": rule.gate_name}
        for rule in rules.rules
    }
    return {
        "metrics": metrics,
        "pass_rate": rules.pass_rate,
        "minimum_cuts": rules.minimum_cuts,
        "calibrations": [dataclasses.asdict(used) for used in judgement.calibrations],
    }


def _scope(key: str) -> Scope:
    parsed = parse_scope(key)
    if isinstance(parsed, str):
        return "project"
    return "episode" if isinstance(parsed, EpisodeKey) else "scene" if isinstance(parsed, SceneKey) else "cut"


def _verdict(row: GateVerdict, now: Judgement) -> Verdict:
    stale = row.judged_sha256 != now.judged_sha256
    names = [field.name for field in dataclasses.fields(Verdict) if field.name != "stale"]
    return Verdict(**{name: getattr(row, name) for name in names}, stale=stale)
