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
    "clip_name4": "text_encoders",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "style_model_name": "style_models",
    "upscale_model_name": "upscale_models",
    "gligen_name": "gligen",
    "ipadapter_file": "ipadapter",
    "audio_encoder_name": "audio_encoders",
    "hypernetwork_name": "hypernetworks",
    "photomaker_model_name": "photomaker",
}
"""Input that names a model file → its folder."""

_BY_CLASS = {
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
    ("ADE_AnimateDiffLoaderGen1", "model_name"): "animatediff_models",
    ("ADE_LoadAnimateDiffModel", "model_name"): "animatediff_models",
    ("ADE_AnimateDiffLoaderWithContext", "model_name"): "animatediff_models",
    ("LatentUpscaleModelLoader", "model_name"): "latent_upscale_models",
    ("FrameInterpolationModelLoader", "model_name"): "frame_interpolation",
    ("ModelPatchLoader", "name"): "model_patches",
}
"""Inputs whose folder hangs on the class of their node."""


def folder_of(class_type: str, name: str) -> str | None:
    """The folder that a node's input names a model file of; None for an input that names none."""
    return _BY_CLASS.get((class_type, name), MODEL_INPUTS.get(name))


def models_of(graph: Graph) -> dict[str, list[str]]:
    """The model files that a graph loads, by folder."""
    found: dict[str, set[str]] = {}
    for node in graph.values():
        for name, value in node["inputs"].items():
            folder = folder_of(node["class_type"], name)
            if folder is not None and isinstance(value, str):
                found.setdefault(folder, set()).add(value)
            elif isinstance(value, dict) and value.get("on") and isinstance(value.get("lora"), str):
                found.setdefault("loras", set()).add(value["lora"])  # of the Power Lora Loader (rgthree)
    return {folder: sorted(names) for folder, names in sorted(found.items())}
