"""Defends when lines are spoken: given frames are kept, the rest is shared by the length of the texts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.story.timing import SpokenText, speaking_times

texts = st.text("abc ", min_size=1, max_size=40)


def test_lines_share_the_cut_by_their_length() -> None:
    lines = [SpokenText("a" * 10), SpokenText("b" * 30)]
    assert speaking_times(lines, 80) == [(0, 20), (20, 80)]


def test_given_frames_are_kept_and_bound_the_others() -> None:
    lines = [SpokenText("one"), SpokenText("two", start=40), SpokenText("three", end=70), SpokenText("four")]
    times = speaking_times(lines, 100)
    assert times[0] == (0, 40)
    assert times[1][0] == 40
    assert times[2] == (times[1][1], 70)
    assert times[3] == (70, 100)


def test_a_line_without_room_comes_out_empty() -> None:
    assert speaking_times([SpokenText("one", 0, 10), SpokenText("two")], 10)[1] == (10, 10)


@given(st.lists(texts, min_size=1, max_size=8), st.integers(1, 500))
def test_untimed_lines_follow_each_other_within_the_cut(words: list[str], frames: int) -> None:
    lines = [SpokenText(word) for word in words]
    times = speaking_times(lines, frames)
    assert times == speaking_times(lines, frames)
    assert times[0][0] == 0
    assert times[-1][1] == frames
    assert all(before[1] == after[0] for before, after in pairwise(times))
    assert all(start <= end for start, end in times)
