"""Defends the plots: every shape of values is drawn, at its size, and small enough to go with an event."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.media.plots import draw_distributions, draw_lines, png, webp

unit = st.floats(0, 1)


@settings(deadline=None, max_examples=25)
@given(st.lists(unit, max_size=30), st.lists(unit, max_size=30), st.none() | unit)
def test_any_distributions_are_drawn(
    same: list[float], different: list[float], threshold: float | None
) -> None:
    picture = draw_distributions("title", "subtitle", same, different, threshold)
    assert (picture.size, picture.mode) == ((900, 460), "RGB")
    assert png(picture).startswith(b"\x89PNG")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.none() | st.floats(-10, 10), max_size=50))
def test_any_values_are_drawn(values: list[float | None]) -> None:
    picture = draw_lines({"a metric": values, "another": values[::-1]})
    assert picture.size == (740, 88)
    assert webp(picture)[8:12] == b"WEBP"


@pytest.mark.parametrize("frames", [2, 300, 5000])
def test_a_plot_of_a_take_is_a_few_kilobytes(frames: int) -> None:
    values = np.random.default_rng(0).random((6, frames))
    series = {f"metric {row}": [None, *values[row].tolist()] for row in range(6)}
    assert len(webp(draw_lines(series))) < 40_000


def test_a_rise_is_drawn_from_lower_left_to_upper_right() -> None:
    picture = np.asarray(draw_lines({"rise": [0.0, 1.0]})).astype(int)
    blue = picture[..., 2] - picture[..., 0] > 80
    columns = np.flatnonzero(blue.any(axis=0))
    assert np.flatnonzero(blue[:, columns[0]]).mean() > np.flatnonzero(blue[:, columns[-1]]).mean()
