"""Defends the reading of graphs: each kind of node that carries a parameter, long chains, hostile graphs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.rendering.extraction.arithmetic import work_out
from anime_pipeline.rendering.extraction.parameters import extract
from anime_pipeline.rendering.extraction.used import ControlNet, Lora

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def still(**changed: Any) -> Graph:
    """A KSampler on a checkpoint; ``changed`` inputs of the sampler."""
    sampler = {
        "seed": 7, "steps": 20, "cfg": 6.5, "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0,
        "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], **changed,
    }  # fmt: skip
    return {
        "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
        "2": node("CLIPTextEncode", text="a fox", clip=["1", 1]),
        "3": node("CLIPTextEncode", text="blur", clip=["1", 1]),
        "4": node("EmptyLatentImage", width=640, height=360, batch_size=1),
        "5": node("KSampler", **sampler),
        "6": node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": node("SaveImage", images=["6", 0], filename_prefix="x"),
    }


def main_of(graph: Graph) -> Any:
    sampler = extract(graph).main_sampler
    assert sampler is not None
    return sampler


def test_a_plain_still() -> None:
    main = main_of(still())
    assert (main.seed, main.steps, main.cfg, main.sampler_name, main.scheduler) == (
        7,
        20,
        6.5,
        "euler",
        "karras",
    )
    assert (main.model, main.positive, main.negative) == ("base.safetensors", "a fox", "blur")
    assert (main.width, main.height, main.frames) == (640, 360, None)
    assert extract(still()).vae is None


def test_loras_stand_in_the_order_in_which_they_are_applied_and_those_switched_off_are_left_out() -> None:
    graph = still(model=["12", 0])
    graph["2"]["inputs"]["clip"] = ["12", 1]
    graph["10"] = node(
        "LoraLoader", lora_name="mika", strength_model=0.8, strength_clip=0.5, model=["1", 0], clip=["1", 1]
    )
    graph["11"] = node("LoraLoaderModelOnly", lora_name="style", strength_model=0.3, model=["10", 0])
    graph["12"] = node(
        "Power Lora Loader (rgthree)",
        lora_2={"on": True, "lora": "rain", "strength": 0.4, "strengthTwo": 0.1},
        lora_1={"on": True, "lora": "ink", "strength": 0.6, "strengthTwo": None},
        lora_3={"on": False, "lora": "off", "strength": 1},
        lora_10={"on": True, "lora": "last", "strength": 1},
        model=["11", 0],
        clip=["10", 1],
    )
    assert main_of(graph).loras == (
        Lora("mika", 0.8, 0.5),
        Lora("style", 0.3, None),
        Lora("ink", 0.6, 0.6),
        Lora("rain", 0.4, 0.1),
        Lora("last", 1.0, 1.0),
    )


def test_controlnets_of_both_kinds_with_their_loaders() -> None:
    graph = still(positive=["22", 0], negative=["22", 1])
    graph["20"] = node("ControlNetLoader", control_net_name="pose")
    graph["21"] = node("ControlNetApply", strength=0.5, conditioning=["2", 0], control_net=["20", 0])
    graph["23"] = node("SetUnionControlNetType", type="canny", control_net=["24", 0])
    graph["24"] = node("ControlNetLoader", control_net_name="union")
    graph["22"] = node(
        "ControlNetApplyAdvanced", strength=0.7, start_percent=0.1, end_percent=0.9, positive=["21", 0],
        negative=["3", 0], control_net=["23", 0],
    )  # fmt: skip
    main = main_of(graph)
    assert main.controlnets == (ControlNet("pose", 0.5, None, None), ControlNet("union", 0.7, 0.1, 0.9))
    assert (main.positive, main.negative) == ("a fox", "blur")


def test_ipadapters_with_their_presets_and_files() -> None:
    graph = still(model=["31", 0])
    graph["30"] = node(
        "IPAdapterUnifiedLoaderFaceID", preset="FACEID PLUS V2", lora_strength=0.6, model=["1", 0]
    )
    graph["32"] = node(
        "IPAdapterFaceID", weight=0.8, weight_faceidv2=1.2, weight_type="linear", combine_embeds="concat",
        start_at=0.0, end_at=0.9, embeds_scaling="V only", model=["30", 0], ipadapter=["30", 1],
    )  # fmt: skip
    graph["33"] = node("IPAdapterModelLoader", ipadapter_file="ip-plus.safetensors")
    graph["31"] = node(
        "IPAdapterAdvanced", weight=0.5, weight_type="style transfer", combine_embeds="average", start_at=0.2,
        end_at=1.0, embeds_scaling="K+V", model=["32", 0], ipadapter=["33", 0],
    )  # fmt: skip
    main = main_of(graph)
    face, style = main.ipadapters
    assert (face.class_type, face.model, face.weight, face.weight_faceidv2) == (
        "IPAdapterFaceID", "FACEID PLUS V2", 0.8, 1.2,
    )  # fmt: skip
    assert (style.model, style.weight_faceidv2, style.start_at, style.embeds_scaling) == (
        "ip-plus.safetensors", None, 0.2, "K+V",
    )  # fmt: skip
    assert main.model == "base.safetensors"


@pytest.mark.parametrize("generation", [1, 2])
def test_an_animatediff_loop_has_as_many_frames_as_its_latent_has_pictures(generation: int) -> None:
    graph = still(model=["40", 0])
    graph["4"]["inputs"]["batch_size"] = 16
    if generation == 1:
        graph["40"] = node("ADE_AnimateDiffLoaderGen1", model_name="motion.ckpt", model=["1", 0])
    else:
        graph["40"] = node("ADE_UseEvolvedSampling", model=["1", 0], m_models=["41", 0])
        graph["41"] = node("ADE_ApplyAnimateDiffModelSimple", motion_model=["42", 0])
        graph["42"] = node("ADE_LoadAnimateDiffModel", model_name="motion.ckpt")
    graph["7"] = node("VHS_VideoCombine", images=["6", 0], filename_prefix="x", frame_rate=12)
    found = extract(graph)
    assert found.main_sampler is not None
    assert (found.main_sampler.motion_model, found.main_sampler.model) == ("motion.ckpt", "base.safetensors")
    assert (found.frames, found.fps) == (16, 12.0)


def test_a_custom_sampler_has_its_settings_in_nodes_of_their_own() -> None:
    graph = still()
    graph["5"] = node(
        "SamplerCustomAdvanced", noise=["50", 0], guider=["51", 0], sampler=["52", 0], sigmas=["53", 0],
        latent_image=["4", 0],
    )  # fmt: skip
    graph["50"] = node("RandomNoise", noise_seed=2**64 - 1)
    graph["51"] = node("CFGGuider", cfg=4, model=["1", 0], positive=["2", 0], negative=["3", 0])
    graph["52"] = node("KSamplerSelect", sampler_name="dpmpp_2m")
    graph["53"] = node("SplitSigmas", sigmas=["54", 0], step=3)
    graph["54"] = node("BasicScheduler", scheduler="beta", steps=26, denoise=0.6, model=["1", 0])
    main = main_of(graph)
    assert (main.seed, main.cfg, main.sampler_name) == (2**64 - 1, 4.0, "dpmpp_2m")
    assert (main.scheduler, main.steps, main.denoise) == ("beta", 26, 0.6)
    assert (main.model, main.positive, main.negative) == ("base.safetensors", "a fox", "blur")


def test_the_wan_size_nodes_and_a_film_that_is_trimmed() -> None:
    graph = still(latent_image=["60", 2], positive=["60", 0], negative=["60", 1])
    graph["60"] = node(
        "WanFirstLastFrameToVideo", width=832, height=480, length=17, batch_size=1, positive=["2", 0],
        negative=["3", 0],
    )  # fmt: skip
    graph["61"] = node("ImageFromBatch", image=["6", 0], batch_index=0, length=16)
    graph["62"] = node("CreateVideo", images=["61", 0], fps=["63", 0])
    graph["63"] = node("PrimitiveFloat", value=16.0)
    graph["7"] = node("SaveVideo", video=["62", 0], filename_prefix="x")
    found = extract(graph)
    assert found.main_sampler is not None
    assert (found.main_sampler.width, found.main_sampler.frames) == (832, 17)
    assert (found.frames, found.fps) == (16, 16.0)
    assert (found.main_sampler.positive, found.main_sampler.negative) == ("a fox", "blur")


def test_the_recipe_that_goes_on_from_another_latent_is_told_by_its_first_sampler() -> None:
    graph = still(latent_image=["70", 0], denoise=0.4, seed=99)
    graph["70"] = node(
        "LatentUpscale", samples=["71", 0], upscale_method="nearest-exact", width=1280, height=720
    )
    graph["71"] = dict(still()["5"])
    found = extract(graph)
    assert [(one.seed, one.denoise) for one in found.samplers] == [(7, 1.0), (99, 0.4)]
    assert found.main == 0


@given(st.lists(st.sampled_from(["reroute", "on", "off", "math", "primitive"]), max_size=40))
def test_a_value_comes_through_any_chain_of_links(chain: list[str]) -> None:
    graph = still(steps=["p0:0", 0])
    for place, kind in enumerate(chain):
        onward = [f"p0:{place + 1}", 0]
        graph[f"p0:{place}"] = {
            "reroute": node("Reroute", **{"": onward}),
            "on": node("ComfySwitchNode", switch=True, on_true=onward, on_false=3),
            "off": node("ComfySwitchNode", switch=["no", 0], on_true=3, on_false=onward),
            "math": node("ComfyMathExpression", expression="a + 1", **{"values.a": onward}),
            "primitive": node("PrimitiveInt", value=onward),
        }[kind]
    graph["no"] = node("PrimitiveBoolean", value=False)
    graph[f"p0:{len(chain)}"] = node("PrimitiveInt", value=11)
    assert main_of(graph).steps == 11 + chain.count("math")


def test_chains_longer_than_any_stack() -> None:
    graph = still(steps=["r0", 0], model=["m0", 0])
    for place in range(5000):
        graph[f"r{place}"] = node("Reroute", **{"": [f"r{place + 1}", 0]})
        graph[f"m{place}"] = node(
            "LoraLoaderModelOnly", lora_name=f"l{place}", strength_model=1, model=[f"m{place + 1}", 0]
        )
    graph["r5000"], graph["m5000"] = node("PrimitiveInt", value=5), graph["1"]
    main = main_of(graph)
    assert (main.steps, main.model, len(main.loras)) == (5, "base.safetensors", 5000)


_KINDS = [
    "KSampler", "SamplerCustomAdvanced", "CFGGuider", "Reroute", "ComfySwitchNode", "ComfyMathExpression",
    "LoraLoader", "ControlNetApplyAdvanced", "IPAdapterAdvanced", "ADE_UseEvolvedSampling", "VAEDecode",
    "SaveImage", "CLIPTextEncode", "StringConcatenate", "LatentUpscale", "PrimitiveInt", "ImpactSwitch",
]  # fmt: skip
_INPUTS = [
    "model", "positive", "negative", "latent_image", "samples", "guider", "noise", "sigmas", "sampler",
    "control_net", "clip", "vae", "switch", "on_true", "on_false", "values.a", "string_a", "string_b", "text",
    "ipadapter", "m_models", "conditioning", "images", "value", "expression", "filename_prefix", "steps",
    "seed", "select", "input1", "width", "height", "lora_name", "ckpt_name",
]  # fmt: skip
_LITERALS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph at all: links to anywhere, cycles, literals of the wrong type."""
    ids = [str(number) for number in range(draw(st.integers(1, 8)))]
    value = st.one_of(st.tuples(st.sampled_from([*ids, "nowhere"]), st.integers(-1, 3)).map(list), _LITERALS)
    inputs = st.dictionaries(st.sampled_from(_INPUTS), value, max_size=6)
    return {one: node(draw(st.sampled_from(_KINDS)), **draw(inputs)) for one in ids}


@settings(max_examples=300)
@given(graphs())
def test_no_graph_hangs_or_breaks_the_reading(graph: Graph) -> None:
    found = extract(graph)
    assert found.main is None or found.main < len(found.samplers)


@settings(max_examples=60)
@given(st.permutations(list(range(1, 8))), st.randoms(use_true_random=False))
def test_ids_and_the_order_of_a_file_mean_nothing(numbers: list[int], random: Any) -> None:
    graph = still(steps=["9", 0])
    graph["9"] = node("PrimitiveInt", value=12)
    graph["8"] = node("PreviewImage", images=["6", 0])
    names = {old: f"90:{numbers[place % 7]}{old}" for place, old in enumerate(graph)}
    renamed = {
        names[old]: node(
            one["class_type"],
            **{
                name: [names[value[0]], value[1]] if isinstance(value, list) else value
                for name, value in one["inputs"].items()
            },
        )
        for old, one in graph.items()
    }
    shuffled = list(renamed.items())
    random.shuffle(shuffled)
    assert extract(dict(shuffled)) == extract(graph)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("floor (a * b + 1)", 81),
        ("min(abs(b), 16) * a", 80.0),
        ("a ** 2 if a > b else -a", -5),
        ("round(a / 2)", 2),
        ("pow(a, 3)", 125),
        ("a +", None),
        ("missing", None),
        ("a / 0", None),
        ("9 ** 9 ** 9", None),
        ("__import__('os')", None),
        ("(1).__class__", None),
        ("[1 for x in a]", None),
        ("1e999", None),
        ("sqrt(-1)", None),
    ],
)
def test_expressions_are_worked_out_and_never_run(expression: str, found: float | None) -> None:
    assert work_out(expression, {"a": 5, "b": 16}) == found
