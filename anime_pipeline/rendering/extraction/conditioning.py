"""The way from a sampler to its prompts: texts, guidance, ControlNets, text encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anime_pipeline.rendering.extraction.links import Link, Links, Node
from anime_pipeline.rendering.extraction.used import ControlNet, controlnet

Side = Literal["positive", "negative"]

_TEXTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt")
_OTHER_NAMES = {"positive": ("conditioning", "cond1"), "negative": ()}


@dataclass(frozen=True)
class Prompt:
    """One side of a sampler's conditioning; several texts that are combined stand on lines of their own."""

    text: str | None
    guidance: float | None
    controlnets: tuple[ControlNet, ...]
    encoders: tuple[Link, ...]


def prompt_of(links: Links, node: Node, side: Side) -> Prompt:
    """What conditions a sampler (or its guider) on one side; a zeroed prompt has no text."""
    start = links.maker(node, side)
    for name in _OTHER_NAMES[side]:
        start = start or links.maker(node, name)
    texts: dict[str, None] = {}
    controlnets: list[ControlNet] = []
    encoders: list[Link] = []
    guidance: float | None = None
    waiting, seen = [start] if start else [], set()
    while waiting:
        link = waiting.pop(0)
        if link in seen:
            continue
        seen.add(link)
        made_by = links.graph[link[0]]
        if made_by["class_type"] == "ConditioningZeroOut":
            continue
        found = [text for name in _TEXTS if (text := links.text(made_by, name)) is not None]
        texts |= dict.fromkeys(found)
        if (clip := links.maker(made_by, "clip")) is not None and found:
            encoders.append(clip)
        if guidance is None:
            guidance = links.number(made_by, "guidance")
        if "control_net" in made_by["inputs"]:
            controlnets.append(controlnet(links, made_by))
        waiting += _onward(links, made_by, link[1])
    text = "\n".join(texts) if texts else None
    return Prompt(text, guidance, tuple(reversed(controlnets)), tuple(encoders))


def _onward(links: Links, node: Node, output: int) -> list[Link]:
    """The conditionings that a node works on; one with two sides passes each through its own output."""
    if {"positive", "negative"} <= set(node["inputs"]):
        side = links.maker(node, ("positive", "negative")[output]) if output < 2 else None
        return [side] if side is not None else []
    names = [name for name, _ in links.links(node) if name.startswith("conditioning")]
    return [link for name in names if (link := links.maker(node, name)) is not None]
