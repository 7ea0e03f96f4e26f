"""Defends the score: monotone in each metric, between 0 and 1, and made of nothing that was not measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.quality.engines.registry import REPRODUCIBLE, metrics
from anime_pipeline.quality.phases import Phase, Rule
from anime_pipeline.review.formula import (
    CONTINUITY,
    SCALES,
    Formula,
    Found,
    effective_weights,
    quality,
    total,
)
from anime_pipeline.story.production import WeightsEntry

KINDS = frozenset({"video"})
NAMES = sorted(SCALES.keys() - {CONTINUITY})
VALUES = st.floats(0, 10, allow_nan=False)
THRESHOLDS = st.none() | st.floats(0, 2, allow_nan=False)
WEIGHTS = st.fixed_dictionaries({name: st.floats(0, 5) for name in SCALES})


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    rules = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)):
        threshold = draw(THRESHOLDS)
        natural = "at_least" if SCALES[name].better == "higher" else "at_most"
        comparison = "reported" if threshold is None else natural
        rules.append(Rule(name, comparison, threshold, None, KINDS))  # type: ignore[arg-type]
    return Formula(Phase("phase", tuple(rules), 5, 0.8), draw(WEIGHTS), draw(THRESHOLDS))


def score(formula: Formula, found: dict[str, Found]) -> float | None:
    return total(formula.terms(formula.phase.rules, found))


@given(formulas(), st.data())
def test_a_better_value_never_lowers_the_score(formula: Formula, data: st.DataObject) -> None:
    names = [rule.metric for rule in formula.phase.rules] + [CONTINUITY]
    found = {name: Found(data.draw(VALUES)) for name in names}
    name = data.draw(st.sampled_from(names))
    other = data.draw(VALUES)
    worse, better = sorted([found[name].value or 0.0, other], reverse=SCALES[name].better == "lower")
    low, high = (score(formula, {**found, name: Found(value)}) for value in (worse, better))
    assert (low is None) == (high is None)
    if low is not None and high is not None:
        assert 0 <= low <= high <= 1


@given(formulas(), st.data())
def test_what_is_not_measured_counts_for_nothing(formula: Formula, data: st.DataObject) -> None:
    found = {rule.metric: Found(data.draw(VALUES)) for rule in formula.phase.rules}
    name = data.draw(st.sampled_from(sorted(found)))
    lacking = {**found, name: Found(None, "no face in the picture", "look at it")}
    without = {metric: value for metric, value in found.items() if metric != name}
    assert score(formula, lacking) == score(formula, without)
    (term,) = [term for term in formula.terms(formula.phase.rules, lacking) if term.metric == name]
    assert term.quality is None
    assert term.left_out == ("its weight is 0" if not term.weight else "no face in the picture")


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "expected"),
    [
        ("temporal_flicker", 0.90, 0.90, 0.5),
        ("temporal_flicker", 0.95, 0.90, 0.75),
        ("temporal_flicker", 1.0, 0.90, 1.0),
        ("temporal_flicker", 0.45, 0.90, 0.25),
        ("temporal_lpips", 0.15, 0.15, 0.5),
        ("temporal_lpips", 0.075, 0.15, 0.75),
        ("temporal_lpips", 0.0, 0.15, 1.0),
        ("temporal_lpips", 0.30, 0.15, 0.25),
        ("aesthetic", 7.5, 5.0, 0.75),
        ("media_contract", 1.0, 1.0, 1.0),
        ("media_contract", 0.0, 1.0, 0.0),
        ("dynamic_degree", 0.0002, 0.0002, 0.5),
        ("dynamic_degree", 0.0004, 0.0002, 0.75),
        ("palette_adherence", 0.8, None, 0.8),
        ("temporal_lpips", 0.1, None, None),
    ],
)
def test_qualities(metric: str, value: float, threshold: float | None, expected: float | None) -> None:
    found = quality(value, SCALES[metric], threshold)
    assert found == (None if expected is None else pytest.approx(expected))


def test_every_metric_has_a_scale_and_a_place_in_the_production_file() -> None:
    known = {metric.name for metric in metrics()} | {REPRODUCIBLE, CONTINUITY}
    assert known == SCALES.keys()
    assert known == WeightsEntry.model_fields.keys()


def test_weights_of_the_project_stand_before_the_defaults() -> None:
    weights = effective_weights({"weights": {"aesthetic": 3.0, "dynamic_degree": 0.5}})
    assert (weights["aesthetic"], weights["dynamic_degree"]) == (3.0, 0.5)
    assert weights["temporal_lpips"] == effective_weights({})["temporal_lpips"] == 1.0


def test_a_rule_that_asks_the_other_way_is_followed() -> None:
    """A studio may want its loops calm: at most so much motion."""
    rule = Rule("dynamic_degree", "at_most", 0.01, None, KINDS)
    formula = Formula(Phase("phase", (rule,), 5, 0.8), {**effective_weights({}), "dynamic_degree": 1.0}, None)
    calm, wild = (score(formula, {"dynamic_degree": Found(value)}) for value in (0.001, 0.05))
    assert calm is not None
    assert wild is not None
    assert calm > 0.5 > wild
