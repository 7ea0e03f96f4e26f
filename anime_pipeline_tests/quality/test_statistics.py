"""Defends the interval of a pass rate: known values, always in range, always around the rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.quality.statistics import NORMAL_975, wilson_interval


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_published_examples(passed: int, total: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, to its four digits."""
    assert wilson_interval(passed, total) == pytest.approx((low, high), abs=5.1e-5)


@given(st.integers(1, 10_000))
def test_all_of_n_begins_at_n_over_n_plus_z_squared(total: int) -> None:
    assert wilson_interval(total, total) == pytest.approx((total / (total + NORMAL_975**2), 1.0))


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_the_interval_holds_the_share_and_stays_in_range(share: tuple[int, int]) -> None:
    low, high = wilson_interval(*share)
    assert 0.0 <= low <= share[0] / share[1] <= high <= 1.0


@pytest.mark.parametrize(("passed", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(passed: int, total: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson_interval(passed, total)
