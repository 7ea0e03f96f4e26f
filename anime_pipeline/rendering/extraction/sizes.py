"""The size of what a sampler starts from."""

from __future__ import annotations

from dataclasses import dataclass

from anime_pipeline.rendering.extraction.links import Links, Node

_ONWARD = ("latent_image", "samples", "latent", "latents")
_FRAMES = ("length", "num_frames", "video_frames")


@dataclass(frozen=True)
class Size:
    """Pixels and frames; None where only a running server knows (a loaded picture)."""

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    batch_size: int | None = None


def size_of(links: Links, node: Node) -> Size:
    """The size that the latent of a sampler is made with: of the first node towards it that has one."""
    seen: set[str] = set()
    while True:
        if {"width", "height"} <= set(node["inputs"]):
            frames = next((f for name in _FRAMES if (f := links.whole(node, name)) is not None), None)
            return Size(
                links.whole(node, "width"),
                links.whole(node, "height"),
                frames,
                links.whole(node, "batch_size"),
            )
        onward = next((link for name in _ONWARD if (link := links.maker(node, name)) is not None), None)
        if onward is None or onward[0] in seen:
            return Size()
        seen.add(onward[0])
        node = links.graph[onward[0]]
