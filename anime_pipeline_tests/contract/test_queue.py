"""Defends what is believed of a prompt: queue and history decide; absent from both is lost, never done."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
import requests

from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline_tests.contract.target import Target
from anime_pipeline_tests.preview.client import picture_graph


def end_of(target: Target, prompt_id: str, stall_seconds: float = 60.0) -> ComfyError:
    with pytest.raises(ComfyError) as caught:
        target.follow(prompt_id, stall_seconds=stall_seconds)
    return caught.value


def test_what_waits_in_heap_order_is_told_in_the_order_of_its_turn(target: Target) -> None:
    held = target.hold()
    posted = {
        number: target.post(picture_graph(target.prefix(), seed=n), number=number)["prompt_id"]
        for n, number in enumerate((1e6, 5e6, 2e6, 6e6, 3e6, 4e6))
    }
    urgent = target.post(picture_graph(target.prefix(), seed=99), front=True)
    assert urgent["number"] < 0
    raw = [entry[0] for entry in requests.get(f"{target.url}/queue", timeout=20).json()["queue_pending"]]
    wanted = [urgent["prompt_id"], *(posted[number] for number in sorted(posted))]
    assert target.client.queue()[1] == wanted
    if target.preview is not None:
        assert raw != sorted(raw), "this is a heap, or the test proves nothing"
    for prompt_id in (*wanted, held):
        target.client.cancel(prompt_id)


def test_a_prompt_is_taken_back_without_touching_another(target: Target) -> None:
    first = target.hold()
    second, third = target.submit(), target.submit()
    target.client.cancel(second)
    running, pending = target.client.queue()
    assert first in running + pending
    assert third in pending
    assert second not in running + pending
    assert end_of(target, second).error_class == "lost"
    target.client.cancel(first)
    assert end_of(target, first).error_class == "interrupted"
    assert target.follow(third).files


def test_a_deleted_prompt_is_lost(target: Target) -> None:
    target.tell("pending_deleted")
    error = end_of(target, target.submit())
    assert (error.error_class, error.policy.counted) == ("lost", False)


def test_a_server_that_forgets_everything_has_lost_the_prompt(target: Target) -> None:
    target.tell("forget_everything")
    assert end_of(target, target.submit()).error_class == "lost"


def test_a_prompt_that_was_never_posted_is_lost_and_not_done(target: Target) -> None:
    assert end_of(target, str(uuid.uuid4())).error_class == "lost"


def test_history_may_come_after_the_message_of_success(target: Target) -> None:
    target.tell("history_late", seconds=0.4)
    assert target.follow(target.submit()).files


@pytest.mark.parametrize("fault", ["websocket_silent", "websocket_cut"])
def test_the_websocket_is_a_hint(target: Target, fault: str) -> None:
    target.tell(fault)
    assert target.follow(target.submit()).files


def test_another_clients_prompts_are_no_sign_of_life_of_ours(target: Target) -> None:
    other = str(uuid.uuid4())
    target.client.submit(picture_graph(target.prefix()), "somebody else", other)
    target.follow(target.submit())
    assert target.listener.last_seen(other) is None


def test_a_zombie_is_found_though_others_go_on_posting(target: Target) -> None:
    target.tell("zombie_worker")
    dead, waiting = target.submit(), target.submit()
    ended = threading.Event()

    def post_on() -> None:
        while not ended.is_set():
            target.submit()
            time.sleep(0.05)

    others = threading.Thread(target=post_on)
    others.start()
    try:
        ran, never_ran = (end_of(target, prompt_id, stall_seconds=0.5) for prompt_id in (dead, waiting))
    finally:
        ended.set()
        others.join()
    assert (ran.error_class, ran.policy.counted) == ("stall", True)
    assert (never_ran.error_class, never_ran.policy.counted) == ("stall", False)


def test_a_prompt_without_progress_is_a_stall_and_can_be_interrupted(target: Target) -> None:
    target.tell("slow", seconds=30)
    prompt_id = target.submit()
    assert end_of(target, prompt_id, stall_seconds=0.4).error_class == "stall"
    target.client.cancel(prompt_id)
    assert end_of(target, prompt_id).error_class == "interrupted"


@pytest.mark.parametrize(
    ("fault", "error_class"), [("out_of_memory", "out_of_memory"), ("fail_render", "execution")]
)
def test_a_failure_while_rendering_has_its_class(target: Target, fault: str, error_class: str) -> None:
    target.tell(fault)
    error = end_of(target, target.submit())
    assert error.error_class == error_class
    target.client.free()
    assert target.follow(target.submit()).files


def test_the_queue_says_for_whom_a_prompt_was_posted(target: Target) -> None:
    held = target.hold()
    waiting = target.submit()
    assert target.client.client_id_of(held) == target.client_id
    assert target.client.client_id_of(waiting) == target.client_id
    for prompt_id in (waiting, held):
        target.client.cancel(prompt_id)
    assert target.client.client_id_of(waiting) is None
