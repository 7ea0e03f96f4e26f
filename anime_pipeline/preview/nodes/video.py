"""ComfyUI's nodes that make a video of pictures and save it."""

from __future__ import annotations

from typing import Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.frames import Film
from anime_pipeline.preview.nodes.base import InputTypes, Node, NodeResult, RunContext, spec
from anime_pipeline.preview.nodes.encoding import save_mp4


class CreateVideo(Node):
    class_type = "CreateVideo"
    display_name = "Create Video"
    description = "Pictures with a frame rate. The preview server makes silent films: audio is refused."
    category = "video"
    outputs = (("VIDEO", "VIDEO"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "images": spec("IMAGE"),
                "fps": spec("FLOAT", default=30.0, min=1.0, max=120.0, step=1.0),
            },
            "optional": {"audio": spec("AUDIO"), "bit_depth": spec("INT", default=8, min=8, max=10, step=2)},
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        if inputs.get("audio") is not None:
            raise ValueError(
                "the preview server makes films without sound; leave the input audio unconnected"
            )
        return NodeResult((Film(inputs["images"], inputs["fps"]),))


class SaveVideo(Node):
    class_type = "SaveVideo"
    display_name = "Save Video"
    description = "The video as H.264 in mp4. Frames are drawn and encoded one after the other."
    category = "video"
    is_output = True

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "video": spec("VIDEO"),
                "filename_prefix": spec("STRING", default="video/ComfyUI", multiline=False),
                "format": spec("COMBO", default="auto", multiselect=False, options=["auto", "mp4"]),
            },
            "optional": {
                "codec": spec("COMBO", default="auto", multiselect=False, options=["auto", "h264"]),
            },
            "hidden": {"prompt": spec("PROMPT"), "extra_pnginfo": spec("EXTRA_PNGINFO")},
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        film: Film = inputs["video"]
        width, height = film.frames.width, film.frames.height
        name = context.folders.next_output(inputs["filename_prefix"], ".mp4", width, height)
        save_mp4(name.path, context.watch(film.frames), width=width, height=height, fps=film.fps)
        return NodeResult(ui={"images": [name.as_output()], "animated": [True]})
