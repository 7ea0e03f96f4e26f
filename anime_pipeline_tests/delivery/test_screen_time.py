"""Defends the edit's arithmetic: every cut is on screen for exactly its time, at any film rate, and shows the
right frames of its take, whether that is too short, too long, a cycle or a single picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.delivery.screen_time import on_screen_frames, screened, source_frame
from anime_pipeline.media.film import Frame
from anime_pipeline.story.context import CutKind
from anime_pipeline_tests.delivery.cuts import cut_of, number_of, numbered


@pytest.mark.parametrize(
    ("kind", "frames", "fps", "repeats", "film_fps", "shown"),
    [
        ("video", 72, 24, 1, 24, 72),
        ("still", 48, 24, 1, 24, 48),
        ("loop", 16, 24, 3, 24, 48),
        ("loop", 16, 8, 2, 24, 96),
        ("video", 72, 24, 1, 12, 36),
        ("video", 25, 25, 1, 24, 24),
        ("video", 1, 24, 1, 12, 1),
        ("video", 1, 240, 1, 1, 1),
    ],
)
def test_time_on_screen(
    kind: CutKind, frames: int, fps: int, repeats: int, film_fps: int, shown: int
) -> None:
    assert on_screen_frames(cut_of(kind, frames, fps, repeats), film_fps) == shown


@given(frames=st.integers(1, 10_000), fps=st.integers(1, 240), film_fps=st.integers(1, 240))
def test_a_cut_keeps_its_seconds(frames: int, fps: int, film_fps: int) -> None:
    shown = on_screen_frames(cut_of("video", frames, fps), film_fps)
    assert shown == 1 or abs(Fraction(shown, film_fps) - Fraction(frames, fps)) <= Fraction(1, 2 * film_fps)


@given(frame=st.integers(0, 100_000), fps=st.integers(1, 240))
def test_at_one_rate_frames_are_the_take_s_own(frame: int, fps: int) -> None:
    assert source_frame(frame, Fraction(fps), fps) == frame


@given(frame=st.integers(0, 10_000), rate=st.integers(1, 240), film_fps=st.integers(1, 240))
def test_the_take_never_runs_backwards(frame: int, rate: int, film_fps: int) -> None:
    assert source_frame(frame, Fraction(rate), film_fps) <= source_frame(frame + 1, Fraction(rate), film_fps)


def show(taken: int, count: int, repeat: bool = False, rate: int = 24, film_fps: int = 24) -> list[int]:
    def frames() -> Iterator[Frame]:
        return iter([numbered(number) for number in range(taken)])

    return [number_of(frame) for frame in screened(frames, repeat, Fraction(rate), film_fps, count)]


def test_a_take_of_the_right_length_is_shown_once() -> None:
    assert show(5, 5) == [0, 1, 2, 3, 4]


def test_a_long_take_is_trimmed_and_a_short_one_holds_its_last_frame() -> None:
    assert show(5, 3) == [0, 1, 2]
    assert show(3, 6) == [0, 1, 2, 2, 2, 2]


def test_a_still_is_held() -> None:
    assert show(1, 4) == [0, 0, 0, 0]


def test_a_loop_repeats_its_own_cycle_and_may_stop_within_it() -> None:
    assert show(4, 10, repeat=True) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert show(1, 3, repeat=True) == [0, 0, 0]


def test_another_rate_repeats_or_skips_frames_evenly() -> None:
    assert show(4, 8, rate=12) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert show(8, 4, rate=24, film_fps=12) == [1, 3, 5, 7]
    assert show(2, 9, repeat=True, rate=8) == [0, 0, 0, 1, 1, 1, 0, 0, 0]


@given(taken=st.integers(1, 30), count=st.integers(1, 60), repeat=st.booleans(), rate=st.integers(1, 60))
def test_the_count_is_exact(taken: int, count: int, repeat: bool, rate: int) -> None:
    assert len(show(taken, count, repeat, rate)) == count


def test_held_frames_are_one_object() -> None:
    shown = list(screened(lambda: iter([numbered(0)]), False, Fraction(24), 24, 5))
    assert all(frame is shown[0] for frame in shown)
