"""Defends the faults: each happens as a client would meet it, to its match, as often as asked."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
import requests
import websocket

from anime_pipeline.preview.misbehaviour import KINDS, Misbehaviour
from anime_pipeline_tests.preview.client import Client, picture_graph, video_graph
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server

CONNECTION_LOST = (websocket.WebSocketConnectionClosedException, ConnectionError)


def decoded(body: bytes) -> list[np.ndarray[Any, Any]]:
    with av.open(io.BytesIO(body)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def rendered(client: Client, **graph: Any) -> list[np.ndarray[Any, Any]]:
    return decoded(client.view(client.first_file(client.render(video_graph(**graph)))).content)


def last_message(entry: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    event, data = entry["status"]["messages"][-1]
    return event, data


@pytest.mark.parametrize(("frames", "spoilt"), [(6, 5), (1, 2)])
def test_wrong_frame_count(server: RunningServer, client: Client, frames: int, spoilt: int) -> None:
    server.misbehave("wrong_frame_count")
    assert len(rendered(client, frames=frames)) == spoilt
    assert len(rendered(client, prefix="next", frames=frames)) == frames


def test_black_frames(server: RunningServer, client: Client) -> None:
    server.misbehave("black_frames")
    frames = rendered(client)
    assert len(frames) == 6
    assert max(frame.max() for frame in frames) <= 2


def test_frozen_video(server: RunningServer, client: Client) -> None:
    server.misbehave("frozen_video")
    frames = rendered(client)
    assert len(frames) == 6
    assert max(np.abs(frame.astype(int) - frames[0]).mean() for frame in frames) < 2


def test_truncated_file(server: RunningServer, client: Client) -> None:
    server.misbehave("truncated_file")
    body = client.view(client.first_file(client.render(video_graph()))).content
    whole = client.view(client.first_file(client.render(video_graph("whole")))).content
    assert len(body) == len(whole) // 2


def test_missing_file_also_from_the_cache(server: RunningServer, client: Client) -> None:
    server.misbehave("missing_file")
    for _ in range(2):
        entry = client.render(video_graph())
        assert entry["status"]["status_str"] == "success"
        assert client.view(client.first_file(entry)).status_code == 404


def test_empty_outputs(server: RunningServer, client: Client) -> None:
    client.render(picture_graph())
    server.misbehave("empty_outputs")
    entry = client.render(picture_graph())
    assert entry["status"]["status_str"] == "success"
    assert entry["outputs"] == {}


@pytest.mark.parametrize(
    ("kind", "exception"), [("out_of_memory", "torch.OutOfMemoryError"), ("fail_render", "RuntimeError")]
)
def test_failures_while_rendering(server: RunningServer, client: Client, kind: str, exception: str) -> None:
    server.misbehave(kind)
    event, data = last_message(client.render(picture_graph()))
    assert (event, data["exception_type"], data["node_type"]) == ("execution_error", exception, "SaveImage")
    assert client.render(picture_graph())["status"]["completed"]


def test_slow_can_be_interrupted(server: RunningServer, client: Client) -> None:
    server.misbehave("slow", seconds=600)
    prompt_id = client.post(picture_graph()).json()["prompt_id"]
    client.wait_for("executing", prompt_id=prompt_id)
    client.post_to("/interrupt", prompt_id=prompt_id)
    client.messages_until_end(prompt_id)
    assert last_message(client.get(f"/history/{prompt_id}")[prompt_id])[0] == "execution_interrupted"


def test_history_late(server: RunningServer, client: Client) -> None:
    server.misbehave("history_late", seconds=600)
    prompt_id = client.post(picture_graph()).json()["prompt_id"]
    client.wait_for("execution_success", prompt_id=prompt_id)
    assert client.get(f"/history/{prompt_id}") == {}
    assert [item[1] for item in client.get("/queue")["queue_running"]] == [prompt_id]
    client.post_to("/interrupt")  # ends the waiting, not the render
    client.messages_until_end(prompt_id)
    assert client.get(f"/history/{prompt_id}")[prompt_id]["status"]["completed"]


def test_node_errors_in_200(server: RunningServer, client: Client) -> None:
    server.misbehave("node_errors_in_200")
    answer = client.post(picture_graph())
    assert answer.status_code == 200
    assert list(answer.json()["node_errors"]) == ["3"]
    client.messages_until_end(answer.json()["prompt_id"])
    assert client.get("/history")[answer.json()["prompt_id"]]["outputs"] == {}


def test_zombie_worker(tmp_path: Any) -> None:
    with running_preview_server(tmp_path) as server, Client(server.url) as client:
        server.misbehave("zombie_worker")
        first = client.post(picture_graph()).json()["prompt_id"]
        client.wait_for("executing", prompt_id=first)
        server.server._worker._thread.join(20)
        second = client.post(picture_graph()).json()["prompt_id"]
        queue = client.get("/queue")
    assert [item[1] for item in queue["queue_running"]] == [first]
    assert [item[1] for item in queue["queue_pending"]] == [second]


def test_forget_everything(server: RunningServer, client: Client) -> None:
    client.render(picture_graph())
    server.misbehave("forget_everything")
    prompt_id = client.post(picture_graph("next")).json()["prompt_id"]
    with pytest.raises(CONNECTION_LOST):
        client.messages_until_end(prompt_id)
    assert client.get("/queue") == {"queue_running": [], "queue_pending": []}
    assert client.get("/history") == {}
    with Client(client.url) as again:
        entry = again.render(picture_graph())
    assert dict(entry["status"]["messages"])["execution_cached"]["nodes"] == []


def test_websocket_silent(server: RunningServer, client: Client) -> None:
    server.misbehave("websocket_silent")
    client.post(picture_graph("quiet"))
    prompt_id = client.post(picture_graph("loud")).json()["prompt_id"]
    messages = client.messages_until_end(prompt_id)
    assert {one["data"]["prompt_id"] for one in messages if one["type"] != "status"} == {prompt_id}
    assert len(client.get("/history")) == 2


def test_websocket_cut(server: RunningServer, client: Client) -> None:
    server.misbehave("websocket_cut")
    prompt_id = client.post(picture_graph()).json()["prompt_id"]
    with pytest.raises(CONNECTION_LOST):
        client.messages_until_end(prompt_id)
    with Client(client.url) as again:
        again.render(picture_graph("after"))
        assert again.get(f"/history/{prompt_id}")[prompt_id]["status"]["completed"]


def test_pending_deleted(server: RunningServer, client: Client) -> None:
    server.misbehave("pending_deleted")
    prompt_id = client.post(picture_graph()).json()["prompt_id"]
    client.render(picture_graph("next"))
    assert client.get(f"/history/{prompt_id}") == {}


def test_error_500(server: RunningServer, client: Client) -> None:
    server.misbehave("error_500", times=2)
    assert [client.post(picture_graph()).status_code for _ in range(3)] == [500, 500, 200]


def test_answer_garbled(server: RunningServer, client: Client) -> None:
    server.misbehave("answer_garbled")
    answer = client.post(picture_graph())
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    client.render(picture_graph("next"))
    assert len(client.get("/history")) == 2


def test_upload_too_large(server: RunningServer) -> None:
    server.misbehave("upload_too_large")
    codes = [
        requests.post(f"{server.url}/upload/image", files={"image": ("a.png", b"x")}, timeout=20).status_code
        for _ in range(2)
    ]
    assert codes == [413, 200]


def test_upload_renamed(server: RunningServer) -> None:
    server.misbehave("upload_renamed", match="mika")
    names = []
    for name in ("kon.png", "mika.png", "mika.png"):
        files = {"image": (name, b"x")}
        names.append(requests.post(f"{server.url}/upload/image", files=files, timeout=20).json()["name"])
    assert names == ["kon.png", "mika (1).png", "mika.png"]


def test_a_match_hits_one_cut_of_ten(server: RunningServer, client: Client) -> None:
    server.misbehave("fail_render", times=None, match="c0070")
    ends = [
        client.render(picture_graph(f"lp.e01.s001.c{number:03}0"))["status"]["status_str"]
        for number in range(1, 11)
    ]
    assert ends == ["success"] * 6 + ["error"] + ["success"] * 3
    server.behave()
    assert client.render(picture_graph("c0070"))["status"]["completed"]


def test_the_control_route_plans_and_clears(client: Client) -> None:
    planned = client.post_to("/preview/misbehave", kind="fail_render", times=None)
    assert planned.json() == {"planned": "fail_render"}
    assert client.render(picture_graph())["status"]["status_str"] == "error"
    client.post_to("/preview/misbehave", clear=True)
    assert client.render(picture_graph())["status"]["status_str"] == "success"
    wrong = client.post_to("/preview/misbehave", kind="catch_fire")
    assert wrong.status_code == 400
    assert "known are" in wrong.json()["error"]
    assert client.post_to("/preview/misbehave", kind="slow", times=0).status_code == 400


def test_the_control_route_is_closed_by_default(tmp_path: Any) -> None:
    with running_preview_server(tmp_path) as server:
        answer = requests.post(f"{server.url}/preview/misbehave", json={"kind": "slow"}, timeout=20)
    assert answer.status_code in (404, 405)


def test_a_fault_can_be_written_on_the_command_line() -> None:
    assert Misbehaviour.parse("slow") == Misbehaviour("slow", 1, None)
    assert Misbehaviour.parse("black_frames:always:c0040") == Misbehaviour("black_frames", None, "c0040")
    assert Misbehaviour.parse("frozen_video:3") == Misbehaviour("frozen_video", 3, None)
    with pytest.raises(ValueError, match="unknown misbehaviour"):
        Misbehaviour.parse("catch_fire")


def test_every_kind_has_a_test() -> None:
    source = __file__
    with open(source) as file:  # noqa: PTH123
        text = file.read()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
