"""Defends the queue and the history: order, deletion, duplicates, interrupts, the cache, and many clients."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from anime_pipeline.preview import executor
from anime_pipeline.preview.prompt_queue import HISTORY_LIMIT, HistoryEntry, PromptQueue, QueueItem
from anime_pipeline_tests.preview.client import Client, picture_graph, shot_graph, video_graph
from anime_pipeline_tests.preview.conftest import Artist
from anime_pipeline_tests.preview.running import RunningServer


@pytest.fixture
def busy(client: Client, artist: Artist) -> str:
    """The id of a prompt that is held in the middle of its rendering."""
    artist.hold_at = 1
    prompt_id: str = client.post(shot_graph(length=3)).json()["prompt_id"]
    assert artist.held.wait(20)
    return prompt_id


def pending_ids(client: Client) -> list[str]:
    items = sorted(client.get("/queue")["queue_pending"], key=lambda item: item[0])
    return [item[1] for item in items]


def test_prompts_run_in_order_and_front_goes_first(client: Client, busy: str, artist: Artist) -> None:
    first, second = (client.post(picture_graph(seed=seed)).json() for seed in (1, 2))
    urgent = client.post(picture_graph(seed=3), front=True).json()
    numbered = client.post(picture_graph(seed=4), number=first["number"] + 0.5).json()
    assert urgent["number"] < 0
    expected = [one["prompt_id"] for one in (urgent, first, numbered, second)]
    assert pending_ids(client) == expected
    assert client.get("/prompt")["exec_info"]["queue_remaining"] == 5
    artist.go_on.set()
    client.messages_until_end(second["prompt_id"])
    assert list(client.get("/history")) == [busy, *expected]


def test_a_deleted_prompt_leaves_no_trace(client: Client, busy: str, artist: Artist) -> None:
    gone, kept = (client.post(picture_graph(seed=seed)).json()["prompt_id"] for seed in (1, 2))
    assert client.post_to("/queue", delete=[gone, "unknown"]).status_code == 200
    assert pending_ids(client) == [kept]
    artist.go_on.set()
    client.messages_until_end(kept)
    assert client.get(f"/history/{gone}") == {}
    assert gone not in client.get("/history")


def test_clear_empties_what_waits_and_spares_what_runs(client: Client, busy: str, artist: Artist) -> None:
    client.post(picture_graph())
    client.post_to("/queue", clear=True)
    assert pending_ids(client) == []
    artist.go_on.set()
    client.messages_until_end(busy)
    assert client.get("/history")[busy]["status"]["status_str"] == "success"


def test_an_interrupt_for_another_prompt_spares_what_runs(client: Client, busy: str, artist: Artist) -> None:
    client.post_to("/interrupt", prompt_id=str(uuid4()))
    artist.go_on.set()
    client.messages_until_end(busy)
    assert client.get(f"/history/{busy}")[busy]["status"]["status_str"] == "success"


def test_a_targeted_interrupt_stops_its_prompt_only(client: Client, busy: str, artist: Artist) -> None:
    following = client.post(picture_graph()).json()["prompt_id"]
    client.post_to("/interrupt", prompt_id=busy)
    artist.go_on.set()
    client.messages_until_end(following)
    history = client.get("/history")
    assert history[busy]["status"]["messages"][-1][0] == "execution_interrupted"
    assert history[busy]["outputs"] == {}
    assert history[following]["status"]["status_str"] == "success"


def test_an_interrupted_film_leaves_no_file(
    client: Client, server: RunningServer, busy: str, artist: Artist
) -> None:
    client.post_to("/interrupt")
    artist.go_on.set()
    client.messages_until_end(busy)
    assert [path for path in (server.home / "preview" / "output").rglob("*") if path.is_file()] == []


def test_an_interrupt_of_an_idle_server_does_not_hit_the_next_prompt(client: Client) -> None:
    client.post_to("/interrupt")
    assert client.render(picture_graph())["status"]["status_str"] == "success"


def test_duplicates_are_accepted_and_both_run(client: Client) -> None:
    prompt_id = str(uuid4())
    for _ in range(2):
        assert client.post(picture_graph(seed=1), prompt_id=prompt_id).status_code == 200
        client.messages_until_end(prompt_id)
    assert list(client.get("/history")) == [prompt_id]


def test_history_can_be_read_in_part_and_deleted(client: Client) -> None:
    ids = [client.render(picture_graph(seed=seed))["prompt"][1] for seed in range(4)]
    assert list(client.get("/history?max_items=2")) == ids[2:]
    assert list(client.get("/history?max_items=2&offset=1")) == ids[1:3]
    assert client.get("/history?max_items=-5&offset=0") == {}
    client.post_to("/history", delete=[ids[0]])
    assert list(client.get("/history")) == ids[1:]
    client.post_to("/history", clear=True)
    assert client.get("/history") == {}


def test_history_forgets_the_oldest_beyond_its_limit() -> None:
    queue = PromptQueue(lambda: None)
    for number in range(HISTORY_LIMIT + 1):
        queue.put(QueueItem(number, str(number), {}, {}, []))
        taken = queue.get()
        assert taken is not None
        queue.finish(taken[0], HistoryEntry(taken[1]))
    assert len(queue.entries()) == HISTORY_LIMIT
    assert queue.entry("0") is None
    assert queue.entry("1") is not None


def test_an_identical_graph_executes_nothing_and_names_the_old_file(client: Client) -> None:
    first = client.render(picture_graph())
    renamed = {f"x{key}": node for key, node in picture_graph().items()}
    for node in renamed.values():
        for name, value in node["inputs"].items():
            node["inputs"][name] = [f"x{value[0]}", 0] if isinstance(value, list) else value
    second = client.render(renamed)
    assert client.first_file(second) == client.first_file(first)
    assert dict(second["status"]["messages"])["execution_cached"]["nodes"] == ["x1", "x2", "x3"]


def test_another_prefix_saves_again_and_keeps_the_rest_cached(client: Client) -> None:
    client.render(picture_graph("a"))
    entry = client.render(picture_graph("b"))
    assert dict(entry["status"]["messages"])["execution_cached"]["nodes"] == ["1", "2"]
    assert client.first_file(entry)["filename"] == "b_00001_.png"


@pytest.mark.parametrize("body", [{"free_memory": True}, {"unload_models": True}])
def test_free_clears_the_cache_and_the_pixels_stay_the_same(client: Client, body: dict[str, bool]) -> None:
    first = client.render(video_graph())
    client.post_to("/free", **body)
    second = client.render(video_graph())
    assert dict(second["status"]["messages"])["execution_cached"]["nodes"] == []
    names = [client.first_file(entry) for entry in (first, second)]
    assert names[0]["filename"] == "film_00001_.mp4"
    assert names[1]["filename"] == "film_00002_.mp4"
    assert client.view(names[0]).content == client.view(names[1]).content


def test_an_output_outside_its_folder_fails_and_names_the_node(client: Client) -> None:
    entry = client.render(picture_graph("../../../x"))
    event, data = entry["status"]["messages"][-1]
    assert (event, data["node_id"], data["node_type"]) == ("execution_error", "3", "SaveImage")
    assert data["executed"] == ["1", "2"]
    assert "outside" in data["exception_message"]


def test_many_clients_at_once_each_get_their_own_render(server: RunningServer) -> None:
    def render(number: int) -> dict[str, Any]:
        with Client(server.url) as client:
            entry = client.render(picture_graph(f"c{number:03}", seed=number, size=16))
            assert client.view(client.first_file(entry)).status_code == 200
            return entry

    with ThreadPoolExecutor(12) as pool:
        entries = list(pool.map(render, range(36)))
    prefixes = [next(iter(entry["outputs"].values()))["images"][0]["filename"] for entry in entries]
    assert prefixes == [f"c{number:03}_00001_.png" for number in range(36)]


def test_a_failure_before_the_first_node_does_not_kill_the_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> dict[str, str]:
        raise PermissionError("no access to the picture")

    with monkeypatch.context() as patch:
        patch.setattr(executor, "signatures", fail)
        event, data = client.render(picture_graph())["status"]["messages"][-1]
    assert (event, data["exception_type"]) == ("execution_error", "PermissionError")
    assert client.render(picture_graph())["status"]["completed"]


def test_the_queue_closes_while_someone_waits() -> None:
    queue = PromptQueue(lambda: None)
    results: list[object] = []
    waiting = threading.Thread(target=lambda: results.append(queue.get()))
    waiting.start()
    queue.close()
    waiting.join(10)
    assert results == [None]
