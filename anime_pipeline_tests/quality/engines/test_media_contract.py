"""Defends the contract of a take: every way in which a broken render comes out is caught and named with its
frames, and anime's own grammar (twos, threes, holds, dark nights) is not taken for breakage.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anime_pipeline.quality.engines.media_contract import MediaContract, longest_hold
from anime_pipeline.quality.engines.protocol import TakeFacts
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.films import Film, held, noisy, panning, pattern

FRAMES = 24
ASKED = TakeFacts("video", FRAMES, 24.0, 96, 64, file_fps=24.0, motion_expected=True)


def broken(film: Film, facts: TakeFacts = ASKED) -> set[str]:
    """The clauses that a film breaks."""
    score = measure(MediaContract(), film, facts)
    clauses = set(score.details["broken"])  # type: ignore[call-overload]
    assert score.value == (0.0 if clauses else 1.0)
    assert len(score.per_frame) == len(film)
    return clauses


def with_frames(film: Film, picture: Film | int, first: int, last: int) -> Film:
    """The film with some frames replaced."""
    changed = film.copy()
    changed[first : last + 1] = picture
    return changed


def test_a_film_as_asked_passes() -> None:
    assert broken(panning(FRAMES)) == set()


@pytest.mark.parametrize("given", [16, 23, 25])
def test_another_number_of_frames_is_named(given: int) -> None:
    score = measure(MediaContract(), panning(given), ASKED)
    assert score.details["broken"] == {"frame_count": f"24 frames asked, {given} given"}


def test_another_size_is_named() -> None:
    assert broken(panning(FRAMES, 36, 64)) == {"size"}


def test_another_speed_is_named_and_rounding_of_a_format_is_not() -> None:
    assert broken(panning(FRAMES), replace(ASKED, file_fps=12.0)) == {"fps"}
    assert broken(panning(FRAMES), replace(ASKED, file_fps=1000 / 42)) == set()


def test_black_frames_are_counted() -> None:
    score = measure(MediaContract(), with_frames(panning(FRAMES), 0, 5, 7), ASKED)
    assert score.details["broken"] == {"black": "black: frames 5, 6, 7"}
    assert [t for t, value in enumerate(score.per_frame) if value == 0.0] == [5, 6, 7]


def test_black_with_encoding_noise_is_black() -> None:
    black = noisy(np.zeros_like(panning(FRAMES)), 3)
    assert "black" in broken(black)


def test_a_flat_frame_is_empty() -> None:
    assert broken(with_frames(panning(FRAMES), 200, 9, 9)) == {"empty"}


def test_a_dark_night_is_not_black() -> None:
    night = (panning(FRAMES) // 8).astype(np.uint8)
    night[:, 20:24, 30:34] = 255  # a lantern
    assert broken(night) == set()


def test_one_picture_throughout_is_frozen() -> None:
    assert broken(held(panning(1), FRAMES)) == {"frozen"}
    two = replace(ASKED, kind="loop", frame_count=2)
    assert broken(held(panning(1), 2), two) == {"frozen"}


def test_frozen_with_encoding_noise_is_frozen() -> None:
    assert broken(noisy(held(pattern(64, 96)[None] // 2 + 60, FRAMES), 1.0)) == {"frozen"}


def test_a_film_that_freezes_half_way_names_where() -> None:
    film = panning(FRAMES)
    score = measure(MediaContract(), with_frames(film, film[10], 10, 23), ASKED)
    assert score.details["broken"] == {
        "frozen": "motion is asked, and one picture stands still: frames 10 to 23"
    }


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_drawings_on_twos_threes_and_fours_move(times: int) -> None:
    assert broken(held(panning(FRAMES // times), times)) == set()


def test_a_hold_of_half_a_second_is_acting_and_a_longer_one_is_frozen() -> None:
    film, longest = panning(FRAMES), longest_hold(24.0, FRAMES)
    assert longest == 12
    assert broken(with_frames(film, film[6], 6, 6 + longest - 1)) == set()
    assert broken(with_frames(film, film[6], 6, 6 + longest)) == {"frozen"}


def test_a_long_cut_may_hold_for_a_third_of_it() -> None:
    assert longest_hold(24.0, 120) == 40


def test_a_moving_mouth_is_motion() -> None:
    talking = held(pattern(360, 640)[None], FRAMES)
    talking[::2, 200:204, 300:308] = 255
    facts = replace(ASKED, width=640, height=360)
    assert broken(talking, facts) == set()


def test_slow_motion_is_told_from_none_by_the_run_and_not_by_the_step() -> None:
    still = pattern(64, 96).astype(np.int16)
    fading = np.stack([still * (100 - t) // 100 for t in range(FRAMES)]).astype(np.uint8)
    assert broken(fading) == set()


def test_a_still_may_stand_still() -> None:
    assert broken(panning(1), TakeFacts("still", 1, 24.0, 96, 64)) == set()
    assert broken(held(panning(1), FRAMES), replace(ASKED, motion_expected=False)) == set()


def test_no_frames_at_all_is_undecodable() -> None:
    assert broken(panning(1)[:0]) == {"decodable", "frame_count"}


def test_damage_half_way_is_named_with_what_was_found() -> None:
    stream = EngineStream([MediaContract()], ASKED)
    for frame in panning(10):
        stream.add(frame)
    score = stream.finish("the film is damaged after frame 10")["media_contract"]
    assert score.value == 0.0
    assert score.details["broken"] == {
        "decodable": "the film is damaged after frame 10",
        "frame_count": "24 frames asked, 10 given",
    }
