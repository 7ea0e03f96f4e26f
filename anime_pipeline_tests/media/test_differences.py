"""Defends the numbers that say how far two renderings are apart, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anime_pipeline.media.differences import UnlikeFramesError, compare_frames


def grey(value: int, height: int = 16, width: int = 24) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_equal_frames_have_no_psnr_and_the_highest_ssim() -> None:
    found = compare_frames([grey(9), grey(3)], [grey(9), grey(3)])
    assert (found.frames, found.max_difference, found.changed_share, found.psnr) == (2, 0, 0.0, None)
    assert (found.ssim, found.picture) == (1.0, None)


def test_one_grey_against_another() -> None:
    found = compare_frames([grey(100)], [grey(110)])
    assert found.max_difference == 10
    assert found.changed_share == 1.0
    assert found.psnr == pytest.approx(20 * math.log10(25.5))
    # Flat pictures differ in their means alone: (2ab + C1) / (a² + b² + C1).
    c1 = (0.01 * 255) ** 2
    assert found.ssim == pytest.approx((2 * 100 * 110 + c1) / (100**2 + 110**2 + c1))
    assert found.picture is not None
    assert found.picture.min() == 255


def test_the_worst_frame_is_shown_with_its_differences_made_visible() -> None:
    second = grey(50)
    second[2, 3] = 53
    second[5, 6, 0] = 51
    found = compare_frames([grey(50), grey(50)], [grey(50), second])
    assert (found.worst_frame, found.max_difference, found.changed_share) == (1, 3, 4 / (2 * 16 * 24 * 3))
    assert found.picture is not None
    assert found.picture[2, 3].tolist() == [255, 255, 255]
    assert found.picture[5, 6].tolist() == [85, 0, 0]
    assert np.count_nonzero(found.picture) == 4


def test_frames_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(UnlikeFramesError, match="more frames"):
        compare_frames([grey(1), grey(1)], [grey(1)])
    with pytest.raises(UnlikeFramesError, match="24×16 and 24×8"):
        compare_frames([grey(1)], [grey(1, height=8)])
    with pytest.raises(UnlikeFramesError, match="no frame"):
        compare_frames([], [])


_FRAMES = arrays(np.uint8, st.tuples(st.integers(1, 12), st.just(9), st.just(3)))


@given(_FRAMES, st.integers(0, 255))
def test_it_does_not_matter_which_is_first(one: np.ndarray, value: int) -> None:
    other = np.roll(one, 1, axis=1)
    other[0, 0] = value
    there, back = compare_frames([one], [other]), compare_frames([other], [one])
    assert there.psnr == back.psnr
    assert there.ssim == pytest.approx(back.ssim)
    assert -1 <= there.ssim <= 1 + 1e-9
    assert (there.psnr is None) == (there.max_difference == 0)
