"""Defends the name of a recipe: equal values have one spelling, and no value loses anything in it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.rendering.canonical import canonical_json, sha256_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {key: shuffled(inner, rng) for key, inner in items}
    return [shuffled(inner, rng) for inner in value] if isinstance(value, list) else value


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: Any, rng: random.Random) -> None:
    assert sha256_of(shuffled(value, rng)) == sha256_of(value)


@given(VALUES)
def test_reading_back_gives_an_equal_value_with_the_same_spelling(value: Any) -> None:
    spelled = canonical_json(value)
    back = json.loads(spelled)
    assert canonical_json(back) == spelled


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value(value: float) -> None:
    assert float(json.loads(canonical_json(value))) == value


def test_integers_and_floats_are_different_recipes() -> None:
    assert canonical_json({"seed": 2**64 - 1, "cfg": 7.0}) == b'{"cfg":7.0,"seed":18446744073709551615}'
    assert sha256_of(1) != sha256_of(1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}, {1: 2}, "\ud800"])
def test_what_has_no_spelling_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(value)
