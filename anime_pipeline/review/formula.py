"""The score that a cut's takes are compared by: a weighted mean of qualities, each from 0 to 1.

A quality is 0.5 at the threshold that the take's phase asks, 1 at the best end of the metric's scale and 0 at
its worst; a scale without an end nears it and never arrives. docs/TAKES.md has the formula. What is not
measured is left out and named, and the other weights stand for the whole: nothing is scored as a constant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from anime_pipeline.quality.phases import Phase, Rule
from anime_pipeline.rendering.canonical import sha256_of

VERSION = 1
"""Raised when the same measurements give another score."""

CONTINUITY = "continuity"
CONTINUITY_THRESHOLD = "temporal_lpips"
"""The metric whose threshold continuity is scaled by: it is the same distance between two frames."""

DIGITS = 6


@dataclass(frozen=True)
class Scale:
    """A metric's scale: its better end, its ends (None: it has none), how much it counts by default."""

    better: Literal["higher", "lower"]
    lowest: float | None
    highest: float | None
    weight: float


SCALES: Mapping[str, Scale] = {
    "media_contract": Scale("higher", 0, 1, 1),
    "temporal_flicker": Scale("higher", 0, 1, 1),
    "motion_smoothness": Scale("higher", 0, 1, 1),
    "temporal_lpips": Scale("lower", 0, None, 1),
    "loop_closure": Scale("lower", 0, None, 1),
    "face_similarity": Scale("higher", 0, 1, 1),
    "subject_consistency": Scale("higher", 0, 1, 1),
    "style_adherence": Scale("higher", 0, 1, 1),
    "aesthetic": Scale("higher", 0, 10, 1),
    CONTINUITY: Scale("lower", 0, None, 1),
    # Not better for having more of it, or not of the picture: they count where a project says so.
    "dynamic_degree": Scale("higher", 0, None, 0),
    "palette_adherence": Scale("higher", 0, 1, 0),
    "shot_changes": Scale("lower", 0, None, 0),
    "generation_seconds": Scale("lower", 0, None, 0),
    "reproducible": Scale("higher", 0, 1, 0),
}


@dataclass(frozen=True)
class Found:
    """What is known of a metric: its value, or why there is none and what mends that."""

    value: float | None
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Term:
    """A metric's part of a score; ``quality`` is None where it was ``left_out``, for that reason."""

    metric: str
    weight: float
    value: float | None = None
    threshold: float | None = None
    quality: float | None = None
    left_out: str | None = None
    remedy: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What is stored: whatever is not None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def effective_weights(selection: Mapping[str, Any]) -> dict[str, float]:
    """The weight of every metric: what the project says (its profile's ``selection``), else the default."""
    own = selection.get("weights") or {}
    return {name: float(own.get(name, scale.weight)) for name, scale in SCALES.items()}


def continuity_threshold(phases: Iterable[Phase]) -> float | None:
    """The threshold of ``temporal_lpips`` in the first of a project's phases that has one."""
    rules = (rule for phase in phases for rule in phase.rules if rule.metric == CONTINUITY_THRESHOLD)
    return next((rule.threshold for rule in rules if rule.threshold is not None), None)


@dataclass(frozen=True)
class Formula:
    """How the takes of one phase of a project are scored."""

    phase: Phase
    weights: Mapping[str, float]
    continuity_threshold: float | None

    @cached_property
    def sha256(self) -> str:
        """A hash of all that decides a score besides measurements."""
        rules = sorted([rule.metric, rule.comparison, rule.threshold] for rule in self.phase.rules)
        return sha256_of(
            {
                "version": VERSION,
                "weights": dict(self.weights),
                "rules": rules,
                "continuity": self.continuity_threshold,
                "scales": {name: asdict(scale) for name, scale in SCALES.items()},
            }
        )

    def terms(self, rules: Iterable[Rule], found: Mapping[str, Found]) -> list[Term]:
        """The terms of a take by metric: what its phase asks of such a cut (``rules``), and continuity where
        it was looked for.
        """
        asked = {rule.metric: rule for rule in rules if rule.metric in SCALES}
        names = sorted({*asked, *(name for name in found if name == CONTINUITY)})
        return [self._term(name, asked.get(name), found.get(name)) for name in names]

    def _term(self, name: str, rule: Rule | None, found: Found | None) -> Term:
        weight, value = self.weights[name], found.value if found else None
        threshold = self.continuity_threshold if name == CONTINUITY else rule.threshold if rule else None
        if not weight:
            return Term(name, weight, value, threshold, left_out="its weight is 0")
        if found is None or value is None:
            reason = (found.reason if found else None) or "not measured"
            return Term(name, weight, None, threshold, None, reason, found.remedy if found else None)
        part = quality(value, _directed(SCALES[name], rule), threshold)
        if part is None:
            reason = "it has no threshold, and without one nothing says what is much"
            return Term(name, weight, value, left_out=reason)
        return Term(name, weight, value, threshold, round(part, DIGITS))


def total(terms: Iterable[Term]) -> float | None:
    """The score: Σ weight · quality / Σ weight over the terms that count, in six digits; None without any."""
    counted = [(term.weight, term.quality) for term in terms if term.quality is not None]
    whole = math.fsum(weight for weight, _ in counted)
    if not whole:
        return None
    return round(math.fsum(weight * quality for weight, quality in counted) / whole, DIGITS)


def quality(value: float, scale: Scale, threshold: float | None) -> float | None:
    """A value on the scale of 0 to 1; None where neither a threshold nor two ends tell what is much."""
    sign = 1.0 if scale.better == "higher" else -1.0
    ends = [None if end is None else sign * end for end in (scale.lowest, scale.highest)]
    worst, best = ends if scale.better == "higher" else ends[::-1]
    if threshold is not None:
        return _around(sign * value, sign * threshold, worst, best)
    if worst is None or best is None:
        return None
    return _clamped((sign * value - worst) / (best - worst))


def _around(value: float, threshold: float, worst: float | None, best: float | None) -> float:
    """0.5 at the threshold, rising with ``value``. Towards an open end, the distance from the threshold
    counts in units of the threshold's distance to the other end.
    """
    if value >= threshold:
        if best is None:
            return 1 - 0.5 * _share(value - threshold, _unit(threshold, worst))
        return 1.0 if threshold >= best else _clamped(0.5 + 0.5 * (value - threshold) / (best - threshold))
    if worst is None:
        return 0.5 * _share(threshold - value, _unit(threshold, best))
    return 0.0 if worst >= threshold else _clamped(0.5 * (value - worst) / (threshold - worst))


def _unit(threshold: float, end: float | None) -> float:
    return abs(threshold - end) if end is not None and end != threshold else abs(threshold) or 1.0


def _share(distance: float, unit: float) -> float:
    """1 at no distance, ½ at one unit, towards 0."""
    return unit / (unit + distance)


def _clamped(value: float) -> float:
    return min(1.0, max(0.0, value))


def _directed(scale: Scale, rule: Rule | None) -> Scale:
    """The scale as the rule reads it: a studio may ask at most of what we take for better when it is more."""
    if rule is None or not rule.decides:
        return scale
    better: Literal["higher", "lower"] = "higher" if rule.comparison == "at_least" else "lower"
    return replace(scale, better=better)
