"""ComfyUI's nodes for pictures that need no model: make one, add noise, load, save."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.frames import Frames, Pixels
from anime_pipeline.preview.nodes.base import InputTypes, Node, NodeResult, RunContext, spec
from anime_pipeline.preview.nodes.encoding import save_png, save_webp
from anime_pipeline.preview.nodes.pictures import picture_problem, picture_sha256, read_rgba

MAX_SIDE = 16384
MAX_SEED = 0xFFFFFFFFFFFFFFFF


class EmptyImage(Node):
    class_type = "EmptyImage"
    display_name = "EmptyImage"
    description = "Pictures of one colour."
    outputs = (("IMAGE", "IMAGE"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "width": spec("INT", default=512, min=1, max=MAX_SIDE, step=1),
                "height": spec("INT", default=512, min=1, max=MAX_SIDE, step=1),
                "batch_size": spec("INT", default=1, min=1, max=4096),
                "color": spec("INT", default=0, min=0, max=0xFFFFFF, step=1, display="color"),
            }
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        color, shape = inputs["color"], (inputs["height"], inputs["width"], 3)
        rgb = np.array([color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF], dtype=np.uint8)
        picture = np.broadcast_to(rgb, shape)
        return NodeResult((Frames.of(np.broadcast_to(picture, (inputs["batch_size"], *shape))),))


class ImageAddNoise(Node):
    class_type = "ImageAddNoise"
    display_name = "ImageAddNoise"
    description = "Gaussian noise from a seed on every picture."
    outputs = (("IMAGE", "IMAGE"),)

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "image": spec("IMAGE"),
                "seed": spec("INT", default=0, min=0, max=MAX_SEED, control_after_generate=True),
                "strength": spec("FLOAT", default=0.5, min=0.0, max=1.0, step=0.01),
            }
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        image: Frames = inputs["image"]
        seed, strength = inputs["seed"], 255.0 * inputs["strength"]

        def noisy(frames: Iterable[Pixels]) -> Iterator[Pixels]:
            random = np.random.Generator(np.random.PCG64(seed))
            for frame in frames:
                noise = random.standard_normal(frame.shape, dtype=np.float32)
                yield np.clip(np.rint(frame + noise * strength), 0, 255).astype(np.uint8)

        return NodeResult((image.map(noisy),))


class LoadImage(Node):
    class_type = "LoadImage"
    display_name = "Load Image"
    description = "An uploaded picture and its mask (1 where the picture is transparent)."
    outputs = (("IMAGE", "IMAGE"), ("MASK", "MASK"))

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {"required": {"image": spec(folders.inputs(), image_upload=True)}}

    @classmethod
    def checked_inputs(cls) -> frozenset[str]:
        return frozenset({"image"})

    @classmethod
    def check(cls, folders: Folders, inputs: Mapping[str, Any]) -> dict[str, str]:
        problem = picture_problem(folders, inputs["image"]) if "image" in inputs else None
        return {"image": problem} if problem else {}

    @classmethod
    def fingerprint(cls, folders: Folders, inputs: Mapping[str, Any]) -> str:
        return picture_sha256(folders, str(inputs.get("image")))

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        rgba = read_rgba(context.folders, inputs["image"])
        mask = 1.0 - rgba[None, :, :, 3].astype(np.float32) / 255.0
        return NodeResult((Frames.of(np.ascontiguousarray(rgba[None, :, :, :3])), mask))


class SaveImage(Node):
    class_type = "SaveImage"
    display_name = "Save Image"
    description = "Each picture as a PNG that carries its graph."
    is_output = True

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {"images": spec("IMAGE"), "filename_prefix": spec("STRING", default="ComfyUI")},
            "hidden": {"prompt": spec("PROMPT"), "extra_pnginfo": spec("EXTRA_PNGINFO")},
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        images: Frames = inputs["images"]
        prefix, saved = inputs["filename_prefix"], []
        for number, frame in enumerate(context.watch(images)):
            name = context.folders.next_output(
                prefix.replace("%batch_num%", str(number)), ".png", images.width, images.height
            )
            save_png(name.path, frame, context.prompt, context.extra_pnginfo)
            saved.append(name.as_output())
        return NodeResult(ui={"images": saved})


class SaveAnimatedWEBP(Node):
    class_type = "SaveAnimatedWEBP"
    display_name = "SaveAnimatedWEBP"
    description = "All pictures as one animated WebP."
    category = "image/animation"
    is_output = True

    @classmethod
    def input_types(cls, folders: Folders) -> InputTypes:
        return {
            "required": {
                "images": spec("IMAGE"),
                "filename_prefix": spec("STRING", default="ComfyUI"),
                "fps": spec("FLOAT", default=6.0, min=0.01, max=1000.0, step=0.01),
                "lossless": spec("BOOLEAN", default=True),
                "quality": spec("INT", default=80, min=0, max=100),
                "method": spec(["default", "fastest", "slowest"]),
            },
            "hidden": {"prompt": spec("PROMPT"), "extra_pnginfo": spec("EXTRA_PNGINFO")},
        }

    def run(self, context: RunContext, **inputs: Any) -> NodeResult:
        images: Frames = inputs["images"]
        name = context.folders.next_output(inputs["filename_prefix"], ".webp", images.width, images.height)
        save_webp(
            name.path,
            context.watch(images),
            fps=inputs["fps"],
            lossless=inputs["lossless"],
            quality=inputs["quality"],
            method={"default": 4, "fastest": 0, "slowest": 6}[inputs["method"]],
        )
        return NodeResult(ui={"images": [name.as_output()], "animated": [images.count != 1]})
