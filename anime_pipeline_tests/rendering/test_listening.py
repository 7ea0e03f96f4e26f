"""Defends long renders: whoever lives is heard, and nobody is taken for dead who only was not listened to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anime_pipeline.rendering import following
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.following import Follower
from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline_tests.rendering.talking import TalkingServer, talking_server

ENTRY = {"status": {"status_str": "success"}, "outputs": {"9": {"images": [{"filename": "a.png"}]}}}


def queue(running: list[str], pending: list[str] | None = None) -> dict[str, Any]:
    def rows(ids: list[str]) -> list[Any]:
        return [[number, one, {}, {"client_id": f"client-of-{one}"}, []] for number, one in enumerate(ids)]

    return {"queue_running": rows(running), "queue_pending": rows(pending or [])}


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def server() -> Iterator[TalkingServer]:
    with talking_server({"/queue": queue(["mine"]), "/history/mine": {}, "/history/next": {}}) as one:
        yield one


@pytest.fixture
def listener(server: TalkingServer) -> Iterator[ProgressListener]:
    with ProgressListener(server.url, "me") as one:
        until(lambda: "me" in server.sockets)
        yield one


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("crystools.monitor", "a text"),
        ("progress", {"prompt_id": "mine", "value": None, "max": 4}),
        ("progress", {"prompt_id": "mine", "max": 4}),
        ("progress", {"prompt_id": "mine", "value": "1", "max": "four"}),
        ("progress", [1, 4]),
        ("executing", None),
    ],
)
def test_whatever_custom_nodes_send_the_listener_goes_on_listening(
    server: TalkingServer, listener: ProgressListener, event: str, data: Any
) -> None:
    server.say("me", event, data)
    server.say("me", "progress", {"prompt_id": "mine", "value": 1, "max": 4})
    until(lambda: listener.fraction("mine") == 0.25)


def test_a_preview_picture_is_a_sign_of_life(server: TalkingServer, listener: ProgressListener) -> None:
    assert listener.last_seen({"mine"}) is None
    server.show("me", b"\0\0\0\1\0\0\0\1picture")
    until(lambda: listener.last_seen({"mine"}))


def test_a_listener_that_the_server_forgot_connects_anew(
    server: TalkingServer, listener: ProgressListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.2)
    server.forget("me")
    follower = Follower(ComfyClient(server.url), listener, stall_seconds=30)
    thread = threading.Thread(target=follower.follow, args=("mine", {}, ["9"]))
    thread.start()
    until(lambda: len(server.handshakes()) == 2 and "me" in server.sockets)
    server.say("me", "progress", {"prompt_id": "mine", "value": 2, "max": 4})
    until(lambda: listener.fraction("mine") == 0.5)
    server.answers["/history/mine"] = {"mine": ENTRY}
    thread.join(10)
    assert not thread.is_alive()


def test_a_prompt_that_waits_behind_one_that_goes_on_is_no_stall(
    server: TalkingServer, listener: ProgressListener
) -> None:
    server.answers["/queue"] = queue(["mine"], ["next"])
    follower, ended = Follower(ComfyClient(server.url), listener, stall_seconds=0.6), threading.Event()

    def goes_on() -> None:
        for _ in range(15):
            server.say("me", "progress", {"prompt_id": "mine", "value": 1, "max": 4})
            ended.wait(0.1)
        server.answers["/history/next"] = {"next": ENTRY}

    thread = threading.Thread(target=goes_on)
    thread.start()
    try:
        assert len(follower.follow("next", {}, ["9"]).files) == 1
    finally:
        ended.set()
        thread.join(10)


def test_a_prompt_that_waits_behind_one_that_is_dead_is_a_stall(
    server: TalkingServer, listener: ProgressListener
) -> None:
    server.answers["/queue"] = queue(["mine"], ["next"])
    with pytest.raises(ComfyError) as stalled:
        Follower(ComfyClient(server.url), listener, stall_seconds=0.3).follow("next", {}, ["9"])
    assert stalled.value.error_class == "stall"


def test_the_client_that_a_prompt_was_posted_for_is_in_the_queue(server: TalkingServer) -> None:
    server.answers["/queue"] = queue(["mine"], ["next"])
    client = ComfyClient(server.url)
    assert client.client_id_of("next") == "client-of-next"
    assert client.client_id_of("gone") is None
    server.answers["/queue"] = {"queue_running": [[0, "mine", {}]], "queue_pending": []}
    assert client.client_id_of("mine") is None
