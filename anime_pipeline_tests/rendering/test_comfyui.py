"""Defends how the client reads what real servers answered, as recorded; the contract suite asks live ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyConnectionError, ComfyError, failure, rejection
from anime_pipeline.rendering.following import files_of
from anime_pipeline.rendering.preflight import preflight
from anime_pipeline.rendering.servers import render_servers
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.settings import Settings
from anime_pipeline_tests.preview.running import RunningServer
from anime_pipeline_tests.rendering.talking import talking_server

RECORDED = Path(__file__).parents[3] / "shared" / "comfyui-contract"
recorded_only = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not here")
versions = pytest.mark.parametrize("version", ["0.3.64", "0.33.0"])


def exchange(version: str, name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((RECORDED / version / f"{name}.json").read_text())
    return recorded


def titled(graph: Graph, **titles: str) -> Graph:
    return {key: {**node, "_meta": {"title": titles.get(f"n{key}", "")}} for key, node in graph.items()}


@recorded_only
@versions
def test_a_missing_model_is_named_with_its_node_and_input(version: str) -> None:
    said = exchange(version, "missing_model_400")
    error = rejection(titled(said["request"]["prompt"], n4="Base model"), said["response"])
    assert error.error_class == "missing_model"
    assert "node “Base model”, input ckpt_name" in str(error)
    assert "x.safetensors" in str(error)
    assert "models" in str(error.remedy)


@recorded_only
@versions
def test_an_unknown_node_is_a_missing_node(version: str) -> None:
    said = exchange(version, "unknown_node_400")
    error = rejection(said["request"]["prompt"], said["response"])
    assert error.error_class == "missing_node"
    assert "Nope" in str(error)


@recorded_only
@versions
@pytest.mark.parametrize("name", ["partial_validation_200", "no_outputs_400", "bad_prompt_id"])
def test_other_refusals_are_validation_and_not_retried(version: str, name: str) -> None:
    said = exchange(version, name)
    if said["status"] == 200 and not said["response"].get("node_errors"):
        pytest.skip("this version takes any prompt id")
    error = rejection(said["request"]["prompt"], said["response"])
    assert error.error_class == "validation"
    assert not error.policy.retried
    assert str(error)


@recorded_only
@versions
def test_a_failed_node_is_named_by_its_title(version: str) -> None:
    said = exchange(version, "runtime_error")
    (entry,) = said["history"].values()
    error = failure(titled(said["request"]["prompt"], n3="Keep it"), entry)
    assert error.error_class == "execution"
    assert "“Keep it” failed" in str(error)


@recorded_only
@versions
def test_an_interruption_is_not_retried(version: str) -> None:
    said = exchange(version, "interrupted")
    (entry,) = said["history"].values()
    assert failure(said["request"]["prompt"], entry).error_class == "interrupted"


def test_out_of_memory_is_its_own_class() -> None:
    error = {"node_id": "1", "exception_type": "torch.OutOfMemoryError", "exception_message": "CUDA"}
    entry = {"status": {"status_str": "error", "messages": [["execution_error", error]]}}
    assert failure({}, entry).error_class == "out_of_memory"


def test_a_server_that_is_not_there_is_a_connection_error_in_words() -> None:
    with pytest.raises(ComfyError, match=r"http://127\.0\.0\.1:9 does not answer") as refused:
        ComfyClient("http://127.0.0.1:9").queue()
    assert refused.value.error_class == "connection"
    assert not refused.value.policy.counted


@pytest.mark.parametrize("spec", [[["here.safetensors"], {}], ["COMBO", {"options": ["here.safetensors"]}]])
def test_preflight_knows_models_as_old_and_new_servers_list_them(spec: list[Any]) -> None:
    graph = {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.safetensors"}}}
    info = {"VAELoader": {"input": {"required": {"vae_name": spec}}}}
    with pytest.raises(ComfyError, match=r"gone\.safetensors") as refused:
        preflight(graph, info)
    assert "models/vae" in str(refused.value.remedy)
    graph["1"]["inputs"]["vae_name"] = "here.safetensors"
    preflight(graph, info)


def test_servers_are_those_that_answer(settings: Settings, server: RunningServer) -> None:
    some = settings.model_copy(update={"comfyui_urls": f"http://127.0.0.1:9,{server.url}/"})
    assert [(one.url, one.kind) for one in render_servers(some)] == [(server.url, "preview")]
    none = settings.model_copy(update={"comfyui_urls": "http://127.0.0.1:9"})
    with pytest.raises(ComfyError, match="no render server can be used"):
        render_servers(none)


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        ("ADE_AnimateDiffLoaderGen1", "model_name", "animatediff_models/gone.ckpt"),
        ("CLIPVisionLoader", "clip_name", "clip_vision/gone.ckpt"),
        ("CheckpointLoaderSimple", "ckpt_name", "checkpoints/gone.ckpt"),
    ],
)
def test_a_model_is_missed_in_the_folder_of_its_node(kind: str, name: str, place: str) -> None:
    graph = {"1": {"class_type": kind, "inputs": {name: "gone.ckpt"}}}
    with pytest.raises(ComfyError) as missed:
        preflight(graph, {kind: {"input": {"required": {name: [["here.ckpt"], {}]}}}})
    assert missed.value.error_class == "missing_model"
    assert f"models/{place.partition('/')[0]}" in str(missed.value.remedy)
    error = {"type": "value_not_in_list", "extra_info": {"input_name": name, "received_value": "gone.ckpt"}}
    refused = rejection(graph, {"node_errors": {"1": {"errors": [error]}}})
    assert refused.error_class == "missing_model"
    assert place in str(refused.remedy)
    error["extra_info"] = {"input_name": "beta_schedule", "received_value": "odd"}
    assert rejection(graph, {"node_errors": {"1": {"errors": [error]}}}).error_class == "validation"


@pytest.mark.parametrize(
    "outputs",
    [
        {"gifs": [{"filename": "a.mp4", "subfolder": "x", "type": "output", "format": "video/h264-mp4"}]},
        {"images": [{"filename": "a.mp4", "subfolder": "x", "type": "output"}], "animated": [True]},
        {"images": [{"filename": "a.png", "type": "temp"}, {"filename": "a.mp4", "type": "output"}]},
        {"images": [{"filename": "a.mp4", "type": "output"}], "text": ["said"], "audio": [{"filename": "b"}]},
    ],
)
def test_the_file_is_found_wherever_a_node_names_it(outputs: dict[str, Any]) -> None:
    graph = {"7": {"class_type": "Save", "inputs": {}}}
    (file,) = files_of({"outputs": {"7": outputs, "8": {"images": [{"filename": "b"}]}}}, graph, ["7"])
    assert file["filename"] == "a.mp4"


def test_a_node_that_writes_previews_only_is_a_mistake_of_the_workflow_and_no_servers_fault() -> None:
    graph = {"7": {"class_type": "VHS_VideoCombine", "inputs": {}, "_meta": {"title": "Film"}}}
    entry = {"outputs": {"7": {"gifs": [{"filename": "a.mp4", "subfolder": "", "type": "temp"}]}}}
    with pytest.raises(ComfyError, match="“Film” writes previews only") as refused:
        files_of(entry, graph, ["7"])
    assert refused.value.error_class == "validation"
    with pytest.raises(ComfyError) as empty:
        files_of({"outputs": {}}, graph, ["7"])
    assert empty.value.error_class == "contract"


def test_left_over_nodes_of_which_nothing_is_saved_need_no_inputs_and_no_models() -> None:
    """As ComfyUI has it, which looks at what its output nodes take from, and at the class of every node."""
    graph: Graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
        "3": {"class_type": "VAELoader", "inputs": {"vae_name": "gone.safetensors"}},
        "4": {"class_type": "EmptyImage", "inputs": {}},
    }
    info: dict[str, Any] = {
        "EmptyImage": {"input": {"required": {"width": ["INT", {}]}}, "output_node": False},
        "SaveImage": {
            "input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING"]}}, "output_node": True
        },
        "VAELoader": {
            "input": {"required": {"vae_name": [["here.safetensors"], {}]}}, "output_node": False
        },
    }  # fmt: skip
    preflight(graph, info)
    with pytest.raises(ComfyError, match="has no node VAELoader"):
        preflight(graph, {name: one for name, one in info.items() if name != "VAELoader"})
    with pytest.raises(ComfyError, match="lacks its input width"):
        preflight({**graph, "1": {"class_type": "EmptyImage", "inputs": {}}}, info)


def test_a_model_that_windows_lists_otherwise_is_to_be_written_so() -> None:
    graph = {"1": {"class_type": "LoraLoader", "inputs": {"lora_name": "ink/mika.safetensors"}}}
    info = {"LoraLoader": {"input": {"required": {"lora_name": [["ink\\mika.safetensors"], {}]}}}}
    with pytest.raises(ComfyError) as missed:
        preflight(graph, info)
    assert str(missed.value.remedy) == "write ink\\mika.safetensors, as this server does"


def test_a_certificate_that_nobody_trusts_is_told_from_a_server_that_is_not_there() -> None:
    untrusted = ComfyConnectionError("https://gpu", requests.exceptions.SSLError())
    assert "REQUESTS_CA_BUNDLE" in str(untrusted.remedy)
    assert "running" in str(ComfyConnectionError("https://gpu", requests.exceptions.ReadTimeout()).remedy)


ODD: dict[str, Any] = {
    "/object_info": {"error": "session expired"},
    "/queue": {"queue_running": ["x"], "queue_pending": []},
    "/history/a": {"a": {"status": {"messages": ["x"]}, "outputs": {}}},
    "/prompt": {"node_errors": ["x"]},
    "/upload/image": {"stored": True},
    "/system_stats": [],
}


def test_json_that_is_not_comfyuis_is_a_servers_fault_and_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a picture")
    with talking_server(ODD) as odd:
        client = ComfyClient(odd.url)
        asked: dict[str, Callable[[], object]] = {
            "/object_info": client.object_info,
            "/queue": client.queue,
            "/history/a": lambda: client.history("a"),
            "/prompt": lambda: client.submit({}, "me", "a"),
            "/upload/image": lambda: client.upload(tmp_path / "a.png", "a.png"),
            "/system_stats": client.system_stats,
        }
        for path, ask in asked.items():
            with pytest.raises(ComfyError, match=f"{odd.url}{path} answered") as refused:
                ask()
            assert refused.value.error_class == "connection"


def test_what_no_database_takes_is_left_out_of_what_a_server_said() -> None:
    assert str(ComfyError("execution", "a\0b\ud800c")) == "a\ufffdb\ufffdc"


def test_an_answer_that_breaks_off_is_told_from_none() -> None:
    assert "broke off" in str(ComfyConnectionError("https://gpu", requests.exceptions.ChunkedEncodingError()))
