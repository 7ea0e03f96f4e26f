"""Defends the finding of shot changes, which a mean over frames hides: hard cuts between moving pictures are
found; flashes, pans and fades are not.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.quality.engines.shot_changes import ShotChanges
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.films import Film, held, panning


def blocks(seed: int, frames: int) -> Film:
    """A pan over a picture with large shapes, as films have."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(0, 256, (4, 9, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    return np.stack([wide[:, t : t + 96] for t in range(frames)])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 14), min_size=1, max_size=4), st.integers(0, 1000), st.integers(1, 7))
def test_every_hard_cut_is_found(lengths: list[int], seed: int, chunk: int) -> None:
    lengths = [length + 2 for length in lengths]
    film = np.concatenate([blocks(seed + shot, length) for shot, length in enumerate(lengths)])
    score = measure(ShotChanges(), film, chunk=chunk)
    assert score.details["at_frames"] == np.cumsum(lengths)[:-1].tolist()
    assert score.value == len(lengths) - 1


def test_a_flash_is_no_new_shot() -> None:
    film = blocks(0, 20)
    film[9] = 255
    assert measure(ShotChanges(), film).value == 0


def test_a_fade_and_a_fast_pan_are_no_new_shot() -> None:
    fade = (blocks(0, 30) * np.linspace(1, 0, 30)[:, None, None, None]).astype(np.uint8)
    assert measure(ShotChanges(), fade).value == 0
    assert measure(ShotChanges(), panning(20, 64, 96, 9, 3)).value == 0


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [3, 6, 12])
def test_a_fast_pan_drawn_on_twos_to_fours_is_no_new_shot(times: int, step: int) -> None:
    pan = held(panning(48 // times, 180, 320, step), times)
    assert measure(ShotChanges(), pan).value == 0
    other = held(panning(24 // times, 180, 320, step, seed=5), times)
    both = measure(ShotChanges(), np.concatenate([pan, 255 - other // 4]))
    assert both.details["at_frames"] == [48]


def test_cuts_between_pictures_that_stand_still_are_found() -> None:
    film = np.concatenate([np.repeat(blocks(seed, 1), 8, axis=0) for seed in range(3)])
    assert measure(ShotChanges(), film).details["at_frames"] == [8, 16]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_frames_have_no_change(count: int) -> None:
    assert measure(ShotChanges(), blocks(0, 3)[:count]).state == "not_measurable"
