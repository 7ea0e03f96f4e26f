"""The model files that a graph names, by the folder of ComfyUI's `models` that they go into."""

from __future__ import annotations

from anime_pipeline.rendering.templates import Graph

MODEL_INPUTS = {
    "ckpt_name": "checkpoints",
    "unet_name": "diffusion_models",
    "vae_name": "vae",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "upscale_model_name": "upscale_models",
    "gligen_name": "gligen",
    "ipadapter_file": "ipadapter",
}
"""Input that names a model file → its folder."""

_BY_CLASS = {
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
    ("ADE_AnimateDiffLoaderGen1", "model_name"): "animatediff_models",
    ("ADE_LoadAnimateDiffModel", "model_name"): "animatediff_models",
}
"""Inputs whose folder hangs on the class of their node."""


def models_of(graph: Graph) -> dict[str, list[str]]:
    """The model files that a graph loads, by folder."""
    found: dict[str, set[str]] = {}
    for node in graph.values():
        for name, value in node["inputs"].items():
            folder = _BY_CLASS.get((node["class_type"], name), MODEL_INPUTS.get(name))
            if folder is not None and isinstance(value, str):
                found.setdefault(folder, set()).add(value)
            elif isinstance(value, dict) and value.get("on") and isinstance(value.get("lora"), str):
                found.setdefault("loras", set()).add(value["lora"])  # of the Power Lora Loader (rgthree)
    return {folder: sorted(names) for folder, names in sorted(found.items())}
