"""Defends what all build on: exact counts and sizes, and the same pixels from the same shot everywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anime_pipeline.preview.drawing import ShotLine, compose, draw_shot
from anime_pipeline.preview.drawing.backdrops import PAINTERS, nature
from anime_pipeline.preview.drawing.backdrops.stage import Stage, Window, parallax_at
from anime_pipeline.preview.drawing.camera import MARGIN, View
from anime_pipeline.preview.drawing.clock import Clock
from anime_pipeline.preview.drawing.cutout import cut_out
from anime_pipeline.preview.drawing.light import light_for
from anime_pipeline.preview.drawing.pen import blurred
from anime_pipeline_tests.preview.drawing_cast import KON, MIKA, SHOT, frames, still

_HASHES = """
import hashlib
from anime_pipeline_tests.preview.drawing_cast import frames
drawn = frames(action="rain, wind and petals. Mika waves")
print(hashlib.sha256(b"".join(frame.tobytes() for frame in drawn)).hexdigest())
"""


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 70), height=st.integers(1, 70), count=st.integers(1, 4), fps=st.integers(1, 60),
    kind=st.sampled_from(("still", "loop", "video")), cast=st.sampled_from(((), (MIKA,), (MIKA, KON))),
)  # fmt: skip
def test_every_size_gives_exactly_the_frames_asked_for(
    width: int, height: int, count: int, fps: int, kind: str, cast: tuple[object, ...]
) -> None:
    drawn = frames(
        kind=kind, width=width, height=height, frames=count, fps=fps, figures=cast,
        action="rain, mist, lightning",
        slate="c0010", timecode=True,
    )  # fmt: skip
    assert len(drawn) == count
    assert all(frame.shape == (height, width, 3) and frame.dtype == np.uint8 for frame in drawn)


@pytest.mark.parametrize("field", ["width", "height", "frames", "fps"])
def test_a_shot_without_pixels_or_time_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        replace(SHOT, **{field: 0})


def test_frames_come_one_by_one() -> None:
    assert isinstance(draw_shot(replace(SHOT, frames=100_000)), types.GeneratorType)


def test_the_same_shot_gives_the_same_bytes_in_another_process() -> None:
    digest = hashlib.sha256(
        b"".join(frame.tobytes() for frame in frames(action="rain, wind and petals. Mika waves"))
    ).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "-c", _HASHES], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest


def test_the_order_of_dicts_does_not_matter() -> None:
    turned = replace(MIKA, attributes=dict(reversed(MIKA.attributes.items())))
    palette = dict(reversed(SHOT.palette.items()))
    assert np.array_equal(still(figures=(turned, KON), palette=palette), still())


def test_a_frame_does_not_depend_on_how_many_were_drawn_before() -> None:
    first = [frame.copy() for frame in frames(frames=5)]
    again = draw_shot(replace(SHOT, frames=5))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_frame_can_be_written_to_by_its_reader() -> None:
    drawn = frames(frames=3)
    untouched = drawn[2].copy()
    drawn[0][:] = 0
    assert drawn[0].flags.owndata
    assert np.array_equal(drawn[2], untouched)


def test_the_seed_moves_the_camera_but_keeps_the_place() -> None:
    assert not np.array_equal(still(seed=1), still(seed=2))
    largest = 2**64 - 1
    assert still(seed=largest).shape == (90, 160, 3)


def test_a_still_ignores_when_lines_are_spoken() -> None:
    spoken = ShotLine("Mika", "Is anybody there?", 0, 1)
    assert np.array_equal(still(lines=(spoken,)), still())


def test_cut_outs_bleed_their_colour_so_that_no_dark_seam_shows() -> None:
    for size in range(1, 12):
        image = Image.new("RGBA", (20, 20))
        image.paste((200, 120, 40, 255), (3, 5, 3 + size, 5 + size))
        picture = cut_out(image, (0.0, 0.0))
        assert picture is not None
        assert picture.alpha is not None
        left, top, right, bottom = picture.alpha.getbbox()
        around = np.asarray(picture.colour.crop((left - 1, top - 1, right + 1, bottom + 1))).astype(int)
        assert np.abs(around - (200, 120, 40)).max() < 24


def staged(place: str, hour: str, weather: frozenset[str] = frozenset(), height: int = 24) -> Stage:
    """A place as it is painted in a wide shot."""
    light = light_for(hour, weather)
    window = Window(8 / 9, 0.5, 1.0, MARGIN)
    stage = Stage(16 / 9, height, window, light, place, (), bool(weather & {"rain"}), weather)
    PAINTERS[place](stage)
    return stage


@pytest.mark.parametrize("place", PAINTERS)
def test_what_stands_at_a_place_stays_at_every_hour_and_in_all_weather(place: str) -> None:
    usual = staged(place, "day").rng.bit_generator.state
    for hour, weather in (("night", {"stars"}), ("dusk", {"rain"}), ("dawn", {"snow", "wind"})):
        assert staged(place, hour, frozenset(weather)).rng.bit_generator.state == usual


def test_the_halo_of_a_lamp_moves_with_the_lamp() -> None:
    stage = staged("harbour", "night")
    lighthouse, boats, street = (parallax_at(depth) for depth in (0.45, 0.6, 1.0))
    assert [layer.parallax for layer in stage.halos()] == sorted({lighthouse, boats, street})
    assert stage.beam is not None
    assert parallax_at(stage.beam.depth) == lighthouse


def test_the_moon_stands_in_the_nearest_gap_between_trunks() -> None:
    light, trunks = light_for("night", frozenset()), [(1.30, 0.1), (1.36, 0.1), (1.52, 0.06)]
    moved = nature._light_between(light, trunks, 16 / 9).sun
    assert moved is not None
    assert all(abs(moved[0] * 16 / 9 - middle) > width / 2 + 0.062 for middle, width in trunks)
    assert abs(moved[0] - 0.74) < 0.1
    assert nature._light_between(light, [], 16 / 9).sun == pytest.approx(light.sun)


def test_the_beam_of_a_lighthouse_ends_nowhere_in_the_sky() -> None:
    shot = replace(SHOT, width=320, height=180, frames=240, time_of_day="night", camera_angle="wide, static")
    picture = compose._Picture(shot)
    for number in range(0, 240, 16):
        sky = Image.new("RGB", (320, 180))
        picture._beam(sky, View(0.0, 0.0, 1.0), Clock(number, 240, 24, "video"))
        steps = np.abs(np.diff(np.asarray(sky)[:, :210, 0].astype(int), axis=1))
        assert steps.max() < 8


def test_what_is_out_of_focus_has_no_dark_rim() -> None:
    image = Image.new("RGBA", (40, 40))
    image.paste((250, 240, 230, 255), (10, 10, 30, 30))
    soft = np.asarray(blurred(image, 3.0)).astype(int)
    seen = soft[..., 3] > 16
    assert seen.sum() > 400
    assert np.abs(soft[seen][:, :3] - (250, 240, 230)).max() < 16


def test_large_frames_are_not_painted_larger_still() -> None:
    assert staged("sky", "day", height=360).plane(0.0).oversample == 2
    assert Stage(16 / 9, 2160, Window(8 / 9, 0.5, 1.0, MARGIN), light_for("day", frozenset()), "sky", (),
        False, frozenset()).plane(0.0).oversample == 1  # fmt: skip
