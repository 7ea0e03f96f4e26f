"""The columns of ``generation_params``, read from a filled graph; what cannot be told stays NULL."""

from __future__ import annotations

from typing import Any

from anime_pipeline.rendering.recipes import Recipe
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.story.context import CutContext

_SAMPLERS = ("KSampler", "KSamplerAdvanced", "SamplerCustomAdvanced", "AnimaticShot")
_MODEL_NAMES = ("ckpt_name", "unet_name")


def generation_params(context: CutContext, recipe: Recipe, positive: str, negative: str) -> dict[str, Any]:
    """The row for a take, without its job id.

    Sampler and its settings are those of the first sampler upstream of the saved result; the model is the one
    that this sampler's ``model`` link leads to.
    """
    graph = recipe.workflow
    sampler = next((node for node in graph.values() if node["class_type"] in _SAMPLERS), None)
    inputs = sampler["inputs"] if sampler else {}
    return {
        "positive_prompt": positive,
        "negative_prompt": negative,
        "seed": recipe.seed,
        "model_name": _model(graph, sampler),
        "vae_name": next(iter(recipe.models.get("vae", [])), None),
        "sampler_name": _plain(inputs.get("sampler_name"), str),
        "scheduler": _plain(inputs.get("scheduler"), str),
        "steps": _plain(inputs.get("steps"), int),
        "cfg_scale": _plain(inputs.get("cfg"), float),
        "width": context.width,
        "height": context.height,
        "frame_count": 1 if context.kind == "still" else context.duration_frames,
        "fps": context.fps,
        "comfyui_workflow": graph,
    }


def _model(graph: Graph, sampler: dict[str, Any] | None) -> str:
    """The model file behind a sampler, through any chain of ``model`` links; else the sampler's own class."""
    node, seen = sampler, 0
    while node is not None and seen < len(graph):
        named = next(
            (node["inputs"][key] for key in _MODEL_NAMES if isinstance(node["inputs"].get(key), str)), None
        )
        if named is not None:
            return str(named)
        link = node["inputs"].get("model")
        node = graph.get(str(link[0])) if isinstance(link, list) and link else None
        seen += 1
    return str(sampler["class_type"]) if sampler else "unknown"


def _plain(value: Any, kind: type) -> Any:
    """A literal of this type; NULL for a link, which a later, deeper reading resolves."""
    if kind is float and isinstance(value, int):
        return float(value)
    return value if isinstance(value, kind) and not isinstance(value, bool) else None
