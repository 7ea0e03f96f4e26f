"""Defends the choice of what to try: by cause, only what is possible, never without end."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.review.strategies import CAUSES, STEPS, Cause, Possible, cause_of, choose

METRICS = sorted(set().union(*CAUSES.values()))
possibilities = st.builds(Possible, st.booleans(), st.booleans(), st.booleans())
causes = st.sampled_from(sorted(CAUSES))


def test_what_is_tried_against_what() -> None:
    everything = Possible()
    tried = {
        cause: [choose(cause, n, everything, "w").step for n in range(len(steps) + 1)]
        for cause, steps in STEPS.items()
    }
    assert {cause: [step.strategy if step else None for step in steps] for cause, steps in tried.items()} == {
        "contract": ["same_seed", None],
        "identity": ["new_seed", "stronger_anchor", "stronger_anchor", None],
        "motion": ["new_seed", "smoother", "smoother", None],
        "look": ["new_seed", "new_seed", None],
        "cost": [None],
    }
    assert [step.anchor_weight for step in tried["identity"] if step] == [1.0, 1.25, 1.5]


def test_a_broken_file_decides_before_a_face_and_a_face_before_flicker() -> None:
    assert cause_of(["temporal_flicker", "face_similarity", "media_contract"]) == "contract"
    assert cause_of(["temporal_flicker", "face_similarity"]) == "identity"
    assert cause_of(["aesthetic", "loop_closure"]) == "motion"
    assert cause_of(["a metric of one's own"]) == "look"


@given(st.lists(st.sampled_from(METRICS), min_size=1))
def test_each_metric_belongs_to_one_cause_and_the_order_of_metrics_decides_nothing(
    metrics: list[str],
) -> None:
    assert sum(metrics[0] in named for named in CAUSES.values()) == 1
    assert cause_of(metrics) == cause_of(metrics[::-1])


@given(causes, possibilities)
def test_trying_ends_and_only_what_is_possible_is_tried(cause: Cause, possible: Possible) -> None:
    for tried in count():
        chosen = choose(cause, tried, possible, "w")
        assert chosen.reason
        if chosen.step is None:
            break
        assert chosen.step.strategy == "same_seed" or getattr(possible, chosen.step.strategy)
    assert tried <= len(STEPS[cause])


@given(causes, st.integers(0, 5), possibilities)
def test_once_nothing_is_left_nothing_comes_after(cause: Cause, tried: int, possible: Possible) -> None:
    if choose(cause, tried, possible, "w").step is None:
        assert choose(cause, tried + 1, possible, "w").step is None
