"""Defends that the preview server answers as recorded ComfyUI servers did: status, errors, messages, fields.

The recordings are no part of the product; where they are absent these tests are skipped, and the other test
modules of this folder hold the same behaviour with assertions of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from anime_pipeline_tests.preview.client import Client, shot_graph
from anime_pipeline_tests.preview.conftest import Artist
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server

_GIVEN = os.environ.get("ANIME_COMFYUI_RECORDINGS")
_BESIDE = sorted(Path(__file__).parents[3].glob("*/comfyui-contract"))  # beside the repository
RECORDINGS = Path(_GIVEN) if _GIVEN else _BESIDE[0] if _BESIDE else Path("no-recordings")
VERSIONS = ("0.33.0", "0.3.64")

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recorded exchanges here")


def recorded(version: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RECORDINGS / version / f"{name}.json").read_text())
    return content


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(tmp_path: Path, version: str) -> Iterator[RunningServer]:
    """A server as strict about ids as the recorded version was."""
    with running_preview_server(tmp_path, strict_prompt_ids=version == "0.33.0") as running:
        yield running


def shape(value: Any, *, hide: frozenset[str] = frozenset()) -> Any:
    """Names and types, without the values: what a client can rely on."""
    if isinstance(value, dict):
        return {key: "..." if key in hide else shape(one, hide=hide) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one, hide=hide) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def keyed(entries: dict[str, Any]) -> Any:
    """The only value of a mapping whose key is the prompt's id."""
    (entry,) = entries.values()
    return entry


def plain_graph(message: dict[str, Any]) -> dict[str, Any]:
    """A message with its free texts hidden; the order of executed nodes is not part of the contract."""
    data = dict(message["data"])
    for name in ("traceback", "exception_message", "current_inputs", "current_outputs", "executed"):
        if name in data:
            data[name] = sorted(data[name]) if name == "current_inputs" else "..."
    return {"type": message["type"], "data": shape(data)}


@pytest.mark.parametrize(
    "name", ["success_modelfree", "success_all_cached", "partial_validation_200", "runtime_error"]
)
def test_messages_and_history_have_the_recorded_shape(served: RunningServer, version: str, name: str) -> None:
    record = recorded(version, name)
    body = record["request"]
    if name == "success_all_cached":
        with Client(served.url) as first:
            first.render(body["prompt"])
    with Client(served.url, body["client_id"]) as client:
        answer = requests.post(f"{served.url}/prompt", json=body, timeout=20)
        assert answer.status_code == record["status"]
        assert shape(answer.json()) == shape(record["response"])
        assert answer.json()["node_errors"] == record["response"]["node_errors"]
        prompt_id = answer.json()["prompt_id"]
        messages = [client.greeting, *client.messages_until_end(prompt_id)]
        entry = client.get(f"/history/{prompt_id}")
    assert [plain_graph(one) for one in messages] == [plain_graph(one) for one in record["ws"]]
    ours, theirs = keyed(entry), keyed(record["history"])
    if version == "0.3.64":
        del ours["prompt"][3]["create_time"]  # newer than that version
    hide = frozenset({"traceback", "current_inputs", "current_outputs", "executed"})
    assert shape(ours, hide=hide) == shape(theirs, hide=hide)


def test_a_prompt_without_outputs_is_refused_as_recorded(served: RunningServer, version: str) -> None:
    record = recorded(version, "no_outputs_400")
    answer = requests.post(f"{served.url}/prompt", json=record["request"], timeout=20)
    assert (answer.status_code, answer.json()) == (record["status"], record["response"])


@pytest.mark.parametrize("version", ["0.33.0"], indirect=True)
def test_an_unknown_node_is_refused_as_recorded(served: RunningServer, version: str) -> None:
    record = recorded(version, "unknown_node_400")
    answer = requests.post(f"{served.url}/prompt", json=record["request"], timeout=20)
    assert (answer.status_code, answer.json()) == (record["status"], record["response"])


def test_a_prompt_id_that_is_no_uuid_is_judged_as_recorded(served: RunningServer, version: str) -> None:
    record = recorded(version, "bad_prompt_id")
    answer = requests.post(f"{served.url}/prompt", json=record["request"], timeout=20)
    assert answer.status_code == record["status"]
    assert shape(answer.json()) == shape(record["response"])
    if record["status"] == 400:
        assert answer.json()["error"]["type"] == record["response"]["error"]["type"]
    else:
        assert answer.json()["prompt_id"] == record["response"]["prompt_id"]


def test_a_value_that_is_not_in_its_list_is_reported_with_the_recorded_fields(
    served: RunningServer, version: str
) -> None:
    record = recorded(version, "missing_model_400")["response"]
    answer = requests.post(
        f"{served.url}/prompt", json={"prompt": shot_graph(kind="opera")}, timeout=20
    ).json()
    assert answer["error"] == record["error"]
    ours, theirs = keyed(answer["node_errors"]), keyed(record["node_errors"])
    assert set(ours) == set(theirs)
    (our_error,), (their_error,) = ours["errors"], theirs["errors"]
    assert our_error["type"] == their_error["type"]
    assert our_error["message"] == their_error["message"]
    assert set(our_error["extra_info"]) == set(their_error["extra_info"])
    assert our_error["details"] == "kind: 'opera' not in ['still', 'loop', 'video']"


def test_an_interrupted_prompt_ends_as_recorded(served: RunningServer, version: str, artist: Artist) -> None:
    record = recorded(version, "interrupted")
    artist.hold_at = 2
    with Client(served.url) as client:
        prompt_id = client.post(shot_graph(length=9)).json()["prompt_id"]
        assert artist.held.wait(20)
        running = client.get("/queue")["queue_running"]
        interrupt = client.post_to("/interrupt")
        artist.go_on.set()
        messages = client.messages_until_end(prompt_id)
        entry = keyed(client.get(f"/history/{prompt_id}"))
    assert interrupt.status_code == record["during"]["interrupt"]
    assert [len(item) for item in running] == [len(i) for i in record["during"]["queue"]["queue_running"]]
    assert [plain_graph(one) for one in messages[-3:]] == [plain_graph(one) for one in record["ws"][-3:]]
    theirs = keyed(record["history"])
    assert entry["outputs"] == theirs["outputs"]
    assert entry["meta"] == theirs["meta"]
    assert shape(entry["status"], hide=frozenset({"executed"})) == shape(
        theirs["status"], hide=frozenset({"executed"})
    )


def test_a_multi_step_node_reports_progress_as_recorded(
    served: RunningServer, version: str, artist: Artist
) -> None:
    record = recorded(version, "success_ksampler")["ws"]
    with Client(served.url) as client:
        prompt_id = client.post(shot_graph(length=3)).json()["prompt_id"]
        messages = client.messages_until_end(prompt_id)
    ours = [one for one in messages if one["type"] == "progress"]
    theirs = next(one for one in record if one["type"] == "progress")
    assert [one["data"]["value"] for one in ours] == [1, 2, 3]
    assert all(plain_graph(one) == plain_graph(theirs) for one in ours)
    before = messages[messages.index(ours[0]) - 1]
    assert before["type"] == record[record.index(theirs) - 1]["type"] == "progress_state"


@pytest.mark.parametrize("path", ["prompt", "queue"])
def test_a_quiet_server_answers_as_recorded(served: RunningServer, version: str, path: str) -> None:
    assert requests.get(f"{served.url}/{path}", timeout=20).json() == recorded(version, f"GET_{path}")


def test_what_the_server_says_about_itself_has_the_recorded_fields(
    served: RunningServer, version: str
) -> None:
    stats = requests.get(f"{served.url}/system_stats", timeout=20).json()
    theirs = recorded(version, "GET_system_stats")
    newer = {"comfy_package_versions", "deploy_environment"}
    assert set(theirs["system"]) - newer <= set(stats["system"])
    assert set(stats["devices"][0]) == set(theirs["devices"][0])
    features = requests.get(f"{served.url}/features", timeout=20).json()
    assert features["max_upload_size"] == recorded(version, "GET_features")["max_upload_size"]
    folders = requests.get(f"{served.url}/models", timeout=20).json()
    assert set(folders) <= set(json.loads((RECORDINGS / version / "GET_models.json").read_text()))


def test_object_info_declares_save_video_as_recorded(served: RunningServer, version: str) -> None:
    ours = requests.get(f"{served.url}/object_info/SaveVideo", timeout=20).json()["SaveVideo"]
    theirs = recorded(version, "GET_object_info_SaveVideo")["SaveVideo"]
    for name in ("name", "display_name", "output_node"):
        assert ours[name] == theirs[name]
    for name in ("video", "filename_prefix"):
        assert ours["input"]["required"][name] == theirs["input"]["required"][name]
    assert ours["input"]["hidden"] == theirs["input"]["hidden"]
    needed = set(theirs["input_order"]["required"]) | {"codec"}
    assert needed == set(ours["input_order"]["required"]) | set(ours["input_order"]["optional"])
