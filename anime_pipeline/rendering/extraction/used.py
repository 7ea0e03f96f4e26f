"""The add-ons of a model: LoRAs, ControlNets, IPAdapters, each with its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anime_pipeline.rendering.extraction.links import Links, Node


@dataclass(frozen=True)
class Lora:
    """A LoRA; ``strength_clip`` is None where it does not touch the text encoder."""

    name: str
    strength_model: float | None
    strength_clip: float | None


@dataclass(frozen=True)
class LoraNode:
    """A node with the LoRAs that it applies, in order; ``node_id`` tells it from another of equal content."""

    node_id: str
    uses: tuple[Lora, ...]


@dataclass(frozen=True)
class ControlNet:
    """A ControlNet and the part (0 to 1) of the sampling in which it works."""

    name: str | None
    strength: float | None
    start_percent: float | None
    end_percent: float | None


@dataclass(frozen=True)
class IPAdapter:
    """An IPAdapter; ``model`` is a preset or a file. ``weight_faceidv2`` is None where it has no face."""

    class_type: str
    model: str | None
    weight: float | None
    weight_faceidv2: float | None
    weight_type: str | None
    start_at: float | None
    end_at: float | None
    combine_embeds: str | None
    embeds_scaling: str | None


def lora_node(links: Links, node_id: str) -> LoraNode | None:
    """The LoRAs of a node, or None for a node that applies none. Ones switched off are left out."""
    node = links.graph[node_id]
    if node["class_type"] == "Power Lora Loader (rgthree)":
        return LoraNode(node_id, tuple(_power_loras(node)))
    name = links.text(node, "lora_name")
    if name is None:
        return None
    both = "clip" in node["inputs"] or "strength_clip" in node["inputs"]
    strength = links.number(node, "strength_model")
    return LoraNode(
        node_id, (Lora(name, _real(strength), _real(links.number(node, "strength_clip")) if both else None),)
    )


def controlnet(links: Links, node: Node) -> ControlNet:
    """The ControlNet that a node applies."""
    loader, named = links.maker(node, "control_net"), None
    seen = set()
    while loader is not None and loader not in seen and named is None:
        seen.add(loader)
        made_by = links.graph[loader[0]]
        named, loader = links.text(made_by, "control_net_name"), links.maker(made_by, "control_net")
    return ControlNet(
        named,
        *(_real(links.number(node, field)) for field in ("strength", "start_percent", "end_percent")),
    )


def ipadapter(links: Links, node: Node) -> IPAdapter:
    """The IPAdapter that a node applies."""
    loader = links.maker(node, "ipadapter")
    made_by = links.graph[loader[0]] if loader is not None else node
    named = links.text(made_by, "preset") or links.text(made_by, "ipadapter_file")
    return IPAdapter(
        node["class_type"],
        named,
        _real(links.number(node, "weight")),
        _real(links.number(node, "weight_faceidv2")),
        links.text(node, "weight_type"),
        _real(links.number(node, "start_at")),
        _real(links.number(node, "end_at")),
        links.text(node, "combine_embeds"),
        links.text(node, "embeds_scaling"),
    )


def _power_loras(node: Node) -> Iterator[Lora]:
    numbered = [name for name in node["inputs"] if name.startswith("lora_") and name[5:].isdecimal()]
    for name in sorted(numbered, key=lambda one: int(one[5:])):
        entry = node["inputs"][name]
        if not isinstance(entry, dict) or not entry.get("on") or not isinstance(entry.get("lora"), str):
            continue
        strength, second = entry.get("strength"), entry.get("strengthTwo")
        yield Lora(entry["lora"], _real(strength), _real(strength if second is None else second))


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
