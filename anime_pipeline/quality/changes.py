"""What has changed since a verdict: which cuts, and which thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anime_pipeline.quality.judging import JudgedState
from anime_pipeline.quality.phases import CUTS_GATE, PASS_RATE_GATE, Phase


@dataclass(frozen=True)
class Change:
    """Something that a verdict judged and that is otherwise now; of a cut, or without one of a threshold."""

    cut_key: str | None
    what: str

    def __str__(self) -> str:
        return self.what if self.cut_key is None else f"{self.cut_key}: {self.what}"


def thresholds_of(phase: Phase) -> dict[str, Any]:
    """What a phase asks, as a verdict keeps it."""
    metrics = {
        rule.metric: {"comparison": rule.comparison, "threshold": rule.threshold, "gate": rule.gate_name}
        for rule in phase.rules
    }
    return {"metrics": metrics, "pass_rate": phase.pass_rate, "minimum_cuts": phase.minimum_cuts}


def changes_between(
    judged: Mapping[str, JudgedState],
    thresholds: Mapping[str, Any],
    now: Mapping[str, JudgedState],
    phase: Phase,
) -> tuple[Change, ...]:
    """What differs between what a verdict judged and what is there now: thresholds, then cuts in story order.

    A verdict that was kept before cuts were noted tells of thresholds alone.
    """
    cuts = sorted({*judged, *now}) if judged else []
    changed = [
        Change(key, _change(judged.get(key), now.get(key))) for key in cuts if judged.get(key) != now.get(key)
    ]
    return (*_moved(thresholds, thresholds_of(phase)), *changed)


def _change(before: JudgedState | None, after: JudgedState | None) -> str:
    if before is None:
        return "new in the story"
    if after is None:
        return "no longer in the story"
    if before[0] != after[0]:
        return f"{_take(before)} → {_take(after)}"
    if before[0] is None:
        return "an animatic was made or lost"
    return f"{_take(after)} was measured again, or what is asked of it is another"


def _take(state: JudgedState) -> str:
    return "no take" if state[0] is None else f"take {state[0]}"


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    pairs = [
        (PASS_RATE_GATE, before.get("pass_rate"), after["pass_rate"]),
        (CUTS_GATE, before.get("minimum_cuts"), after["minimum_cuts"]),
    ]
    old, new = before.get("metrics", {}), after["metrics"]
    pairs += [
        (metric, _threshold(old.get(metric)), _threshold(new.get(metric))) for metric in sorted({*old, *new})
    ]
    return [Change(None, f"{name} {_number(was)} → {_number(is_)}") for name, was, is_ in pairs if was != is_]


def _threshold(rule: Mapping[str, Any] | None) -> float | None:
    return None if rule is None else rule["threshold"]


def _number(value: float | None) -> str:
    return "nothing asked" if value is None else f"{value:g}"
