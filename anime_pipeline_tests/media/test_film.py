"""Defends reading: every frame is decoded and counted, formats that lose nothing hash alike, and a damaged or
foreign file is an error that names it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

from anime_pipeline.media.errors import DamagedMediaError, MediaError, MissingMediaError
from anime_pipeline.media.film import (
    FilmWriter,
    Frame,
    MediaInfo,
    frames_sha256,
    iter_frames,
    pixels_sha256,
    probe,
)


def moving_square(count: int, width: int = 64, height: int = 48) -> list[Frame]:
    frames = [np.full((height, width, 3), (40, 60, 90), np.uint8) for _ in range(count)]
    for index, frame in enumerate(frames):
        frame[10:30, index % 40 : index % 40 + 20] = (230, 180, 60)
    return frames


def save_animation(path: Path, frames: list[Frame], fps: int, **options: object) -> None:
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=int(1000 / fps), loop=0, **options
    )


@pytest.mark.parametrize(
    ("suffix", "codec", "exact"), [(".png", "png", True), (".webp", "webp", True), (".jpg", "jpeg", False)]
)
def test_a_picture_is_one_frame(tmp_path: Path, suffix: str, codec: str, exact: bool) -> None:
    frame = moving_square(1)[0]
    path = tmp_path / f"frame{suffix}"
    Image.fromarray(frame).save(path, lossless=True, quality=95)
    assert probe(path) == MediaInfo("image", 64, 48, 1, None, codec)
    [decoded] = iter_frames(path)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, frame) if exact else np.abs(decoded.astype(int) - frame).mean() < 4


def test_an_animated_webp_counts_its_frames(tmp_path: Path) -> None:
    frames = moving_square(17)
    path = tmp_path / "loop.webp"
    save_animation(path, frames, fps=25, lossless=True)
    assert probe(path) == MediaInfo("video", 64, 48, 17, 25.0, "webp")
    assert pixels_sha256(path) == frames_sha256(frames)


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".png"])
def test_equal_neighbours_that_an_encoder_joined_are_counted(tmp_path: Path, suffix: str) -> None:
    one, two, three = moving_square(3)
    frames = [one, one, two, three, three, three, one]
    path = tmp_path / f"loop{suffix}"
    save_animation(path, frames, fps=24, lossless=True)
    with Image.open(path) as stored:
        assert getattr(stored, "n_frames", 1) < len(frames)
    assert probe(path).frame_count == sum(1 for _ in iter_frames(path)) == len(frames)
    assert probe(path).fps == pytest.approx(24, rel=0.06)
    if suffix != ".gif":
        assert pixels_sha256(path) == frames_sha256(frames)


def test_a_gif_counts_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "loop.gif"
    save_animation(path, moving_square(9), fps=10)
    assert probe(path) == MediaInfo("video", 64, 48, 9, 10.0, "gif")


def test_the_suffix_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "frame.mp4"
    Image.fromarray(moving_square(1)[0]).save(path, "PNG")
    assert probe(path).codec == "png"


def test_transparency_comes_out_over_black(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    Image.new("RGBA", (4, 4), (200, 100, 50, 0)).save(path)
    assert not next(iter_frames(path)).any()


def test_grey_in_sixteen_bits_keeps_its_brightness(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    levels = np.arange(16, dtype=np.uint16).reshape(4, 4) * 0x1101
    Image.fromarray(levels).save(path)
    assert np.array_equal(next(iter_frames(path)), np.repeat((levels >> 8)[..., None], 3, axis=2))


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)), count=st.integers(1, 4), seed=st.integers(0, 2**32)
)
@examples(max_examples=25)
def test_the_pixel_hash_sees_shape_count_and_every_value(
    size: tuple[int, int], count: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    frames = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]
    name = frames_sha256(frames)
    assert name == frames_sha256([frame.copy() for frame in frames])
    assert name != frames_sha256([*frames, frames[0]])
    changed = frames[-1].copy()
    changed[-1, -1, -1] ^= 1
    assert name != frames_sha256([*frames[:-1], changed])
    if size[0] != size[1]:
        turned = [frame.reshape(size[1], size[0], 3) for frame in frames]
        assert name != frames_sha256(turned)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 64, 48, 24) as writer:
        for frame in moving_square(30):
            writer.write(frame)
    return path


@pytest.fixture
def samples(film: Path, tmp_path: Path) -> list[Path]:
    animations = [tmp_path / "loop.webp", tmp_path / "loop.gif"]
    for path in animations:
        save_animation(path, moving_square(5), fps=24)
    return [film, *animations]


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.8, 0.97, 0.999])
def test_a_film_cut_short_is_damaged(film: Path, part: float) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(MediaError, match=r"film\.mp4"):
        probe(film)
    with pytest.raises(MediaError, match=r"film\.mp4"):
        list(iter_frames(film))


@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg", ".gif"])
def test_a_picture_cut_short_is_damaged(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"frame{suffix}"
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DamagedMediaError, match="frame"):
        probe(path)


@given(data=st.data())
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_raises_anything_else(samples: list[Path], tmp_path: Path, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(samples)).read_bytes()
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "broken"
    path.write_bytes(broken)
    with contextlib.suppress(MediaError):
        probe(path)


def test_zeroed_pictures_inside_a_film_are_found(film: Path) -> None:
    data = bytearray(film.read_bytes())
    middle = (data.find(b"mdat") + len(data)) // 2
    data[middle : middle + 200] = bytes(200)
    film.write_bytes(data)
    with pytest.raises(DamagedMediaError):
        probe(film)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    with pytest.raises(MissingMediaError, match=r"notes\.txt"):
        probe(path)
    path.write_text("not a film")
    with pytest.raises(MediaError, match=r"notes\.txt is not a readable picture or film"):
        list(iter_frames(path))
