"""Defends what a viewer must see: who it is, what is worn, when and where it is, who speaks, what moves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from anime_pipeline.preview.drawing import ShotFigure, ShotLine
from anime_pipeline.preview.drawing.colours import to_lab
from anime_pipeline.preview.drawing.vocabulary import HOURS
from anime_pipeline_tests.preview.drawing_cast import KON, MIKA, PALETTE, SHOT, difference, frames, still


@pytest.mark.parametrize(
    "place", ["harbour street", "shrine stairs in the forest", "gallery", "field", "alley"]
)
def test_night_is_darker_than_day(place: str) -> None:
    day = still(location=place, time_of_day="day", figures=())
    night = still(location=place, time_of_day="night", figures=())
    assert night.mean() < 0.75 * day.mean()


def test_every_hour_looks_different() -> None:
    drawn = [still(time_of_day=hour, figures=()) for hour in HOURS]
    for index, one in enumerate(drawn):
        assert all(difference(one, other) > 1.5 for other in drawn[index + 1 :])


def test_a_new_outfit_shows() -> None:
    plain = still(figures=(MIKA,))
    festival = still(figures=(replace(MIKA, outfit="indigo festival yukata"),))
    changed = np.abs(plain.astype(int) - festival).max(-1) > 30
    assert changed.mean() > 0.03
    # The head is the same: only what lies below the chin may change much.
    assert changed[:30].mean() < 0.01


def test_the_outfit_wins_over_the_attribute() -> None:
    bare = replace(MIKA, attributes={k: v for k, v in MIKA.attributes.items() if k != "outfit"})
    worn = replace(MIKA, outfit="yellow raincoat")
    assert np.array_equal(still(figures=(worn,)), still(figures=(replace(bare, outfit="yellow raincoat"),)))


def test_hair_and_eyes_tell_characters_apart() -> None:
    other = replace(MIKA, attributes={**MIKA.attributes, "hair_style": "long red hair",
        "eye_color": "violet"})  # fmt: skip
    assert difference(still(figures=(MIKA,)), still(figures=(other,))) > 2


@pytest.mark.parametrize("weather", ["rain", "snow", "petals", "fireflies", "wind", "lightning", "mist"])
def test_weather_shows(weather: str) -> None:
    assert difference(still(action=weather, figures=()), still(figures=())) > 0.15


def test_only_the_speaker_moves_the_mouth_and_only_while_speaking() -> None:
    line = ShotLine("Mika", "The lamp is out!", 4, 12)
    talking = frames(frames=18, lines=(line,))
    silent = frames(frames=18)
    half = SHOT.width // 2
    for index, (one, other) in enumerate(zip(talking, silent, strict=True)):
        changed = np.abs(one.astype(int) - other).max(-1) > 8
        if not line.start_frame <= index < line.end_frame:
            assert not changed.any()
        else:
            assert not changed[:, half:].any()
    moving = [np.abs(talking[i].astype(int) - silent[i]).max() > 20 for i in range(4, 12)]
    assert sum(moving) >= 4


def test_a_speaker_who_is_not_in_the_picture_moves_no_mouth() -> None:
    voice = ShotLine("Somebody else", "Over here!", 0, 12)
    assert all(np.array_equal(a, b) for a, b in zip(frames(lines=(voice,)), frames(), strict=True))


@pytest.mark.parametrize(
    "action", ["", "rain and wind", "snow. Mika walks", "fireflies. Kon waves", "Mika jumps"]
)
@pytest.mark.parametrize("camera", ["medium", "wide, pan left", "close-up, push in", "handheld two-shot"])
def test_a_loop_closes(action: str, camera: str) -> None:
    drawn = frames(kind="loop", frames=16, action=action, camera_angle=camera)
    steps = [difference(a, b) for a, b in itertools.pairwise(drawn)]
    assert difference(drawn[-1], drawn[0]) <= 1.25 * max(steps) + 0.05
    assert max(steps) > 0.1


def test_films_move_without_flashing() -> None:
    for action in ("", "lightning and rain", "Mika runs"):
        drawn = frames(frames=24, action=action, time_of_day="night")
        steps = [difference(a, b) for a, b in itertools.pairwise(drawn)]
        assert np.mean(steps) > 0.05
        assert max(steps) < 25.5


@pytest.mark.parametrize(
    "move", ["pan left", "pan right", "tilt up", "tilt down", "push in", "pull out", "tracking"]
)
def test_camera_moves_move_the_picture(move: str) -> None:
    drawn = frames(camera_angle=f"wide, {move}", figures=(), frames=24)
    resting = frames(camera_angle="wide, static", figures=(), frames=24)
    assert difference(drawn[0], drawn[-1]) > 1.2 * difference(resting[0], resting[-1])


@pytest.mark.parametrize("hour", ["day", "dusk", "night"])
def test_the_palette_steers_the_picture(hour: str) -> None:
    goals = to_lab(np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PALETTE.values()]) / 255)

    def share(palette: dict[str, str]) -> float:
        lab = to_lab(still(time_of_day=hour, palette=palette, camera_angle="wide") / 255)
        return float((np.linalg.norm(lab[..., None, :] - goals, axis=-1).min(-1) <= 20).mean())

    assert share(PALETTE) > max(0.5, share({}))


def test_a_given_background_is_used_and_covers_the_frame() -> None:
    red = np.zeros((40, 200, 3), np.uint8)
    red[..., 0] = 230
    drawn = still(background=red, figures=())
    assert (drawn[..., 0] > 150).all()
    assert (drawn[..., 1:] < 40).all()
    moved = frames(background=red, figures=(), camera_angle="wide, pan left", frames=8)
    assert all((frame[..., 0] > 150).all() for frame in moved)


def test_a_given_picture_is_drawn_with_its_transparency() -> None:
    art = np.zeros((120, 60, 4), np.uint8)
    art[20:, 20:40] = (255, 0, 255, 255)
    figure = ShotFigure("Art", picture=art, position="center")
    drawn = still(figures=(figure,), camera_angle="wide").astype(int)
    empty = still(figures=(), camera_angle="wide").astype(int)
    magenta = (drawn[..., 0] > 180) & (drawn[..., 1] < 60) & (drawn[..., 2] > 180)
    assert 0.01 < magenta.mean() < 0.4
    # Beside the opaque strip the place shows through.
    assert (np.abs(drawn - empty).max(-1) > 12).mean() < magenta.mean() * 1.6 + 0.03


def test_a_wholly_transparent_picture_is_no_error() -> None:
    ghost = ShotFigure("Ghost", picture=np.zeros((9, 5, 4), np.uint8))
    assert still(figures=(ghost,)).shape == (90, 160, 3)


def test_burn_ins_show_only_where_asked() -> None:
    line = ShotLine("Kon", "Follow the light, it knows the way home.", 0, 6)
    bare = frames(lines=(line,), frames=12)
    slated = frames(lines=(line,), frames=12, slate="lantern-post.e01.s001.c0010")
    stamped = frames(lines=(line,), frames=12, timecode=True)
    titled = frames(lines=(line,), frames=12, subtitles=True)
    assert difference(bare[0][:20, :80], slated[0][:20, :80]) > 3
    assert difference(stamped[0][:20, 80:], stamped[1][:20, 80:]) > 0
    assert difference(bare[0][60:], titled[0][60:]) > 3
    assert np.array_equal(bare[8], titled[8])


def test_both_characters_are_in_the_frame() -> None:
    empty = still(figures=())
    shown = np.abs(still(figures=(MIKA, KON)).astype(int) - empty).max(-1) > 24
    assert shown[:, :80].mean() > 0.1
    assert shown[:, 80:].mean() > 0.1
