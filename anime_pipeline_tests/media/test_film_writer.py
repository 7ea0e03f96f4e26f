"""Defends writing: as many frames out as in, at the rate asked for, in bytes a browser plays and a second run
repeats, and nothing under the film's name unless it is whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film import FilmWriter, Frame, iter_frames, probe

RATES = [1, 8, 12, 16, 23.976, 24, 25, Fraction(30000, 1001), 60]


def gradient(width: int, height: int) -> Frame:
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.linspace(20, 235, width)
    frame[..., 1] = np.linspace(200, 40, height)[:, None]
    frame[..., 2] = 120
    return frame


def write_film(
    path: Path, count: int, width: int, height: int, fps: float | Fraction, broken_at: int = -1
) -> FilmWriter:
    with FilmWriter(path, width, height, fps) as writer:
        for index in range(count):
            frame = np.roll(gradient(width, height), index, axis=1)
            writer.write(frame[:5] if index == broken_at else frame)
    return writer


@given(
    count=st.integers(1, 40),
    fps=st.sampled_from(RATES),
    width=st.integers(16, 67),
    height=st.integers(16, 51),
)
@examples(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frames_in_are_frames_out(
    tmp_path: Path, count: int, fps: float | Fraction, width: int, height: int
) -> None:
    path = tmp_path / "film.mp4"
    writer = write_film(path, count, width, height, fps)
    info = probe(path)
    assert info.frame_count == writer.frame_count == count
    assert info.fps == pytest.approx(float(writer.fps), rel=1e-9)
    assert (
        (info.width, info.height) == (writer.width, writer.height) == (width + width % 2, height + height % 2)
    )
    first = next(iter_frames(path))[:height, :width].astype(int)
    assert np.abs(first - gradient(width, height)).mean() < 6


def test_every_count_up_to_forty(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    for count in range(1, 41):
        write_film(path, count, 32, 32, 24)
        assert probe(path).frame_count == sum(1 for _ in iter_frames(path)) == count


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    blocks = random.integers(0, 255, (16, 24, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    frames = [np.roll(blocks, (index, 2 * index), (0, 1))[:96, :160] for index in range(40)]
    films = set()
    # Without the options that prevent it, the encoder strays in about half of such runs.
    for _ in range(8):
        with FilmWriter(tmp_path / "film.mp4", 160, 96, 24) as writer:
            for frame in frames:
                writer.write(frame)
        films.add((tmp_path / "film.mp4").read_bytes())
    assert len(films) == 1


def test_a_browser_can_play_it_while_it_loads(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_film(path, 10, 64, 48, 24)
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    with av.open(str(path)) as container:
        [stream] = container.streams
        context = stream.codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        gaps = np.diff(sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None))
        assert set(gaps) == {gaps[0]}


def test_an_odd_edge_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 31, 17, 24, quality=1) as writer:
        writer.write(np.full((17, 31, 3), 180, np.uint8))
    frame = next(iter_frames(path))
    assert frame.shape == (18, 32, 3)
    assert np.abs(frame.astype(int) - 180).max() < 4


@pytest.mark.parametrize(
    "frame",
    [np.zeros((48, 62, 3), np.uint8), np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.float32)],
    ids=["size", "grey", "float"],
)
def test_a_frame_of_another_kind_is_refused(tmp_path: Path, frame: np.ndarray) -> None:  # type: ignore[type-arg]
    with (
        pytest.raises(MediaError, match=r"film\.mp4: frame 0 is"),
        FilmWriter(tmp_path / "film.mp4", 64, 48, 24) as writer,
    ):
        writer.write(frame)
    assert not list(tmp_path.iterdir())


def test_a_film_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="at least one frame"), FilmWriter(tmp_path / "film.mp4", 64, 48, 24):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, -24, 0.0001])
def test_a_rate_must_be_one(tmp_path: Path, fps: float) -> None:
    with pytest.raises(MediaError, match="not a frame rate"):
        FilmWriter(tmp_path / "film.mp4", 64, 48, fps)


def test_a_failure_leaves_the_earlier_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_film(path, 3, 64, 48, 24)
    before = path.read_bytes()
    with pytest.raises(MediaError):
        write_film(path, 3, 64, 48, 24, broken_at=2)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
