"""Defends technical artists: a mistake in a workflow is named by node and input before anything renders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary, read_template
from anime_pipeline_tests.rendering.contexts import ANCHOR, CUT, LIBRARY, MIKA, cut, inputs_of, recipe

RECORDED = Path(__file__).parents[3] / "shared" / "comfyui-contract" / "api-prompts"

GRAPH: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8}, "_meta": {"title": "Canvas"}},
    "2": {
        "class_type": "ImageAddNoise",
        "inputs": {"image": ["1", 0], "seed": 1},
        "_meta": {"title": "Noise"},
    },
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
}
SIDECAR: dict[str, Any] = {
    "description": "noise",
    "serves": ["still"],
    "output": "image",
    "slots": {
        "width": {"node": "Canvas", "input": "width"},
        "height": {"node": "Canvas", "input": "height"},
        "seed": {"node": "Noise", "input": "seed"},
        "output_prefix": {"node": "SaveImage", "input": "filename_prefix"},
    },
}


def written(folder: Path, graph: Any = GRAPH, name: str = "mine", **sidecar: Any) -> Path:
    (folder / f"{name}.json").write_text(json.dumps(graph))
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**SIDECAR, **sidecar}))
    return folder / f"{name}.json"


def with_slots(**slots: Any) -> dict[str, Any]:
    return {"slots": {name: slot for name, slot in {**SIDECAR["slots"], **slots}.items() if slot}}


def refusal(folder: Path, graph: Any = GRAPH, **sidecar: Any) -> str:
    with pytest.raises(TemplateError) as refused:
        read_template(written(folder, graph, **sidecar))
    return f"{refused.value} / {refused.value.remedy}"


@pytest.mark.parametrize("name", LIBRARY.names())
def test_every_shipped_template_fills_for_a_cut_that_it_serves(name: str) -> None:
    template = LIBRARY.get(name)
    figures = (MIKA.__class__(**{**MIKA.__dict__, "anchor_sha256s": (ANCHOR,)}),)
    for kind in template.sidecar.serves:
        composed = recipe(cut(kind=kind, workflow=name, figures=figures, duration_frames=16))
        for node in composed.workflow.values():
            for value in node["inputs"].values():
                assert not isinstance(value, list) or value[0] in composed.workflow


def test_wan_makes_4n_plus_1_frames_and_trims_to_the_cut() -> None:
    for frames, made in ((16, 17), (120, 121), (121, 121), (122, 125)):
        composed = recipe(cut(workflow="wan-video", duration_frames=frames))
        assert inputs_of(composed, "Latent Film")["length"] == made
        assert inputs_of(composed, "Trim")["length"] == frames


def test_an_optional_picture_goes_with_its_links_and_a_needed_one_is_asked_for() -> None:
    assert "start_image" not in inputs_of(recipe(cut(workflow="wan-video")), "Latent Film")
    with pytest.raises(TemplateError, match=r"input image of node “Start Picture”.*anchor"):
        recipe(cut(workflow="wan-i2v"))


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded graphs are not here")
def test_shipped_graphs_name_inputs_as_real_graphs_do() -> None:
    known: dict[str, set[str]] = {}
    for path in RECORDED.glob("*.json"):
        for node in json.loads(path.read_text()).values():
            known.setdefault(node["class_type"], set()).update(node["inputs"])
    checked = set()
    for name in LIBRARY:
        for node in LIBRARY.get(name).graph.values():
            if node["class_type"] in known:
                checked.add(node["class_type"])
                # Optional in all of them, and not linked in any recorded one.
                unseen = set(node["inputs"]) - known[node["class_type"]] - {"start_image"}
                assert not unseen, (name, node["class_type"])
    assert {
        "KSampler",
        "KSamplerAdvanced",
        "CheckpointLoaderSimple",
        "SaveVideo",
        "WanImageToVideo",
    } <= checked


def test_ui_format_is_recognised_and_refused_with_the_way_out(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4})
    assert "UI format" in said
    assert "Export (API)" in said


@pytest.mark.parametrize("graph", [[], {}, {"1": {"inputs": {}}}, {"prompt": GRAPH}, {"1": "KSampler"}])
def test_what_is_no_graph_is_refused(tmp_path: Path, graph: Any) -> None:
    assert "API format" in refusal(tmp_path, graph)


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"width": {"node": "Canvass", "input": "width"}}, "“Canvass”"),
        ({"sed": {"node": "Noise", "input": "seed"}}, "sed is no slot"),
        ({"seed": {"node": "Noise", "input": "image"}}, "input image of node “Noise” is a link"),
        ({"output_prefix": None}, "output_prefix"),
        ({"seed": {"node": "Noise", "inputs": "seed"}}, "slots.seed"),
        ({"seed": "Noise.seed"}, "must be a group of keys, not 'Noise.seed'"),
        ({"mood": {"node": "Noise", "input": "mood", "absent": "keep"}}, "no value for mood"),
        ({"mood": {"node": "Noise", "input": "mood", "multiple": 8}}, "mood is no whole number"),
        ({"height": {"node": "Canvas", "input": "width"}}, "input width of node “Canvas” has place for one"),
    ],
)
def test_a_mistake_in_the_sidecar_is_named(tmp_path: Path, slots: dict[str, Any], said: str) -> None:
    assert said in refusal(tmp_path, **with_slots(**slots))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "a\0b", "\ud800"])
def test_a_value_that_nothing_can_store_is_refused(tmp_path: Path, value: Any) -> None:
    graph = {**GRAPH, "9": {"class_type": "EmptyImage", "inputs": {"width": value}}}
    assert "not JSON that can be stored" in refusal(tmp_path, graph)


def test_a_sidecar_is_read_as_a_production_is(tmp_path: Path) -> None:
    """With its lines, each key once, and whatever an editor of Windows puts before it."""
    path = written(tmp_path)
    sidecar = path.with_suffix(".yaml")
    text = sidecar.read_text()
    sidecar.write_text("\ufeff" + text.replace("serves:\n- still\n", "serves: still\n"), encoding="utf-8")
    assert read_template(path).sidecar.serves == ("still",)
    for wrong, said in ((text + "\noutput: image\n", "output is given twice"), ("a: [", "not valid YAML")):
        sidecar.write_text(wrong)
        with pytest.raises(TemplateError, match=f"line [0-9]+, .*{said}"):
            read_template(path)
    sidecar.write_bytes(b"description: gr\xfcn\n")
    with pytest.raises(TemplateError, match="not UTF-8"):
        read_template(path)


def test_two_nodes_of_one_title_are_a_mistake_where_the_sidecar_means_one(tmp_path: Path) -> None:
    graph = {**GRAPH, "4": GRAPH["1"]}
    assert "2 nodes" in refusal(tmp_path, graph)


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ({"width": None}, "width of 640"),
        ({}, "cast of Mika"),
        ({"figures": {"node": "Noise", "input": "figures"}}, "location “harbour”"),
    ],
)
def test_what_the_cut_asks_for_needs_a_place(tmp_path: Path, slots: dict[str, Any], said: str) -> None:
    written(tmp_path, **with_slots(**slots))
    with pytest.raises(TemplateError) as refused:
        recipe(cut(kind="still", workflow="mine"), library=TemplateLibrary(tmp_path))
    assert said in str(refused.value)
    assert "slot" in str(refused.value.remedy)


def test_everything_without_a_place_is_told_at_once(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(TemplateError) as refused:
        recipe(cut(kind="still", workflow="mine"), library=TemplateLibrary(tmp_path))
    assert "the cast of Mika, Grandpa Toru, nor for the location “harbour”" in str(refused.value)
    assert "a slot figures or positive and a slot location or positive" in str(refused.value.remedy)


def test_a_template_for_stills_refuses_a_video(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(TemplateError, match="serves still cuts"):
        recipe(cut(workflow="mine"), library=TemplateLibrary(tmp_path))


def test_a_slot_that_nothing_fills_is_named_by_node_and_input(tmp_path: Path) -> None:
    written(tmp_path, **with_slots(background={"node": "Noise", "input": "backdrop"}))
    bare = cut(kind="still", workflow="mine", figures=(), location="")
    with pytest.raises(TemplateError, match=r"input backdrop of node “Noise” .*no background picture"):
        recipe(bare, library=TemplateLibrary(tmp_path))


def test_a_studios_own_template_wins_and_a_broken_one_harms_no_other(tmp_path: Path) -> None:
    written(tmp_path, name="animatic-video", serves=["video"])
    written(tmp_path, {"nodes": []}, name="broken")
    library = TemplateLibrary(tmp_path)
    assert library.get("animatic-video").graph == GRAPH
    assert library.get("animatic-still").sha256 == LIBRARY.get("animatic-still").sha256
    assert {"broken", "animatic-loop"} <= set(library.names())
    for _ in range(2):
        with pytest.raises(TemplateError, match="UI format"):
            library.get("broken")


def test_the_hash_of_a_template_is_of_what_it_says_and_not_of_its_spelling(tmp_path: Path) -> None:
    before = read_template(written(tmp_path)).sha256
    path = written(tmp_path, dict(reversed(GRAPH.items())))
    assert read_template(path).sha256 == before
    assert read_template(written(tmp_path, description="other")).sha256 != before


def test_the_words_of_a_sidecar_make_nothing_stale(tmp_path: Path) -> None:
    shipped = LIBRARY.get(CUT.workflow)
    sidecar = json.loads(shipped.sidecar.model_dump_json())
    path = written(tmp_path, shipped.graph, CUT.workflow, **{**sidecar, "description": "in other words"})
    own = recipe(library=TemplateLibrary(path.parent))
    assert own.template_sha256 != shipped.sha256
    assert own.recipe_hash == recipe().recipe_hash
