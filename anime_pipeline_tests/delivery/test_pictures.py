"""Defends what the film adds of its own: slates that say what is missing, burnt-in text that stays in its
strip, and frames of any size brought into the film's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from anime_pipeline.delivery.burn_in import burn_in
from anime_pipeline.delivery.screening import fit
from anime_pipeline.delivery.slates import draw_slate, slate_text
from anime_pipeline_tests.delivery.cuts import cut_of, flat, numbered


@pytest.mark.parametrize("size", [(640, 360), (1280, 544), (360, 640), (64, 36), (17, 16)])
def test_a_slate_has_the_film_s_size(size: tuple[int, int]) -> None:
    slate = draw_slate(cut_of(), *size)
    assert (slate.shape, slate.dtype) == ((size[1], size[0], 3), np.uint8)
    spread = slate.max(axis=2).astype(int) - slate.min(axis=2)
    assert spread.max() <= 20, "a slate is grey, so that nobody takes it for a picture"


def test_a_slate_says_which_cut_is_missing() -> None:
    text = "\n".join(slate_text(cut_of("loop", 16, repeats=3)))
    for part in (
        "lantern-post.e01.s001.c0010",
        "loop",
        "48 frames",
        "2.0 s",
        "harbour street",
        "no take selected",
    ):
        assert part in text


def test_slates_of_two_cuts_differ() -> None:
    slates = [draw_slate(cut_of(description=text), 320, 180) for text in ("rain", "snow", "")]
    assert len({slate.tobytes() for slate in slates}) == 3


@given(st.text(max_size=300))
@examples(max_examples=30, deadline=None)
def test_any_description_can_be_drawn(text: str) -> None:
    draw_slate(cut_of(description=text), 96, 54)


def test_burnt_text_is_bright_edged_and_at_the_foot() -> None:
    frame = flat(90, 320, 180)
    burnt = burn_in(frame, "Mika: It's for you.")
    changed = np.flatnonzero((burnt != frame).any(axis=(1, 2)))
    assert changed.min() > 140
    assert burnt.max() > 240
    assert burnt.min() < 20
    assert (frame == flat(90, 320, 180)).all(), "the frame that was given stays as it was"


@given(st.text(max_size=400), st.integers(16, 200), st.integers(16, 120))
@examples(max_examples=30, deadline=None)
def test_any_text_fits_any_frame(text: str, width: int, height: int) -> None:
    assert burn_in(flat(90, width, height), text).shape == (height, width, 3)


def test_a_frame_of_the_film_s_size_is_not_touched() -> None:
    frame = numbered(9)
    assert fit(frame, 64, 36) is frame


def test_the_pixel_that_an_odd_film_gained_is_cut_off() -> None:
    frame = numbered(9)
    assert fit(frame, 63, 35).shape == (35, 63, 3)
    assert (fit(frame, 63, 35) == frame[:35, :63]).all()


def test_another_shape_is_scaled_as_a_whole() -> None:
    fitted = fit(flat(200, 40, 40), 64, 36)
    assert fitted.shape == (36, 64, 3)
    assert not fitted[:, :14].any()
    assert not fitted[:, -14:].any()
    assert (fitted[:, 20:44] == 200).all()
