"""Defends the SRT: times come from frames alone and never drift, and no text can break the file."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.subtitles import Subtitle, write_srt

TIMES = re.compile(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})")


def milliseconds(parts: tuple[str, ...]) -> int:
    hours, minutes, seconds, rest = map(int, parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def test_a_file_as_players_expect_it() -> None:
    lines = [Subtitle(72, 121, "Mika: It's for you.\nAll of it."), Subtitle(0, 24, "Toru: Late again?")]
    assert write_srt(lines, 24) == (
        "1\n00:00:00,000 --> 00:00:01,000\nToru: Late again?\n"
        "\n"
        "2\n00:00:03,000 --> 00:00:05,042\nMika: It's for you.\nAll of it.\n"
    )


@given(
    start=st.integers(0, 2_000_000),
    length=st.integers(1, 10_000),
    rate=st.sampled_from(
        [Fraction(24), Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(12)]
    ),
)
def test_times_are_the_nearest_millisecond(start: int, length: int, rate: Fraction) -> None:
    match = TIMES.search(write_srt([Subtitle(start, start + length, "…")], rate))
    assert match
    for parts, frame in ((match.groups()[:4], start), (match.groups()[4:], start + length)):
        assert abs(milliseconds(parts) - frame * 1000 / rate) <= Fraction(1, 2)


@given(st.lists(st.text(alphabet="ab <>-/{}\\\n\r\t1:,", max_size=30), max_size=6))
def test_no_text_breaks_the_structure(texts: list[str]) -> None:
    srt = write_srt([Subtitle(index, index + 1, text) for index, text in enumerate(texts)], 24)
    blocks = [block.splitlines() for block in srt.split("\n\n") if block]
    spoken = [text for text in texts if text.strip()]
    assert [block[0] for block in blocks] == [str(number + 1) for number in range(len(spoken))]
    assert all(TIMES.fullmatch(block[1]) and len(block) > 2 for block in blocks)
    assert srt.count("-->") == len(spoken)


def test_markup_is_shown_and_hearts_are_left_alone() -> None:
    srt = write_srt([Subtitle(0, 24, "<i>wind</i> {\\an8}I <3 rain -> home")], 24)
    assert "‹i›wind‹/i› { \\an8}I <3 rain -> home" in srt


def test_nobody_speaks() -> None:
    assert write_srt([], 24) == ""


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5), (-1, 5)])
def test_impossible_times_are_refused(start: int, end: int) -> None:
    with pytest.raises(MediaError, match="cannot last"):
        write_srt([Subtitle(start, end, "Hm.")], 24)
