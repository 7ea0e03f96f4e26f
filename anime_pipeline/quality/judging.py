"""Judging, as plain functions of evidence and rules: what a cut comes to, and what a scope comes to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from anime_pipeline.quality.evidence import CutEvidence, Unmeasured
from anime_pipeline.quality.phases import CALIBRATED_METRICS, WANTS_WHOLE_SCENES, Phase, Rule
from anime_pipeline.quality.statistics import wilson_interval

Outcome = Literal["passed", "failed", "unmeasured"]
Ruling = Literal["passed", "failed", "incomplete"]

STATE_DIGITS = 16
"""Hexadecimal digits of the hash that tells one state of a cut from another."""

NO_TAKE = "no finished take"
ONLY_ANIMATIC = "only an animatic"
# What mends a lack; {scope} is the scope that is judged.
RENDER = "anime-pipeline render {scope}"
RENDER_COMFYUI = "set ANIME_COMFYUI_URLS, then: anime-pipeline render {scope}"
MEASURE = "anime-pipeline measure {scope}"
REPRODUCE = "anime-pipeline reproduce {job}"
NOT_MEASURED = "not measured yet"


@dataclass(frozen=True)
class Failing:
    """A metric that a cut's take did not pass. ``worst_frame`` is None where frames have no values."""

    cut_key: str
    job_id: int
    take_number: int
    metric: str
    value: float
    threshold: float
    comparison: str
    worst_frame: int | None
    details: dict[str, Any]


@dataclass(frozen=True)
class Missing:
    """What keeps cuts from being judged, and what mends it; ``metric`` is None where a take is missing."""

    metric: str | None
    reason: str
    remedy: str | None
    cut_keys: tuple[str, ...]


@dataclass(frozen=True)
class JudgedCut:
    """One cut of a phase. ``lacks`` holds (metric, reason, remedy) of what is not measured."""

    evidence: CutEvidence
    outcome: Outcome
    failing: tuple[Failing, ...] = ()
    lacks: tuple[tuple[str | None, str, str | None], ...] = ()


JudgedState = list[int | str | None]
"""What was judged of a cut: the number of its take, None without one, and a hash of take and measurements."""


@dataclass(frozen=True)
class CalibrationUsed:
    """The calibration that a metric's scores were made with; None where they were made without one."""

    metric: str
    references_sha256: str | None = None
    auc: float | None = None
    separates: bool = False

    @property
    def said(self) -> str:
        """In words, for the verdict's reason."""
        if self.references_sha256 is None:
            return f"{self.metric} is not calibrated"
        name = f"{self.metric} by calibration {self.references_sha256[:12]}"
        if self.separates:
            return f"{name} (AUC {self.auc:.2f})"
        return f"{name}, which cannot separate (AUC {self.auc:.2f})"


@dataclass(frozen=True)
class Judgement:
    """What a scope's evidence comes to, before it is stored as a verdict."""

    verdict: Ruling
    reason: str
    cuts: tuple[JudgedCut, ...]
    judged_sha256: str
    missing: tuple[Missing, ...] = ()
    pass_rate: float | None = None
    wilson: tuple[float, float] | None = None
    calibrations: tuple[CalibrationUsed, ...] = ()
    judged_cuts: Mapping[str, JudgedState] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> int:
        """How many cuts came out so."""
        return sum(cut.outcome == outcome for cut in self.cuts)

    @property
    def failing(self) -> tuple[Failing, ...]:
        """Every metric that some cut did not pass, in story order."""
        return tuple(failing for cut in self.cuts for failing in cut.failing)


def judge_evidence(evidence: CutEvidence, rules: Sequence[Rule]) -> JudgedCut:
    """One cut: failed by any metric it did not pass, else unmeasured by any it lacks, else passed."""
    if evidence.job_id is None or evidence.take_number is None:
        lack = (None, ONLY_ANIMATIC, RENDER_COMFYUI) if evidence.has_animatic else (None, NO_TAKE, RENDER)
        return JudgedCut(evidence, "unmeasured", (), (lack,))
    failing: list[Failing] = []
    lacks: list[tuple[str | None, str, str | None]] = []
    for rule in rules:
        value = evidence.values.get(rule.metric)
        if not rule.decides or (rule.sampled and value is None):
            continue
        if value is None:
            lacks.append(_lack(evidence, rule.metric))
        elif not rule.passes(value):
            failing.append(_failing(evidence, rule, value))
    outcome: Outcome = "failed" if failing else "unmeasured" if lacks else "passed"
    return JudgedCut(evidence, outcome, tuple(failing), tuple(lacks))


def _lack(evidence: CutEvidence, metric: str) -> tuple[str, str, str | None]:
    found = evidence.lacking.get(metric)
    if found is None:
        return metric, NOT_MEASURED, MEASURE
    again = found.state == "unavailable" and found.remedy
    return (
        metric,
        f"{found.state}: {found.reason}",
        f"{found.remedy}; then: {MEASURE}" if again else found.remedy,
    )


def judge_scope_evidence(
    evidence: Sequence[CutEvidence],
    phase: Phase,
    scope_key: str,
    one_cut: bool = False,
    whole_scenes: bool = True,
) -> Judgement:
    """A scope from the evidence of all its cuts, of every kind. ``one_cut`` judges a cut by itself.

    Without ``whole_scenes`` the evidence is a choice of takes, and says nothing of the cuts beside them.
    """
    if not one_cut:
        evidence = [_comparable(cut) for cut in evidence]
    kinds = phase.cut_kinds
    asked = {
        (kind, has_cast): phase.rules_for(kind, has_cast)
        for kind, has_cast in {(cut.kind, cut.has_cast) for cut in evidence}
    }
    cuts = tuple(judge_evidence(cut, asked[cut.kind, cut.has_cast]) for cut in evidence if cut.kind in kinds)
    missing = [*_missing_of_cuts(cuts), *_missing_of_sample(cuts, phase, one_cut)]
    if phase.name in WANTS_WHOLE_SCENES and whole_scenes and not one_cut:
        missing += _missing_of_scenes(evidence, phase)
    missing = [
        replace(entry, remedy=entry.remedy and entry.remedy.replace("{scope}", scope_key))
        for entry in missing
    ]
    passed, total = sum(cut.outcome == "passed" for cut in cuts), len(cuts)
    judged_cuts = _judged_cuts(evidence, asked)
    needed = 1 if one_cut else phase.minimum_cuts
    verdict, reason = _ruling(cuts, missing, phase, scope_key, needed)
    calibrations = _calibrations(cuts, phase)
    return Judgement(
        verdict,
        "; ".join([reason, *(used.said for used in calibrations)]),
        cuts,
        _judged_sha256(judged_cuts, phase, scope_key, one_cut),
        tuple(missing),
        passed / total if total else None,
        wilson_interval(passed, total) if total else None,
        calibrations,
        judged_cuts,
    )


def _comparable(cut: CutEvidence) -> CutEvidence:
    """The cut without what another backend measured than most of its scope: that counts as not measured."""
    if not cut.strangers:
        return cut
    lacking = {metric: Unmeasured("not comparable", why, MEASURE) for metric, why in cut.strangers.items()}
    values = {metric: value for metric, value in cut.values.items() if metric not in lacking}
    return replace(cut, values=values, lacking={**cut.lacking, **lacking}, strangers={})


def _calibrations(cuts: Sequence[JudgedCut], phase: Phase) -> tuple[CalibrationUsed, ...]:
    """Each calibration that decided something here, in the order of metrics and cuts."""
    used: dict[CalibrationUsed, None] = {}
    for rule in phase.rules:
        for cut in cuts if rule.decides and rule.metric in CALIBRATED_METRICS else ():
            if rule.metric in cut.evidence.values:
                named = cut.evidence.details.get(rule.metric, {}).get("calibration", {})
                used[CalibrationUsed(rule.metric, **named)] = None
    return tuple(used)


def _ruling(
    cuts: Sequence[JudgedCut], missing: Sequence[Missing], phase: Phase, scope_key: str, needed: int
) -> tuple[Ruling, str]:
    total = len(cuts)
    kinds = " or ".join(sorted(phase.cut_kinds))
    if not total:
        return "incomplete", f"no {kinds} cuts in this scope"
    if missing:
        remedies = (entry.remedy for entry in missing if entry.metric is None and entry.remedy)
        return "incomplete", "; ".join([*map(_said, missing), *dict.fromkeys(remedies)])
    if total < needed:
        return (
            "incomplete",
            f"{total} {'cut' if total == 1 else 'cuts'} judged; {needed} are needed to say anything",
        )
    passed = sum(cut.outcome == "passed" for cut in cuts)
    if needed == 1 and total == 1:
        names = ", ".join(failing.metric for failing in cuts[0].failing)
        return ("passed", "the take passes every metric") if passed else ("failed", f"the take fails {names}")
    share = f"{passed} of {total} cuts pass every metric; {phase.pass_rate * 100:g}% must"
    return ("passed" if passed >= phase.pass_rate * total - 1e-9 else "failed"), share


def _said(entry: Missing) -> str:
    count = f"{len(entry.cut_keys)} {'cut' if len(entry.cut_keys) == 1 else 'cuts'}"
    if entry.metric is not None:
        return f"{entry.metric} of {count}: {entry.reason}"
    have = "has" if len(entry.cut_keys) == 1 else "have"
    return f"{count} {have} {entry.reason}"


def _missing_of_cuts(cuts: Sequence[JudgedCut]) -> list[Missing]:
    """What unmeasured cuts lack, one entry for all cuts that lack the same for the same reason."""
    by_lack: dict[tuple[str | None, str, str | None], list[str]] = {}
    for cut in cuts:
        if cut.outcome == "unmeasured":
            for lack in cut.lacks:
                by_lack.setdefault(lack, []).append(cut.evidence.cut_key)
    return [Missing(*lack, tuple(keys)) for lack, keys in by_lack.items()]


def _missing_of_sample(cuts: Sequence[JudgedCut], phase: Phase, one_cut: bool) -> list[Missing]:
    """The sampled metrics that no take of the scope has."""
    missing = []
    has_takes = any(cut.evidence.job_id is not None for cut in cuts)
    for rule in phase.rules if has_takes and not one_cut else ():
        if rule.sampled and rule.decides and not any(rule.metric in cut.evidence.values for cut in cuts):
            lacking = (cut.evidence.lacking.get(rule.metric) for cut in cuts)
            said = next((entry for entry in lacking if entry), None)
            reason = said.reason if said else NOT_MEASURED
            keys = tuple(cut.evidence.cut_key for cut in cuts)
            job_id = next(cut.evidence.job_id for cut in cuts if cut.evidence.job_id is not None)
            remedy = said.remedy if said else REPRODUCE.format(job=job_id)
            missing.append(Missing(rule.metric, f"a sample is wanted; {reason}", remedy, keys))
    return missing


def _missing_of_scenes(evidence: Sequence[CutEvidence], phase: Phase) -> list[Missing]:
    """Cuts of the other kinds without a take, which leave their scenes unfinished."""
    unfinished = [cut for cut in evidence if cut.job_id is None and cut.kind not in phase.cut_kinds]
    if not unfinished:
        return []
    remedy = RENDER_COMFYUI if any(cut.has_animatic for cut in unfinished) else RENDER
    reason = "no finished take, so that scenes are not whole"
    return [Missing(None, reason, remedy, tuple(cut.cut_key for cut in unfinished))]


def _failing(evidence: CutEvidence, rule: Rule, value: float) -> Failing:
    assert evidence.job_id is not None
    assert evidence.take_number is not None
    assert rule.threshold is not None
    found = evidence.details.get(rule.metric, {})
    worst = found.get("lowest" if rule.comparison == "at_least" else "highest")
    return Failing(
        evidence.cut_key,
        evidence.job_id,
        evidence.take_number,
        rule.metric,
        value,
        rule.threshold,
        rule.comparison,
        worst["frame"] if worst else None,
        {"broken": found["broken"]} if "broken" in found else {},
    )


def _judged_cuts(
    evidence: Sequence[CutEvidence], asked: Mapping[tuple[str, bool], Sequence[Rule]]
) -> dict[str, JudgedState]:
    """What was judged of each cut, by its key, in story order."""
    judged: dict[str, JudgedState] = {}
    for cut in evidence:
        values = [cut.values.get(rule.metric) for rule in asked[cut.kind, cut.has_cast]]
        state = (
            cut.kind,
            cut.job_id,
            cut.recipe_hash,
            cut.has_animatic,
            cut.has_cast,
            values,
            cut.provenance,
        )
        digest = hashlib.sha256(repr(state).encode()).hexdigest()
        # A choice of takes may hold two of one cut.
        key = cut.cut_key if cut.cut_key not in judged else f"{cut.cut_key} take {cut.take_number}"
        judged[key] = [cut.take_number, digest[:STATE_DIGITS]]
    return judged


def _judged_sha256(
    judged_cuts: Mapping[str, JudgedState], phase: Phase, scope_key: str, one_cut: bool
) -> str:
    """A hash over everything that the judgement depends on; equal hashes, equal judgements."""
    judged = {
        "phase": phase.name,
        "scope": scope_key,
        "demands": [1.0, 1] if one_cut else [phase.pass_rate, phase.minimum_cuts],
        "rules": [
            [rule.metric, rule.comparison, rule.threshold, sorted(rule.cut_kinds)] for rule in phase.rules
        ],
        "cuts": judged_cuts,
    }
    return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()
