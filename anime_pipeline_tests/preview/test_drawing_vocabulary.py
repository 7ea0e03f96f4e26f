"""Defends the words: each is understood, draws without an error, and free text never breaks the artist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.preview.drawing import ShotFigure
from anime_pipeline.preview.drawing.backdrops import PAINTERS
from anime_pipeline.preview.drawing.colours import find_colours, from_lab, hex_colour, to_lab
from anime_pipeline.preview.drawing.figures.face import MASKS
from anime_pipeline.preview.drawing.figures.look import ACCESSORIES, HAIR_STYLES, OUTFITS, look_of
from anime_pipeline.preview.drawing.vocabulary import (
    DEEDS,
    EXPRESSIONS,
    FRAMINGS,
    HOURS,
    MOVES,
    PLACES,
    POSITIONS,
    WEATHERS,
    camera_of,
    deeds_of,
    expression_of,
    hour_of,
    place_of,
    weather_of,
)  # fmt: skip
from anime_pipeline_tests.preview.drawing_cast import MIKA, frames, still

_SMALL = {"width": 64, "height": 36}


def _first(words: str) -> str:
    return words.split("|")[0]


def test_each_place_and_expression_has_its_drawing() -> None:
    assert set(PLACES) | {"generic"} == set(PAINTERS)
    assert set(EXPRESSIONS) == set(MASKS)


@pytest.mark.parametrize("place", sorted(PAINTERS))
def test_every_place_draws_by_day_and_night_and_in_snow(place: str) -> None:
    word = _first(PLACES.get(place, "nowhere known"))
    assert place_of(word) == place
    drawn = [still(location=word, time_of_day=hour, action=air, figures=(), **_SMALL)
             for hour, air in (("day", ""), ("night", "rain"), ("dusk", "snow"))]  # fmt: skip
    assert all(frame.std() > 8 for frame in drawn)


def test_no_two_places_look_alike() -> None:
    wide = {"figures": (), "camera_angle": "wide", **_SMALL}
    drawn = {place: still(location=_first(words), **wide) for place, words in PLACES.items()}
    names = sorted(drawn)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert np.abs(drawn[one].astype(int) - drawn[other]).mean() > 4, (one, other)


@pytest.mark.parametrize("style", sorted(HAIR_STYLES))
def test_every_hair_style_draws(style: str) -> None:
    drawn = still(figures=(replace(MIKA, attributes={"hair_style": style, "accessory": "hat"}),), **_SMALL)
    assert drawn.std() > 8


@pytest.mark.parametrize(
    "outfit", [*sorted(OUTFITS), "yellow raincoat, hood up", "striped sweater", "checked dress"]
)
def test_every_outfit_draws_from_all_sides(outfit: str) -> None:
    figure = replace(MIKA, outfit=outfit)
    front = still(figures=(figure,), **_SMALL)
    behind = still(figures=(replace(figure, position="left, from behind"),), **_SMALL)
    assert np.abs(front.astype(int) - behind).mean() > 0.3


@pytest.mark.parametrize("accessory", sorted(ACCESSORIES))
def test_every_accessory_shows(accessory: str) -> None:
    worn = replace(MIKA, attributes={**MIKA.attributes, "accessory": _first(ACCESSORIES[accessory])})
    assert not np.array_equal(still(figures=(worn,)), still(figures=(MIKA,)))


@pytest.mark.parametrize("expression", sorted(EXPRESSIONS))
def test_every_expression_is_seen(expression: str) -> None:
    word = _first(EXPRESSIONS[expression])
    drawn = still(figures=(replace(MIKA, expression=word),), camera_angle="close-up")
    plain = still(figures=(replace(MIKA, expression="neutral"),), camera_angle="close-up")
    assert (expression == "neutral") == np.array_equal(drawn, plain)


@pytest.mark.parametrize("camera", [_first(words) for table in (FRAMINGS, MOVES) for words in table.values()])
def test_every_camera_word_draws(camera: str) -> None:
    for extra in (", low angle, over the shoulder", ", high angle, profile"):
        assert still(camera_angle=camera + extra, **_SMALL).std() > 5


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_every_deed_shows(deed: str) -> None:
    acting = frames(figures=(MIKA,), action=f"Mika {_first(DEEDS[deed])}", frames=12)
    idle = frames(figures=(MIKA,), frames=12)
    assert any(not np.array_equal(a, b) for a, b in zip(acting, idle, strict=True))


@pytest.mark.parametrize(
    "position", [*map(_first, POSITIONS.values()), "background left", "foreground right"]
)
def test_every_position_draws(position: str) -> None:
    assert still(figures=(replace(MIKA, position=position),), **_SMALL).std() > 8


def test_particular_places_win_over_general_ones() -> None:
    assert place_of("The lighthouse lamp room") == "lamp_room"
    assert place_of("lighthouse gallery over the sea") == "gallery"
    assert place_of("shrine stairs in the forest") == "stairs"
    assert place_of("Harbour street") == "harbour"
    assert place_of("the deep end of nowhere") == "generic"


def test_hours_weather_and_cameras_are_read_from_sentences() -> None:
    assert hour_of("Late night, just before dawn") == "dawn"
    assert hour_of("") == "day"
    assert weather_of("A storm: rain and thunder") == {"rain", "lightning"}
    assert weather_of("after the rain, no wind") == frozenset()
    camera = camera_of("Low angle close-up, slow push in", "")
    assert (camera.framing, camera.low, camera.moves) == ("close", True, {"push_in"})
    assert camera_of("medium close-up", "").framing == "medium"
    assert expression_of("a gentle smile") == "happy"
    assert expression_of("inscrutable") == "neutral"


def test_a_deed_belongs_to_whom_the_sentence_names() -> None:
    action = "Mika holds out the letter to Grandpa Toru. Kon waves; rain falls"
    assert deeds_of("Mika", action, alone=False) == {"give"}
    assert deeds_of("Grandpa Toru", action, alone=False) == frozenset()
    assert deeds_of("Kon", action, alone=False) == {"wave"}


def test_looks_are_read_from_free_text() -> None:
    look = look_of(MIKA)
    assert (look.hair_style, look.outfit, look.hair) == ("bob", "raincoat", hex_colour("#2a9d8f"))
    traits = {"hair": "short white hair", "facial_hair": "white beard", "build": "broad"}
    toru = look_of(ShotFigure("Grandpa Toru", {**traits, "outfit": "navy coat with brass buttons"}))
    assert (toru.age, toru.outfit, toru.hair_style) == ("old", "coat", "short")
    assert "beard" in toru.accessories
    assert toru.shoulders > look.shoulders


def test_a_nameless_look_is_stable_and_differs_by_name() -> None:
    assert look_of(ShotFigure("Aki")) == look_of(ShotFigure("Aki"))
    assert len({(look_of(ShotFigure(n)).hair, look_of(ShotFigure(n)).cloth) for n in "ABCDEFGH"}) > 3


def test_colours_are_found_in_order() -> None:
    assert find_colours("a #ff0000 scarf, dark blue coat")[0] == (255, 0, 0)
    assert len(find_colours("a #ff0000 scarf, dark blue coat")) == 2
    rgb = np.random.default_rng(1).uniform(size=(50, 3))
    assert np.allclose(from_lab(to_lab(rgb)), rgb, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(text=st.text(max_size=40), colour=st.text(max_size=8))
def test_no_text_breaks_the_artist(text: str, colour: str) -> None:
    figure = ShotFigure(text, {"hair": text, "eye_color": colour, text: text}, text, text, text)
    drawn = still(
        location=text, time_of_day=text, mood=text, camera_angle=text, action=text, palette={text: colour},
        figures=(figure,), slate=text, width=32, height=18,
    )  # fmt: skip
    assert drawn.shape == (18, 32, 3)


def test_all_weather_words_are_understood() -> None:
    assert all(name in weather_of(_first(words)) for name, words in WEATHERS.items())
    assert all(hour_of(_first(words)) == name for name, words in HOURS.items())
