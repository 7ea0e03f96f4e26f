"""Defends the ends of films: the very frames that decoding all of it gives, and few others are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from anime_pipeline.media import film_ends
from anime_pipeline.media.errors import DamagedMediaError, MediaError, MissingMediaError
from anime_pipeline.media.film import FilmWriter, Frame, iter_frames
from anime_pipeline.media.film_ends import first_frame, last_frame


def counting(count: int) -> Iterator[Frame]:
    """A bar that walks: no two frames are alike."""
    for index in range(count):
        frame = np.full((48, 64, 3), 30, np.uint8)
        frame[:, index % 60 : index % 60 + 4] = (200, 40 + index % 200, 90)
        yield frame


def film(path: Path, count: int, **options: str) -> Path:
    """A film by stock encoders; ``options`` such as the distance of keyframes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9" if path.suffix == ".webm" else "libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, "yuv420p", options
        for frame in counting(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.mov"])
@pytest.mark.parametrize("count", [1, 2, 61])
def test_the_ends_are_those_of_the_whole_film(tmp_path: Path, name: str, count: int) -> None:
    path = film(tmp_path / name, count, g="12")
    frames = list(iter_frames(path))
    assert np.array_equal(first_frame(path), frames[0])
    assert np.array_equal(last_frame(path), frames[-1])


def test_the_houses_own_films_too(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 64, 48, 24) as writer:
        for frame in counting(50):
            writer.write(frame)
    assert np.array_equal(last_frame(path), list(iter_frames(path))[-1])


def test_animated_and_single_pictures(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in counting(5)]
    pictures[0].save(tmp_path / "one.png")
    pictures[0].save(tmp_path / "five.webp", save_all=True, append_images=pictures[1:], lossless=True)
    assert np.array_equal(first_frame(tmp_path / "one.png"), last_frame(tmp_path / "one.png"))
    assert np.array_equal(last_frame(tmp_path / "five.webp"), np.asarray(pictures[-1]))
    assert np.array_equal(first_frame(tmp_path / "five.webp"), np.asarray(pictures[0]))


def test_a_long_film_is_not_decoded_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "film.mp4", 240, g="24")

    def refused(*_: Any) -> Any:
        raise AssertionError("the whole film was decoded")

    monkeypatch.setattr(film_ends, "iter_frames", refused)
    assert last_frame(path).shape == (48, 64, 3)


def test_what_is_no_film_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(DamagedMediaError, match="empty"):
        last_frame(tmp_path / "empty.mp4")
    with pytest.raises(MediaError, match="not a readable"):
        first_frame(tmp_path / "text.mp4")
    with pytest.raises(MissingMediaError):
        last_frame(tmp_path / "nowhere.mp4")
