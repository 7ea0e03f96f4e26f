"""Defends what our own nodes hand to the artist, and that a shot is told frame by frame."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import av
import pytest
import requests
from PIL import Image

import anime_pipeline.preview.drawing as drawing
from anime_pipeline_tests.preview.client import Client, shot_graph
from anime_pipeline_tests.preview.conftest import Artist
from anime_pipeline_tests.preview.running import running_preview_server

FIGURES = [
    {
        "name": "Mika",
        "attributes": {"hair_color": "teal"},
        "outfit": "raincoat",
        "expression": "smile",
        "position": "left",
        "picture": "mika.png",
    },
    {"name": "Kon", "attributes": {}, "outfit": None, "expression": None, "position": None, "picture": None},
]
LINES = [{"speaker": "Mika", "text": "A letter — for you!", "start_frame": 1, "end_frame": 3}]


def upload(client: Client, name: str, mode: str, color: Any) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (5, 7), color).save(buffer, format="PNG")
    requests.post(f"{client.url}/upload/image", files={"image": (name, buffer.getvalue())}, timeout=20)


def test_a_shot_carries_every_input_to_the_artist(client: Client, artist: Artist) -> None:
    upload(client, "mika.png", "RGBA", (1, 2, 3, 4))
    upload(client, "harbour.png", "RGB", (9, 8, 7))
    graph = shot_graph(
        figures=json.dumps(FIGURES),
        lines=json.dumps(LINES),
        slate="lp.e01.s001.c0010",
        timecode=True,
        seed=2**64 - 1,
        kind="loop",
        action="rain",
    )
    graph["9"] = {"class_type": "LoadImage", "inputs": {"image": "harbour.png"}}
    graph["1"]["inputs"]["picture"] = ["9", 0]
    entry = client.render(graph)
    assert entry["status"]["status_str"] == "success", entry["status"]
    (shot,) = artist.shots
    assert (shot.kind, shot.width, shot.height, shot.frames, shot.fps) == ("loop", 64, 64, 4, 24)
    assert (shot.seed, shot.camera_angle, shot.action) == (2**64 - 1, "wide", "rain")
    assert (shot.location, shot.time_of_day, shot.mood) == ("harbour", "dusk", "calm")
    assert (shot.slate, shot.timecode, shot.subtitles) == ("lp.e01.s001.c0010", True, False)
    assert shot.palette == {"sea": "#123456"}
    assert shot.background.shape == (7, 5, 3)
    assert list(shot.background[0, 0]) == [9, 8, 7]
    mika, kon = shot.figures
    assert (mika.name, mika.outfit, mika.expression, mika.position) == ("Mika", "raincoat", "smile", "left")
    assert mika.attributes == {"hair_color": "teal"}
    assert list(mika.picture[0, 0]) == [1, 2, 3, 4]
    assert (kon.name, kon.outfit, kon.picture) == ("Kon", None, None)
    (line,) = shot.lines
    assert (line.speaker, line.text, line.start_frame, line.end_frame) == ("Mika", LINES[0]["text"], 1, 3)


def test_a_film_of_a_shot_has_its_frames_and_each_is_reported(client: Client, artist: Artist) -> None:
    prompt_id = client.post(shot_graph(length=12)).json()["prompt_id"]
    messages = client.messages_until_end(prompt_id)
    steps = [one["data"]["value"] for one in messages if one["type"] == "progress"]
    assert steps == list(range(1, 13))
    body = client.view(client.first_file(client.get(f"/history/{prompt_id}")[prompt_id])).content
    with av.open(io.BytesIO(body)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 12


def test_another_picture_of_the_same_name_makes_another_shot(client: Client, artist: Artist) -> None:
    cast = json.dumps([{"name": "Mika", "picture": "mika.png"}])
    for color in (10, 20):
        buffer = io.BytesIO()
        Image.new("L", (2, 2), color).save(buffer, format="PNG")
        files = {"image": ("mika.png", buffer.getvalue())}
        requests.post(f"{client.url}/upload/image", files=files, data={"overwrite": "1"}, timeout=20)
        client.render(shot_graph(figures=cast))
    assert [shot.figures[0].picture[0, 0, 0] for shot in artist.shots] == [10, 20]


def test_the_real_artist_draws_the_same_film_twice_in_two_homes(tmp_path: Path) -> None:
    bodies = []
    for home in ("one", "two"):
        with running_preview_server(tmp_path / home) as server, Client(server.url) as client:
            graph = shot_graph(
                length=8, width=160, height=90, figures='[{"name": "Kon"}]', lines=json.dumps(LINES)
            )
            entry = client.render(graph)
            assert entry["status"]["status_str"] == "success", entry["status"]
            bodies.append(client.view(client.first_file(entry)).content)
    assert bodies[0] == bodies[1]
    with av.open(io.BytesIO(bodies[0])) as film:
        assert sum(1 for _ in film.decode(video=0)) == 8


def test_an_artists_failure_is_an_error_in_its_words(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(shot: Any) -> Any:
        raise ValueError("no more ink")

    monkeypatch.setattr(drawing, "draw_shot", fail)
    event, data = client.render(shot_graph())["status"]["messages"][-1]
    assert (event, data["exception_message"]) == ("execution_error", "no more ink")
