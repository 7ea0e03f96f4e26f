"""Defends a studio's own workflows: looked over before they are used, and then used like the shipped ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.model_files import models_of
from anime_pipeline.rendering.preflight import preflight
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary, read_template, title_of
from anime_pipeline.rendering.workflow_check import add_workflow, check_workflow, origin_of
from anime_pipeline.settings import Settings
from anime_pipeline_tests.rendering.contexts import LIBRARY
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.rendering.test_templates import GRAPH, with_slots, written

CONTRACT = Path(__file__).parents[3] / "shared" / "comfyui-contract"


def info(**classes: Any) -> dict[str, Any]:
    """An ``/object_info``: class → its required inputs."""
    return {name: {"input": {"required": required}} for name, required in classes.items()}


NOISE = info(
    EmptyImage={"width": ["INT", {}], "height": ["INT", {}]},
    ImageAddNoise={"image": ["IMAGE"], "seed": ["INT", {}], "strength": ["FLOAT", {}]},
    SaveImage={"images": ["IMAGE"], "filename_prefix": ["STRING", {}]},
)


def findings(path: Path, object_info: dict[str, Any] | None = None) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {"mistake": [], "remark": []}
    for one in check_workflow(read_template(path), object_info):
        assert one.remedy
        told[one.severity].append(one.message)
    return told


def test_the_animatics_are_whole_on_a_real_server(studio: Studio) -> None:
    object_info = ComfyClient(studio.server.url).object_info()
    for name in ("animatic-still", "animatic-loop", "animatic-video"):
        assert check_workflow(LIBRARY.get(name), object_info) == []


def test_every_missing_node_is_named_at_once(studio: Studio) -> None:
    object_info = ComfyClient(studio.server.url).object_info()
    told = [one.message for one in check_workflow(LIBRARY.get("sdxl-still-faceid"), object_info)]
    for kind in ("CheckpointLoaderSimple", "LoraLoader", "IPAdapterFaceID", "ControlNetApplyAdvanced"):
        assert any(kind in message for message in told)


def test_missing_and_unknown_inputs_are_named_with_their_node(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert findings(path, NOISE)["mistake"] == ["node “Noise” lacks its input strength"]
    renamed = {**NOISE, **info(EmptyImage={"breadth": ["INT", {}], "height": ["INT", {}]})}
    told = findings(path, renamed)["mistake"]
    assert "node “Canvas” lacks its input breadth" in told
    assert "node “Canvas” (EmptyImage) has no input width on the server" in told


def test_a_missing_model_is_a_mistake_unless_the_production_names_its_own(tmp_path: Path) -> None:
    graph: dict[str, Any] = {
        **GRAPH,
        "9": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "gone"}},
    }
    object_info = {**NOISE, **info(CheckpointLoaderSimple={"ckpt_name": [["here"], {}]})}
    path = written(tmp_path, graph)
    assert (
        "the server has no gone (node “CheckpointLoaderSimple”, input ckpt_name)"
        in (findings(path, object_info)["mistake"])
    )
    slot = {"node": "CheckpointLoaderSimple", "input": "ckpt_name", "absent": "keep"}
    path = written(tmp_path, graph, **with_slots(model=slot))
    assert any("gone" in message for message in findings(path, object_info)["remark"])


def test_inputs_of_dynamic_combos_and_open_ended_nodes_are_no_mistakes(tmp_path: Path) -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["2"]["inputs"] |= {"strength": 0.5, "mode.level": 3}
    graph["8"] = {"class_type": "Power Lora Loader (rgthree)", "inputs": {"lora_1": {"on": False}}}
    object_info: dict[str, Any] = {
        **copy.deepcopy(NOISE),
        "Power Lora Loader (rgthree)": {"input": {"optional": {}}},
    }
    object_info["ImageAddNoise"]["input"]["required"]["mode"] = ["COMFY_DYNAMICCOMBO_V3", {}]
    graph["2"]["inputs"]["mode"] = "fine"
    assert findings(written(tmp_path, graph), object_info) == {"mistake": [], "remark": []}


def test_a_second_node_that_saves_is_told_as_ignored(tmp_path: Path) -> None:
    graph: Any = json.loads(json.dumps(GRAPH))
    graph["4"] = {
        "class_type": "SaveImage",
        "inputs": {"images": ["1", 0], "filename_prefix": "canvas"},
        "_meta": {"title": "Save Canvas"},
    }
    graph["5"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    told = findings(written(tmp_path, graph))
    saved = title_of(graph["3"])
    assert told["mistake"] == []
    (remark,) = told["remark"]
    assert remark == (
        "node “Save Canvas” (node 4) saves too and gets no output_prefix: a take is what "
        f"“{saved}” (node 3) saves, and these files stay on the server, ignored"
    )


def test_what_would_be_rendered_for_nothing_is_a_mistake(tmp_path: Path) -> None:
    def said(graph: Any, node: str, name: str, **shapes: Any) -> list[str]:
        slot = {"node": node, "input": name}
        path = written(tmp_path, graph, **with_slots(output_prefix=slot))
        return [one.message for one in check_workflow(read_template(path), shapes or None)]

    alone = {**GRAPH, "4": {"class_type": "PrimitiveString", "inputs": {"value": ""}}}
    assert "no node that saves gets the output_prefix" in said(alone, "PrimitiveString", "value")[0]
    linked: Any = json.loads(json.dumps(alone))
    linked["3"]["inputs"]["filename_prefix"] = ["4", 0]
    assert said(linked, "PrimitiveString", "value") == []
    noise = {**NOISE, "ImageAddNoise": {**NOISE["ImageAddNoise"], "output_node": False}}
    assert any("no node that saves" in one for one in said(GRAPH, "Noise", "strength", **noise))
    film: Any = json.loads(json.dumps(GRAPH))
    film["3"] = {"class_type": "VHS_VideoCombine", "inputs": {"filename_prefix": "", "save_output": False}}
    assert "writes previews only" in said(film, "VHS_VideoCombine", "filename_prefix")[0]


def test_what_every_cut_has_needs_a_place(tmp_path: Path) -> None:
    path = written(tmp_path, serves=["still", "video"], **with_slots(width=None, seed=None))
    told = findings(path)
    for slot, kinds in {"width": "still or video", "frames": "video", "fps": "video"}.items():
        assert f"there is no slot {slot}, so that no {kinds} cut can be rendered" in told["mistake"]
    assert "there is no slot seed" in told["remark"][0]


def test_a_misspelt_input_is_remarked_upon_before_a_server_is_asked(tmp_path: Path) -> None:
    path = written(tmp_path, **with_slots(mood={"node": "Noise", "input": "moood"}))
    assert findings(path)["remark"] == ["node “Noise” has no input moood in the graph (slot mood)"]


def test_a_link_to_nowhere_needs_no_server_to_be_found(tmp_path: Path) -> None:
    graph = {**GRAPH, "2": {**GRAPH["2"], "inputs": {"image": ["77", 0], "seed": 1}}}
    assert (
        "input image of node “Noise” is linked to node 77" in findings(written(tmp_path, graph))["mistake"][0]
    )


@pytest.mark.skipif(not CONTRACT.is_dir(), reason="the recorded answers are not here")
@pytest.mark.parametrize("version", ["0.3.64", "0.33.0"])
def test_the_shipped_templates_fit_the_recorded_shapes_of_real_servers(version: str) -> None:
    shapes: dict[str, Any] = {}
    for path in (CONTRACT / version).glob("GET_object_info_*.json"):
        answer = json.loads(path.read_text())
        shapes |= answer.get("response", answer) if "input" not in answer else {path.stem: answer}
    assert {"KSampler", "SaveVideo"} <= set(shapes)
    for name in LIBRARY:
        for one in check_workflow(LIBRARY.get(name), shapes):
            if "has no node" not in one.message and one.severity == "mistake":
                raise AssertionError(f"{name}: {one.message}")


def test_an_added_workflow_is_found_and_renders(studio: Studio, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    graph = json.loads(json.dumps(GRAPH))
    graph["2"]["inputs"]["strength"] = 0.5
    graph["1"]["inputs"] |= {"batch_size": 1, "color": 0}
    path = written(source, graph, "grain")
    template = add_workflow(studio.settings, path)
    assert origin_of(studio.settings, "grain") == "own"
    assert TemplateLibrary.of(studio.settings).get("grain").sha256 == template.sha256
    data = stills(1, workflow="grain")
    data["episodes"][0]["scenes"][0] |= {"location": "", "cast": []}
    data["episodes"][0]["scenes"][0]["cuts"][0].pop("cast")
    studio.import_(data)
    assert [take.cut_key for take in studio.render().finished] == ["tiny.e01.s001.c0010"]
    assert studio.query("SELECT template_name FROM studio.recipes")[0].template_name == "grain"


def test_a_name_that_is_taken_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", workflows=tmp_path / "ours")
    source = tmp_path / "new"
    source.mkdir()
    add_workflow(settings, written(source, description="first"))
    with pytest.raises(TemplateError, match="already"):
        add_workflow(settings, written(source, description="second"))
    add_workflow(settings, written(source, description="second"), replace=True)
    assert TemplateLibrary.of(settings).get("mine").sidecar.description == "second"
    assert (tmp_path / "ours" / "mine.yaml").is_file()


def test_a_workflow_with_mistakes_is_not_added(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    source = tmp_path / "new"
    source.mkdir()
    graph = {**GRAPH, "2": {**GRAPH["2"], "inputs": {"image": ["77", 0], "seed": 1}}}
    for broken in (graph, {"nodes": [], "links": []}):
        with pytest.raises(TemplateError):
            add_workflow(settings, written(source, broken))
    assert not (tmp_path / "home").exists()


def test_an_input_that_grows_is_given_by_its_parts(tmp_path: Path) -> None:
    graph = json.loads(json.dumps(GRAPH))
    graph["2"]["inputs"]["strength"] = ["8", 0]
    graph["8"] = {"class_type": "ComfyMathExpression", "inputs": {"expression": "a", "values.a": 1}}
    shape = info(ComfyMathExpression={"expression": ["STRING"], "values": ["COMFY_AUTOGROW_V3", {}]})
    path = written(tmp_path, graph)
    assert findings(path, {**NOISE, **shape}) == {"mistake": [], "remark": []}
    preflight(read_template(path).graph, {**NOISE, **shape})


def test_model_files_are_known_by_the_folder_that_they_lie_in() -> None:
    loaders: dict[str, Any] = {
        "1": {"class_type": "CLIPVisionLoader", "inputs": {"clip_name": "vision"}},
        "2": {"class_type": "CLIPLoader", "inputs": {"clip_name": "umt5"}},
        "3": {"class_type": "ADE_AnimateDiffLoaderGen1", "inputs": {"model_name": "motion"}},
        "4": {
            "class_type": "Power Lora Loader (rgthree)",
            "inputs": {"lora_1": {"on": True, "lora": "ink"}, "lora_2": {"on": False, "lora": "off"}},
        },
    }
    assert models_of(loaders) == {
        "animatediff_models": ["motion"],
        "clip_vision": ["vision"],
        "loras": ["ink"],
        "text_encoders": ["umt5"],
    }


def test_what_only_some_cuts_need_is_a_remark() -> None:
    template = LIBRARY.get("sd15-still")
    lists = {"ckpt_name", "lora_name", "control_net_name"}
    object_info = info(
        **{
            node["class_type"]: {
                name: [["other.safetensors"]] if name in lists else ["ANY"] for name in node["inputs"]
            }
            for node in template.graph.values()
        }
    )
    del object_info["ControlNetApplyAdvanced"]
    told = check_workflow(template, object_info)
    assert {one.severity for one in told} == {"remark"}
    for_poses = [one.message for one in told if one.message.endswith("; only cuts with pose_image need it")]
    assert len(for_poses) == 2
    assert any("control_v11p_sd15_openpose_fp16.safetensors" in message for message in for_poses)
    assert any("no node ControlNetApplyAdvanced" in message for message in for_poses)
