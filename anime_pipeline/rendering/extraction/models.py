"""The way from a sampler to its model file, with everything that is applied to the model on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anime_pipeline.rendering.extraction.links import Link, Links, Node
from anime_pipeline.rendering.extraction.used import IPAdapter, LoraNode, ipadapter, lora_node

_FILES = ("ckpt_name", "unet_name")
_ENCODERS = ("clip_name", "clip_name1", "clip_name2", "clip_name3", "clip_name4")
_MOTION = ("motion_model", "m_models", "prev_m_models")


@dataclass(frozen=True)
class ModelChain:
    """A model file and what is applied to it, in the order of application."""

    model: str | None
    motion_model: str | None
    loras: tuple[LoraNode, ...]
    ipadapters: tuple[IPAdapter, ...]


def model_chain(links: Links, node: Node) -> ModelChain:
    """The model of a sampler (or guider), through its ``model`` links; of merged models, the first."""
    model = motion = None
    loras: list[LoraNode] = []
    adapters: list[IPAdapter] = []
    seen: set[str] = set()
    link = _model_link(links, node)
    while link is not None and link[0] not in seen:
        seen.add(link[0])
        node = links.graph[link[0]]
        model = next((name for name in (links.text(node, file) for file in _FILES) if name), None)
        if model is not None:
            break
        kind = str(node["class_type"])
        if kind.startswith("ADE_"):
            motion = motion or _motion_model(links, node)
        elif kind.startswith("IPAdapter") and "weight" in node["inputs"]:
            adapters.append(ipadapter(links, node))
        elif (found := lora_node(links, link[0])) is not None:
            loras.append(found)
        link = _model_link(links, node)
    return ModelChain(model, motion, tuple(reversed(loras)), tuple(reversed(adapters)))


def names_upstream(links: Links, encoders: Iterable[Link]) -> tuple[tuple[str, ...], tuple[LoraNode, ...]]:
    """Files of the text encoders behind these ``clip`` outputs, and the LoRAs on the way to them."""
    files: dict[str, None] = {}
    loras: dict[str, LoraNode] = {}
    seen: set[str] = set()
    for start in encoders:
        way: list[LoraNode] = []
        link: Link | None = start
        while link is not None and link[0] not in seen:
            seen.add(link[0])
            node = links.graph[link[0]]
            for name in _ENCODERS:
                if (file := links.text(node, name)) is not None:
                    files[file] = None
            if (found := lora_node(links, link[0])) is not None:
                way.append(found)
            link = links.maker(node, "clip")
        loras |= {lora.node_id: lora for lora in reversed(way)}
    return tuple(files), tuple(loras.values())


def _model_link(links: Links, node: Node) -> Link | None:
    named = links.maker(node, "model")
    if named is not None:
        return named
    others = [name for name, _ in links.links(node) if name.startswith("model") or name in ("unet", "pipe")]
    return links.maker(node, others[0]) if others else None


def _motion_model(links: Links, node: Node) -> str | None:
    seen: set[str] = set()
    while True:
        name = links.text(node, "model_name")
        if name is not None:
            return name
        onward = next((link for key in _MOTION if (link := links.maker(node, key)) is not None), None)
        if onward is None or onward[0] in seen:
            return None
        seen.add(onward[0])
        node = links.graph[onward[0]]
