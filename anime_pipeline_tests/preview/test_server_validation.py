"""Defends that a graph that can't run is refused before it is queued, with ComfyUI's errors."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.validation import validate_prompt
from anime_pipeline_tests.preview.client import Client, Graph, picture_graph, shot_graph
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server


def changed(graph: Graph, node_id: str, **inputs: Any) -> Graph:
    graph[node_id]["inputs"].update(inputs)
    return graph


def without(graph: Graph, node_id: str, name: str) -> Graph:
    del graph[node_id]["inputs"][name]
    return graph


@pytest.mark.parametrize(
    ("graph", "node_id", "kind", "name"),
    [
        (changed(picture_graph(), "1", width=0), "1", "value_smaller_than_min", "width"),
        (changed(picture_graph(), "1", color=0x1000000), "1", "value_bigger_than_max", "color"),
        (changed(picture_graph(), "2", seed=2**64), "2", "value_bigger_than_max", "seed"),
        (changed(picture_graph(), "2", seed="many"), "2", "invalid_input_type", "seed"),
        (changed(picture_graph(), "2", strength=None), "2", "invalid_input_type", "strength"),
        (without(picture_graph(), "2", "image"), "2", "required_input_missing", "image"),
        (changed(picture_graph(), "2", image=["1"]), "2", "bad_linked_input", "image"),
        (changed(picture_graph(), "2", image=["1", 0, 0]), "2", "bad_linked_input", "image"),
        (changed(picture_graph(), "2", image=["99", 0]), "2", "exception_during_inner_validation", "image"),
        (changed(picture_graph(), "2", image=["1", 7]), "2", "exception_during_inner_validation", "image"),
        (changed(shot_graph(), "3", cast=["1", 0]), "3", "return_type_mismatch", "cast"),
        (changed(shot_graph(), "3", kind="opera"), "3", "value_not_in_list", "kind"),
        (changed(shot_graph(), "5", format="avi"), "5", "value_not_in_list", "format"),
    ],
)
def test_a_wrong_input_is_named_with_its_node(
    client: Client, graph: Graph, node_id: str, kind: str, name: str
) -> None:
    answer = client.post(graph)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "prompt_outputs_failed_validation"
    (entry,) = answer.json()["node_errors"].values()
    assert list(answer.json()["node_errors"]) == [node_id]
    assert entry["class_type"] == graph[node_id]["class_type"]
    (error,) = entry["errors"]
    assert error["type"] == kind
    assert error["extra_info"]["input_name"] == name
    assert client.get("/queue") == {"queue_running": [], "queue_pending": []}


def test_a_picture_that_was_never_uploaded_is_named(client: Client) -> None:
    load = {"class_type": "LoadImage", "inputs": {"image": "fox.png"}}
    save = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}
    error = client.post({"1": load, "2": save}).json()["node_errors"]["1"]["errors"][0]
    assert error["type"] == "custom_validation_failed"
    assert error["details"] == "image - Invalid image file: fox.png"


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ('[{"name": "Kon", "picture": "kon.png"}]', "Invalid image file: kon.png (picture of Kon)"),
        ('[{"name": "Kon", "hat": "red"}]', "0.hat: Extra inputs are not permitted"),
        ("[", "Invalid JSON"),
        ("{}", "Input should be a valid array"),
    ],
)
def test_a_cast_that_cannot_be_read_is_explained(client: Client, figures: str, said: str) -> None:
    error = client.post(shot_graph(figures=figures)).json()["node_errors"]["2"]["errors"][0]
    assert error["type"] == "custom_validation_failed"
    assert said in error["details"]


@pytest.mark.parametrize(
    ("node_id", "inputs", "said"),
    [
        ("1", {"palette": '{"sea": "blue"}'}, "'blue' is not a colour like #1b2a49"),
        ("3", {"lines": '[{"speaker": "Mika"}]'}, "0.text: Field required"),
    ],
)
def test_other_texts_of_an_animatic_are_checked_too(
    client: Client, node_id: str, inputs: dict[str, str], said: str
) -> None:
    graph = changed(shot_graph(), node_id, **inputs)
    error = client.post(graph).json()["node_errors"][node_id]["errors"][0]
    assert error["type"] == "custom_validation_failed"
    assert said in error["details"]


def test_a_loop_of_links_is_an_error_and_not_a_hang(client: Client) -> None:
    graph = changed(picture_graph(), "2", image=["4", 0])
    graph["4"] = {"class_type": "ImageAddNoise", "inputs": {"image": ["2", 0], "seed": 1, "strength": 0.1}}
    errors = client.post(graph).json()["node_errors"]
    assert [error["type"] for error in errors["2"]["errors"]] == ["dependency_cycle"]


def test_a_loop_beside_a_sound_output_does_not_stop_it(client: Client) -> None:
    graph = picture_graph()
    for one, other in (("8", "9"), ("9", "8")):
        graph[one] = {"class_type": "ImageAddNoise", "inputs": {"image": [other, 0], "seed": 1}}
    assert client.render(graph)["status"]["status_str"] == "success"


def test_values_are_converted_as_comfyui_converts_them(client: Client) -> None:
    entry = client.render(changed(picture_graph(), "1", width="32", height=16.0))
    assert entry["prompt"][2]["1"]["inputs"]["width"] == 32


def test_one_error_names_every_output_that_hangs_on_it(client: Client) -> None:
    graph = changed(picture_graph(), "1", width=0)
    graph["4"] = {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "other"}}
    assert client.post(graph).json()["node_errors"]["1"]["dependent_outputs"] == ["3", "4"]


def chain(length: int) -> dict[str, Any]:
    """A picture that gets noise again and again."""
    graph = picture_graph()
    for number in range(3, length):
        noise = {**graph["2"]["inputs"], "image": [str(number - 1), 0]}
        graph[str(number)] = {"class_type": "ImageAddNoise", "inputs": noise}
    saved = {"images": [str(length - 1), 0], "filename_prefix": "x"}
    return {**graph, "last": {"class_type": "SaveImage", "inputs": saved}}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({}, 400, "no_prompt"),
        ({"prompt": []}, 400, "invalid_prompt"),
        ({"prompt": {"1": {"inputs": {}}}}, 400, "missing_node_type"),
        ({"prompt": {"1": 5}}, 400, "missing_node_type"),
        ({"prompt": {"1": {"class_type": ["x"]}}}, 400, "missing_node_type"),
        ({"prompt": {"1": {"class_type": "SaveImage", "inputs": []}}}, 400, "invalid_prompt"),
        ({"prompt": {}}, 400, "prompt_no_outputs"),
        ({"prompt": {"1": {"class_type": "Nope", "_meta": "x"}}}, 400, "missing_node_type"),
        ({"prompt": chain(2000)}, 400, "invalid_prompt"),
        ({"prompt": picture_graph(), "number": "first"}, 400, "invalid_prompt"),
        ({"prompt": picture_graph(), "number": "nan"}, 400, "invalid_prompt"),
        ({"prompt": picture_graph(), "extra_data": ["x"]}, 400, "invalid_prompt"),
        ({"prompt": picture_graph(), "prompt_id": "ABC"}, 400, "invalid_prompt_id"),
        (
            {"prompt": picture_graph(), "prompt_id": "0F8FAD5B-D9CB-469F-A165-70867728950E"},
            400,
            "invalid_prompt_id",
        ),
        ({"prompt": picture_graph(), "prompt_id": 5}, 400, "invalid_prompt_id"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    client: Client, body: dict[str, Any], status: int, kind: str
) -> None:
    answer = requests.post(f"{client.url}/prompt", json=body, timeout=20)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_bad_json_is_a_500_as_in_comfyui(server: RunningServer, body: bytes) -> None:
    answer = requests.post(f"{server.url}/prompt", data=body, timeout=20)
    assert answer.status_code == 500


def test_a_lenient_server_takes_any_prompt_id(tmp_path: Any) -> None:
    with running_preview_server(tmp_path, strict_prompt_ids=False) as old, Client(old.url) as client:
        client.render(picture_graph(), prompt_id="abc")
        assert list(client.get("/history/abc")) == ["abc"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    node_id=st.sampled_from(["1", "2", "3", "4", "5"]),
    name=st.sampled_from(
        ["backdrop", "figures", "kind", "seed", "width", "lines", "palette", "video", "fps"]
    ),
    value=json_values | st.tuples(st.sampled_from(["1", "2", "3", "4", "5"]), st.integers(-1, 2)).map(list),
)
def test_no_value_breaks_the_validation(
    tmp_path_factory: pytest.TempPathFactory, node_id: str, name: str, value: Any
) -> None:
    folders = Folders(tmp_path_factory.getbasetemp() / "validated")
    result = validate_prompt(changed(shot_graph(), node_id, **{name: value}), folders)
    assert bool(result.error) == (not result.outputs)
    assert result.node_errors or result.outputs == ["5"]
