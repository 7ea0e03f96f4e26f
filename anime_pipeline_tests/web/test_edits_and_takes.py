"""Defends that an edit over the API makes exactly the cuts stale that show it, and says by which field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from anime_pipeline.database.session import session_scope
from anime_pipeline.story.importer import compare
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.rendering.conftest import artist, server, studio
from anime_pipeline_tests.rendering.studio import Studio, production
from anime_pipeline_tests.web.clients import client_of

__all__ = ["artist", "server", "studio"]

API = "/api/anime"


@pytest.fixture
def rendered(studio: Studio) -> Iterator[TestClient]:
    """A client of a studio whose four cuts are rendered: Mika is in 10, 30 and 40, Toru in 20 and 40."""
    studio.import_(production())
    assert len(studio.render().finished) == 4
    with client_of(studio.settings) as client:
        yield client


def stale(studio: Studio) -> dict[int, list[str]]:
    """The stale cuts by number, with the fields that changed."""
    return {
        int(key[-4:]): [change.field for change in state.changes]
        for key, state in studio.states().items()
        if state.state != "current"
    }


def character(client: TestClient, name: str) -> dict[str, Any]:
    """A character as GET shows it."""
    (listed,) = client.get(f"{API}/characters?name={name}").json()["items"]
    shown: dict[str, Any] = client.get(f"{API}/characters/{listed['id']}").json()
    return shown


def test_an_attribute_makes_its_characters_cuts_stale(rendered: TestClient, studio: Studio) -> None:
    toru = character(rendered, "Toru")
    path = f"{API}/characters/{toru['id']}/attributes/{toru['attributes'][0]['id']}"
    assert rendered.put(path, json={"attribute_value": "grey"}).status_code == 200
    assert stale(studio) == {
        20: ["character.toru.attribute.hair_color"],
        40: ["character.toru.attribute.hair_color"],
    }
    assert rendered.patch(path, json={"attribute_value": "white"}).status_code == 200
    assert stale(studio) == {}
    assert rendered.delete(path).status_code == 204
    assert set(stale(studio)) == {20, 40}


def test_what_decides_no_picture_makes_nothing_stale(rendered: TestClient, studio: Studio) -> None:
    toru = character(rendered, "Toru")
    body = {"description": "the lighthouse keeper", "metadata": {"imported": False, "height": 180}}
    assert rendered.put(f"{API}/characters/{toru['id']}", json=body).json()["metadata"] == {"height": 180}
    variation = {
        "variation_name": "smile",
        "variation_type": "expression",
        "prompt_modifiers": {"append": "smiling"},
    }
    assert rendered.post(f"{API}/characters/{toru['id']}/variations", json=variation).status_code == 201
    assert rendered.put(f"{API}/projects/2", json={"description": "A short"}).status_code == 200
    assert stale(studio) == {}


def test_a_bible_makes_every_cut_stale(rendered: TestClient, studio: Studio) -> None:
    answer = rendered.put(f"{API}/projects/2/story-bible", json={"color_palette": {"sea": "#334455"}})
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    assert answer.json()["global_seed"] == 7
    assert set(stale(studio)) == {10, 20, 30, 40}


def test_a_character_in_scenes_keeps_its_name(rendered: TestClient, studio: Studio) -> None:
    toru = character(rendered, "Toru")
    refused = rendered.put(f"{API}/characters/{toru['id']}", json={"name": "Tōru"})
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["pointer"] == "#/name"
    assert stale(studio) == {}


def test_the_production_file_shows_edits_and_leaves_what_the_api_made(
    rendered: TestClient, studio: Studio, tmp_path: Path
) -> None:
    toru = character(rendered, "Toru")
    assert rendered.post(f"{API}/characters", json={"name": "Yuki", "project_id": 2}).status_code == 201
    body = {"description": "keeper", "metadata": {"imported": False}}
    assert rendered.put(f"{API}/characters/{toru['id']}", json=body).status_code == 200
    read = read_production(tmp_path / "production.yaml")
    with session_scope(studio.settings) as session:
        difference = compare(session, read)
    changed = [(e.kind, e.key, [c.field for c in e.changes], e.state) for e in difference.entries]
    assert changed == [("character", ("Toru",), ["description"], "changed")]
