"""Defends the files that nodes make: exact frame count and rate, true colours, the same bytes every time."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anime_pipeline.preview.frames import Frames
from anime_pipeline.preview.nodes.encoding import save_mp4, save_webp
from anime_pipeline_tests.preview.client import Client, picture_graph, video_graph


def bars(count: int, height: int = 48, width: int = 96) -> Frames:
    """Moving colour bars."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    for number, color in enumerate([(220, 40, 60), (20, 160, 90), (40, 60, 200), (250, 200, 60)]):
        picture[:, number * width // 4 : (number + 1) * width // 4] = color
    return Frames.of(np.stack([np.roll(picture, 2 * number, axis=1) for number in range(count)]))


@pytest.mark.parametrize(("count", "fps"), [(1, 24), (2, 25), (16, 12), (121, 24), (30, 23.976)])
def test_a_film_has_exactly_its_frames_at_its_rate(tmp_path: Path, count: int, fps: float) -> None:
    path = tmp_path / "film.mp4"
    assert save_mp4(path, bars(count), width=96, height=48, fps=fps) == count
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        times = [frame.time for frame in film.decode(stream)]
        assert stream.average_rate == Fraction(fps).limit_denominator(1001)
        assert stream.codec_context.pix_fmt == "yuv420p"
    assert len(times) == count
    assert times == pytest.approx([number / fps for number in range(count)], abs=1e-4)


def test_colours_come_back_as_they_were_drawn(tmp_path: Path) -> None:
    frames = bars(3)
    save_mp4(tmp_path / "film.mp4", frames, width=96, height=48, fps=24)
    with av.open(str(tmp_path / "film.mp4")) as film:
        seen = next(film.decode(video=0)).to_ndarray(format="rgb24")
    for column in (12, 36, 60, 84):
        assert np.abs(seen[24, column].astype(int) - frames.first()[24, column]).max() <= 4


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_mp4(tmp_path / name, bars(40), width=96, height=48, fps=24)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_index_is_in_front(tmp_path: Path) -> None:
    save_mp4(tmp_path / "film.mp4", bars(40), width=96, height=48, fps=24)
    body = (tmp_path / "film.mp4").read_bytes()
    assert body.index(b"moov") < body.index(b"mdat")


@settings(max_examples=12, deadline=None)
@given(width=st.integers(8, 40).map(lambda n: 2 * n), height=st.integers(8, 40).map(lambda n: 2 * n))
def test_any_even_size_is_kept(tmp_path_factory: pytest.TempPathFactory, width: int, height: int) -> None:
    path = tmp_path_factory.mktemp("size") / "film.mp4"
    save_mp4(path, bars(2, height, width), width=width, height=height, fps=24)
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
        assert (frame.width, frame.height) == (width, height)


@pytest.mark.parametrize(("count", "width", "said"), [(2, 95, "even width"), (0, 96, "at least one frame")])
def test_what_cannot_be_a_film_leaves_no_file(tmp_path: Path, count: int, width: int, said: str) -> None:
    frames = bars(1, width=width).map(lambda given: list(given)[:0] if not count else given)
    with pytest.raises(ValueError, match=said):
        save_mp4(tmp_path / "film.mp4", frames, width=width, height=48, fps=24)
    assert list(tmp_path.iterdir()) == []


def test_a_film_is_encoded_while_it_is_drawn(tmp_path: Path) -> None:
    alive = 0
    most = 0

    class Tracked(np.ndarray):  # type: ignore[type-arg]
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def draw() -> Any:
        nonlocal alive, most
        for number in range(60):
            frame = np.full((480, 640, 3), number, dtype=np.uint8).view(Tracked)
            alive += 1
            most = max(most, alive)
            yield frame
            del frame

    save_mp4(tmp_path / "film.mp4", draw(), width=640, height=480, fps=24)
    assert most <= 3


def test_an_animated_webp_has_its_frames_and_rate(tmp_path: Path) -> None:
    save_webp(tmp_path / "a.webp", bars(8), fps=8, lossless=True, quality=80, method=4)
    with Image.open(tmp_path / "a.webp") as film:
        assert film.n_frames == 8  # type: ignore[attr-defined]
        assert film.info["loop"] == 0
        film.seek(3)
        film.load()
        assert film.info["duration"] == 125
        assert np.array_equal(np.asarray(film.convert("RGB")), list(bars(8))[3])


def test_nodes_report_films_under_images_as_animated(client: Client) -> None:
    entry = client.render(video_graph("video/film"))
    assert entry["outputs"]["4"] == {
        "images": [{"filename": "film_00001_.mp4", "subfolder": "video", "type": "output"}],
        "animated": [True],
    }
    graph = picture_graph("loop", batch=4)
    graph["3"] = {
        "class_type": "SaveAnimatedWEBP",
        "inputs": {
            "images": ["2", 0],
            "filename_prefix": "loop",
            "fps": 8,
            "lossless": False,
            "quality": 90,
            "method": "fastest",
        },
    }
    entry = client.render(graph)
    assert entry["outputs"]["3"]["animated"] == [True]
    with Image.open(io.BytesIO(client.view(client.first_file(entry)).content)) as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]


def test_graphs_of_newer_servers_with_format_codec_are_taken(client: Client) -> None:
    graph = video_graph()
    graph["4"]["inputs"]["format.codec"] = "auto"
    graph["3"]["inputs"]["bit_depth"] = 8
    assert client.render(graph)["status"]["completed"]


def test_noise_follows_from_its_seed(client: Client) -> None:
    pixels = []
    for prefix, seed in (("a", 1), ("b", 2), ("c", 1)):
        body = client.view(client.first_file(client.render(picture_graph(prefix, seed)))).content
        with Image.open(io.BytesIO(body)) as picture:
            pixels.append(np.asarray(picture))
    assert np.array_equal(pixels[0], pixels[2])
    assert not np.array_equal(pixels[0], pixels[1])
    assert pixels[0].std() > 20
