"""Defends studios whose servers stand behind a proxy: it lets us in, and no list or log says how."""

from __future__ import annotations

import threading
from base64 import b64encode
from pathlib import Path

import pytest

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.fleet_admin import checked_url
from anime_pipeline.rendering.probing import probe
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline.rendering.registry import ServerError
from anime_pipeline.rendering.servers import all_answering
from anime_pipeline.server_access import access_in
from anime_pipeline.settings import Settings
from anime_pipeline_tests.rendering.talking import talking_server
from anime_pipeline_tests.rendering.test_listening import until

BASIC = "Basic " + b64encode(b"mika:p@ss word").decode()


@pytest.mark.parametrize(
    ("said", "url", "query"),
    [
        ("http://gpu-1:8188/", "http://gpu-1:8188", {}),
        ("https://mika:p%40ss%20word@host/comfy/", "https://host/comfy", {}),
        ("https://host?token=a%2Bb", "https://host", {"token": "a+b"}),
        ("http://u:p@[::1]:8188/x?t=1", "http://[::1]:8188/x", {"t": "1"}),
    ],
)
def test_an_address_is_told_from_what_lets_one_in(said: str, url: str, query: dict[str, str]) -> None:
    access = access_in(said)
    assert (access.url, access.query) == (url, query)
    assert ("Authorization" in access.headers) == ("@" in said)
    assert repr(access) == f"ServerAccess(url={url!r})"


def test_each_request_carries_what_lets_it_in_and_no_message_says_it(tmp_path: Path) -> None:
    with talking_server({"/render/queue": {}, "/render/object_info": 403}) as server:
        address = server.url.removeprefix("http://")
        whole = f"http://mika:p%40ss%20word@{address}/render/?token=secret"
        settings = Settings(home=tmp_path, comfyui_urls=whole)
        assert settings.comfyui_server_urls == (f"{server.url}/render",)
        # From here on the bare address is enough, in any thread of this process.
        client = ComfyClient(f"{server.url}/render")
        assert client.queue() == ([], [])
        with ProgressListener(client.url, "me"):
            until(lambda: "me" in server.sockets)
        (handshake,) = server.handshakes()
        assert handshake.path == "/render/ws"
        assert "Origin" not in handshake.headers
        for request in server.asked:
            assert request.headers["Authorization"] == BASIC
            assert request.query["token"] == "secret"
        with pytest.raises(ComfyError) as refused:
            client.object_info()
        assert "403" in str(refused.value)
        assert "ANIME_COMFYUI_URLS" in str(refused.value.remedy)
        assert "secret" not in str(refused.value)
        assert "mika" not in str(refused.value)


def test_a_server_that_sends_on_is_named_and_not_followed() -> None:
    with talking_server({"/queue": "https://render.example/queue?token=secret"}) as server:
        with pytest.raises(ComfyError, match=r"sends on to https://render\.example/queue$"):
            ComfyClient(server.url).queue()
        assert len(server.asked) == 1


def test_what_lets_one_in_is_not_added_to_a_fleet_that_all_can_see() -> None:
    for url in ("http://mika:secret@host:8188", "https://host?token=secret", "https://host/x?token=secret"):
        with pytest.raises(ServerError) as refused:
            checked_url(url)
        assert "secret" not in str(refused.value)
        assert "ANIME_COMFYUI_URLS" in str(refused.value.remedy)
    assert checked_url(" https://host/comfy/ ") == "https://host/comfy"


@pytest.mark.parametrize("stats", [{}, {"system": "up"}, {"system": {}, "devices": None}])
def test_another_program_at_the_address_is_no_render_server(stats: dict[str, object]) -> None:
    with talking_server({"/system_stats": stats, "/object_info": {"detail": 1}}) as server:
        (said,) = all_answering([server.url])
        assert "not as ComfyUI does" in str(said)
        with pytest.raises(ComfyError, match="not as ComfyUI does"):
            probe(ComfyClient(server.url))


def test_servers_that_are_switched_off_are_waited_for_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3)

    def asked(url: str) -> ComfyError:
        together.wait(10)
        return ComfyError("connection", url)

    monkeypatch.setattr("anime_pipeline.rendering.servers.answering", asked)
    assert [str(one) for one in all_answering(["a", "b", "c"])] == ["a", "b", "c"]
