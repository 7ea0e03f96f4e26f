"""Defends how prompts are posted: under our id or not at all, and no dropped output passes for success."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.following import is_known
from anime_pipeline.rendering.preflight import preflight
from anime_pipeline.rendering.probing import probe
from anime_pipeline_tests.contract.target import Target
from anime_pipeline_tests.preview.client import picture_graph

LENIENT = pytest.mark.parametrize("target", [{"strict_prompt_ids": False}], indirect=True)


def refused(target: Target, graph: dict[str, Any], prompt_id: str | None = None) -> ComfyError:
    with pytest.raises(ComfyError) as caught:
        target.submit(graph, prompt_id)
    return caught.value


def test_a_prompt_runs_under_the_id_that_it_was_given(target: Target) -> None:
    prompt_id = target.submit()
    target.follow(prompt_id)
    assert is_known(target.client, prompt_id)
    assert not is_known(target.client, str(uuid.uuid4()))


def test_an_id_that_a_strict_server_refuses_is_a_mistake_of_ours(target: Target) -> None:
    if target.preview is None and "0.3." in probe(target.client).version:
        pytest.skip("this version takes any id")
    error = refused(target, picture_graph(target.prefix()), "NOT-A-UUID")
    assert error.error_class == "validation"
    assert not error.policy.retried


@LENIENT
def test_a_lenient_server_takes_any_id(target: Target) -> None:
    assert target.follow(target.submit(prompt_id="take 7, please")).files


def test_outputs_dropped_in_a_200_are_a_failure_and_the_rest_is_taken_back(target: Target) -> None:
    held = target.hold()
    graph = picture_graph(target.prefix(), seed=3)
    graph["9"] = {
        "class_type": "SaveImage", "inputs": {"filename_prefix": "x"}, "_meta": {"title": "Lost"}
    }  # fmt: skip
    prompt_id = str(uuid.uuid4())
    error = refused(target, graph, prompt_id)
    assert error.error_class == "validation"
    assert "“Lost”" in str(error)
    assert "images" in str(error)
    assert prompt_id not in target.client.queue()[1]
    target.client.cancel(held)


def test_every_output_dropped_in_a_200_is_a_failure(target: Target) -> None:
    target.tell("node_errors_in_200")
    error = refused(target, picture_graph())
    assert error.error_class == "validation"
    assert not error.policy.retried


@pytest.mark.parametrize(
    ("change", "error_class", "said"),
    [
        ({"1": {"class_type": "Nope", "inputs": {}}}, "missing_node", "Nope"),
        ({"3": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}, "validation", "images"),
    ],
)
def test_a_refusal_says_which_node_and_input(
    target: Target, change: dict[str, Any], error_class: str, said: str
) -> None:
    error = refused(target, {**picture_graph(target.prefix()), **change})
    assert error.error_class == error_class
    assert said in str(error)


def test_a_value_out_of_range_is_named(target: Target) -> None:
    graph = picture_graph(target.prefix())
    graph["1"]["inputs"]["width"] = 0
    graph["1"]["_meta"] = {"title": "Canvas"}
    error = refused(target, graph)
    assert error.error_class == "validation"
    assert "“Canvas”, input width" in str(error)


def test_no_graph_at_all_is_refused(target: Target) -> None:
    assert refused(target, {"1": picture_graph()["1"]}).error_class == "validation"
    assert requests.post(f"{target.url}/prompt", data="{", timeout=20).status_code in (400, 500)


def test_a_500_says_nothing_about_the_take(target: Target) -> None:
    target.tell("error_500")
    error = refused(target, picture_graph())
    assert (error.error_class, error.policy.counted) == ("connection", False)


def test_a_garbled_answer_leaves_a_prompt_that_can_be_found_again(target: Target) -> None:
    target.tell("answer_garbled")
    prompt_id = str(uuid.uuid4())
    assert refused(target, picture_graph(), prompt_id).error_class == "connection"
    assert is_known(target.client, prompt_id)
    assert target.follow(prompt_id).files


def test_preflight_names_everything_missing_at_once(target: Target) -> None:
    graph = {
        **picture_graph(),
        "8": {"class_type": "NoSuchLoader", "inputs": {}},
        "9": {"class_type": "NoSuchSampler", "inputs": {}},
        "99": {"class_type": "SaveImage", "inputs": {}},
    }
    with pytest.raises(ComfyError) as caught:
        preflight(graph, target.client.object_info())
    assert caught.value.error_class == "missing_node"
    for said in ("NoSuchLoader", "NoSuchSampler", "lacks its input images"):
        assert said in str(caught.value)
    preflight(picture_graph(), target.client.object_info())


def test_a_server_says_what_it_is_and_can_do(target: Target) -> None:
    facts = probe(target.client)
    assert target.preview is None or facts.kind == "preview"
    assert facts.version != "unknown"
    assert facts.devices
    assert facts.vram_total >= facts.vram_free > 0
    assert {"EmptyImage", "SaveImage", "LoadImage"} <= set(facts.node_classes)
