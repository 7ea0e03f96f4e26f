"""Defends the strips that stand for takes: first and last frame in, small, whatever the frame count."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anime_pipeline.media.thumbnail import MAX_BYTES, STRIP_FRAMES, strip_positions, webp_strip


@given(st.integers(1, 10_000))
def test_a_strip_shows_first_and_last_and_nothing_twice(frame_count: int) -> None:
    positions = strip_positions(frame_count)
    assert positions[0] == 0
    assert positions[-1] == frame_count - 1
    assert len(set(positions)) == len(positions) == min(frame_count, STRIP_FRAMES)
    assert list(positions) == sorted(positions)


def test_a_strip_is_its_frames_side_by_side() -> None:
    frames = [np.full((90, 160, 3), shade, np.uint8) for shade in (0, 80, 160, 240)]
    data = webp_strip(frames)
    picture = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)
    assert picture.shape == (90, 640, 3)
    assert all(abs(picture[45, 80 + 160 * n, 0] - shade) <= 3 for n, shade in enumerate((0, 80, 160, 240)))
    assert len(data) <= STRIP_FRAMES * MAX_BYTES
    assert Image.open(BytesIO(webp_strip(frames[:1]))).size == (160, 90)
