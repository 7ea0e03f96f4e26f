"""Defends the story over the API: what is written composes as an import would have it; nothing is lost."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session


def made(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    """What POST made."""
    answer = client.post(f"/api/anime{path}", json=body)
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_a_project_gets_formats_and_a_slug_of_its_own(client: TestClient) -> None:
    one = made(client, "/projects", name="Die Laternenpost!")
    two = made(client, "/projects", name="Die Laternenpost?", resolution="64x32", fps=12)
    assert (one["slug"], one["resolution"], one["fps"]) == ("die-laternenpost", "1280x720", 24)
    assert (two["slug"], two["resolution"], two["fps"]) == ("die-laternenpost-2", "64x32", 12)
    assert client.get(f"/api/anime/projects/{two['id']}").json() == two


def test_a_bible_is_edited_by_versions(client: TestClient) -> None:
    path = f"/projects/{made(client, '/projects', name='One')['id']}/story-bible"
    first = made(client, path, art_style_description="ink", color_palette={"sea": "#1F3A4D"})
    second = client.put(f"/api/anime{path}", json={"negative_prompt": "photo"})
    assert second.status_code == 200, second.text
    assert second.json()["version"] == 2
    assert second.json()["art_style_description"] == "ink"
    assert second.json()["color_palette"] == {"sea": "#1f3a4d"}
    assert client.put(f"/api/anime{path}", json={"negative_prompt": "photo"}).json() == second.json()
    assert client.get(f"/api/anime{path}").json() == second.json()
    assert client.get(f"/api/anime{path}?version=1").json() == first
    versions = client.get(f"/api/anime{path}/versions?order=-id").json()
    assert [bible["version"] for bible in versions["items"]] == [2, 1]


def test_a_palette_that_an_earlier_client_stored_as_a_list_is_shown(
    client: TestClient, session: Session
) -> None:
    path = f"/projects/{made(client, '/projects', name='One')['id']}/story-bible"
    made(client, path, color_palette={"sea": "#1f3a4d"})
    session.execute(text("UPDATE story_bibles SET color_palette = '[\"#1f3a4d\"]'"))
    session.commit()
    answer = client.get(f"/api/anime{path}")
    assert (answer.status_code, answer.json()["color_palette"]) == (200, {"#1f3a4d": "#1f3a4d"})


def test_the_first_version_may_come_by_either_method(client: TestClient) -> None:
    path = f"/api/anime/projects/{made(client, '/projects', name='One')['id']}/story-bible"
    assert client.get(path).status_code == 404
    answer = client.put(path, json={"time_period": "1920s"})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert client.get(path).json() == answer.json()


def test_a_character_with_its_traits(client: TestClient) -> None:
    mika = made(client, "/characters", name="Mika", base_prompt="1girl", negative_tokens=["hat"])
    path = f"/characters/{mika['id']}"
    made(client, f"{path}/attributes", attribute_type="hair_color", attribute_value="teal", priority=5)
    raincoat = made(
        client,
        f"{path}/variations",
        variation_name="raincoat",
        variation_type="outfit",
        prompt_modifiers={"prepend": "wet", "append": ["yellow raincoat"]},
    )
    smile = made(
        client,
        "/characters/variations",
        character_id=mika["id"],
        variation_name="smile",
        variation_type="expression",
        prompt_modifiers={"append": ["smiling"]},
    )
    shown = client.get(f"/api/anime{path}").json()
    assert [item["attribute_value"] for item in shown["attributes"]] == ["teal"]
    assert [item["variation_name"] for item in shown["variations"]] == ["raincoat", "smile"]

    def prompt(query: str = "") -> str:
        answer = client.get(f"/api/anime{path}/prompt{query}").json()
        assert answer["negative_prompt"] == "hat"
        return str(answer["positive_prompt"])

    assert prompt() == "1girl, teal hair"
    assert prompt(f"?variation_id={raincoat['id']}") == "1girl, wet, teal hair, yellow raincoat"
    assert prompt(f"?variation_id={smile['id']}") == "1girl, teal hair, smiling"
    other = client.get(f"/api/anime{path}/variations?variation_type=expression").json()
    assert (other["total"], other["items"][0]["variation_name"]) == (1, "smile")
