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
}
"""Input that names a model file → its folder."""


def models_of(graph: Graph) -> dict[str, list[str]]:
    """The model files that a graph loads, by folder."""
    found: dict[str, set[str]] = {}
    for node in graph.values():
        for name, value in node["inputs"].items():
            if name in MODEL_INPUTS and isinstance(value, str):
                found.setdefault(MODEL_INPUTS[name], set()).add(value)
    return {folder: sorted(names) for folder, names in sorted(found.items())}
