"""The row of ``generation_params`` for a take: what its graph says, in the columns that clients read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from anime_pipeline.rendering.extraction.parameters import Parameters, extract
from anime_pipeline.rendering.recipes import Recipe
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.story.context import CutContext


def generation_params(context: CutContext, recipe: Recipe, positive: str, negative: str) -> dict[str, Any]:
    """The row for a take, without its job id; what the graph leaves open is as the cut has it.

    The prompts are the cut's, also where the graph takes them apart.
    """
    return {
        **graph_params(recipe.workflow, extract(recipe.workflow)),
        "positive_prompt": positive,
        "negative_prompt": negative,
        "seed": recipe.seed,
        "width": context.width,
        "height": context.height,
        "frame_count": context.rendered_frames,
        "fps": context.fps,
    }


def graph_params(graph: Graph, parameters: Parameters) -> dict[str, Any]:
    """The columns as the graph alone has them: those of its main sampler, None for what cannot be told.

    A graph without a model file is named by what draws in its place.
    """
    main = parameters.main_sampler
    row: dict[str, Any] = {"comfyui_workflow": graph, "vae_name": parameters.vae}
    row["frame_count"] = parameters.frames or 1
    row["fps"] = round(parameters.fps) if parameters.fps is not None else None
    if main is None:
        return {**row, "positive_prompt": "", "seed": 0, "model_name": "unknown"}
    return {
        **row,
        "positive_prompt": main.positive or "",
        "negative_prompt": main.negative,
        "seed": main.seed or 0,
        "model_name": main.model or main.class_type,
        "sampler_name": main.sampler_name,
        "scheduler": main.scheduler,
        "steps": main.steps,
        "cfg_scale": main.cfg,
        "width": main.width,
        "height": main.height,
        "batch_size": main.batch_size or 1,
        "lora_models": [asdict(one) for one in main.loras],
        "controlnet_configs": [asdict(one) for one in main.controlnets],
        "ipadapter_refs": [asdict(one) for one in main.ipadapters],
    }
