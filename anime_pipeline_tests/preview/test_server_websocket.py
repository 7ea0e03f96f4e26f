"""Defends who is told what: messages go to the prompt's client, or to all where it named none."""

from __future__ import annotations

import json

import pytest
import requests
import websocket

from anime_pipeline_tests.preview.client import Client, picture_graph, shot_graph
from anime_pipeline_tests.preview.conftest import Artist
from anime_pipeline_tests.preview.running import RunningServer


def test_another_client_hears_of_the_queue_only(server: RunningServer) -> None:
    with Client(server.url) as one, Client(server.url) as other:
        one.render(picture_graph())
        other.render(picture_graph("mine"))
        heard = [one.receive()["type"] for _ in range(3)]
    assert heard == ["status", "status", "status"]


def test_a_prompt_without_a_client_is_told_to_everyone(server: RunningServer, artist: Artist) -> None:
    with Client(server.url) as one, Client(server.url) as other:
        answer = requests.post(f"{server.url}/prompt", json={"prompt": shot_graph(length=2)}, timeout=20)
        prompt_id = answer.json()["prompt_id"]
        for client in (one, other):
            assert client.wait_for("progress", prompt_id=prompt_id)["data"]["max"] == 2


def test_history_is_there_before_the_last_message(client: Client) -> None:
    for seed in range(10):
        prompt_id = client.post(picture_graph(seed=seed, size=16)).json()["prompt_id"]
        client.messages_until_end(prompt_id)
        assert prompt_id in client.get(f"/history/{prompt_id}")


def test_a_client_without_an_id_gets_one(server: RunningServer) -> None:
    socket = websocket.create_connection(f"{server.url.replace('http', 'ws')}/ws", timeout=20)
    assert len(json.loads(socket.recv())["data"]["sid"]) == 32
    socket.close()


def test_a_client_that_comes_back_under_its_id_is_heard(server: RunningServer) -> None:
    first = Client(server.url, "me")
    with Client(server.url, "me") as second:
        first.socket.close()
        assert second.render(picture_graph())["status"]["completed"]


def test_feature_flags_are_answered(client: Client) -> None:
    client.socket.send(json.dumps({"type": "feature_flags", "data": {}}))
    assert client.wait_for("feature_flags")["data"]["max_upload_size"] == 100 * 1024 * 1024


def test_every_route_is_under_api_too(client: Client) -> None:
    for path in ("prompt", "queue", "history", "object_info", "models", "system_stats", "features"):
        assert requests.get(f"{client.url}/api/{path}", timeout=20).status_code == 200
    socket = websocket.create_connection(f"{client.url.replace('http', 'ws')}/api/ws", timeout=20)
    socket.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://example.org"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_are_refused(
    server: RunningServer, headers: dict[str, str], status: int
) -> None:
    for path in ("/queue", "/system_stats"):
        assert requests.get(server.url + path, headers=headers, timeout=20).status_code == status
    own = {"Origin": server.url}
    assert requests.get(f"{server.url}/queue", headers=own, timeout=20).status_code == 200


def test_the_server_never_passes_for_comfyui(client: Client, server: RunningServer) -> None:
    system = client.get("/system_stats")["system"]
    assert system["server_kind"] == "preview"
    assert system["comfyui_version"] == "0.33.0-preview"
    page = requests.get(server.url, timeout=20).text
    assert "it is not ComfyUI" in page


def test_the_page_shows_renders_and_failures_as_text(client: Client) -> None:
    client.render(picture_graph("<b>x</b>"))
    client.render(picture_graph("../<i>y</i>"))
    page = requests.get(client.url, timeout=20).text
    assert "2 finished" in page
    assert "x%3C%2Fb" not in page or "<b>" not in page
    assert "<i>y" not in page
    assert 'class="error"' in page


def test_models_are_honestly_none(client: Client) -> None:
    assert "checkpoints" in client.get("/models")
    assert client.get("/models/checkpoints") == []
    assert requests.get(f"{client.url}/models/nonsense", timeout=20).status_code == 404


def test_object_info_knows_every_node_and_admits_what_it_does_not_know(client: Client) -> None:
    nodes = client.get("/object_info")
    assert set(nodes) >= {"EmptyImage", "SaveVideo", "AnimaticBackdrop", "AnimaticCast", "AnimaticShot"}
    assert client.get("/object_info/AnimaticShot") == {"AnimaticShot": nodes["AnimaticShot"]}
    assert client.get("/object_info/KSampler") == {}
    for node in nodes.values():
        for group, names in node["input_order"].items():
            assert list(node["input"][group]) == names
