"""Fills a template: each value into its inputs, absent ones removed, and a mistake said by node and input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anime_pipeline.rendering.templates import Graph, Target, Template, TemplateError
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.story.context import CutContext

PREFIX_PLACEHOLDER = "@output"
"""Stands for the output prefix in a stored recipe:
each attempt puts its own, so that no cache answers for it.
"""


class Absent:
    """The cut has no value for a slot; ``reason`` says why in a person's words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Scaled:
    """A slot's value is what the graph has there, times ``factor``."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def of(self, own: float) -> float:
        """The value; the graph's own as it stands where nothing is scaled."""
        return own if self.factor == 1 else round(own * self.factor, 6)


def fill(template: Template, values: Mapping[str, Any], smoother: bool = False) -> Graph:
    """The template's graph with ``values`` (slot → value, :class:`Scaled` or :class:`Absent`) filled in.

    ``smoother`` puts the template's smoother settings in as well, which win over slots. Raises
    :class:`TemplateError` for an input that nothing fills, naming node and input.
    """
    # Nodes and their inputs are changed here, and what an input holds is only ever replaced.
    graph = {key: {**node, "inputs": dict(node["inputs"])} for key, node in template.graph.items()}
    removed: set[str] = set()
    bypassed: dict[str, tuple[str, ...]] = {}
    for slot, targets in template.sidecar.slots.items():
        value = values[slot]
        for target in targets:
            node_id = template.node_id(target.node)
            if isinstance(value, list):
                _chain(graph, node_id, target, value)
            elif isinstance(value, Scaled):
                inputs = graph[node_id]["inputs"]
                inputs[target.input] = value.of(inputs[target.input])
            elif not isinstance(value, Absent):
                graph[node_id]["inputs"][target.input] = rounded(value, target)
            elif target.absent == "error":
                raise TemplateError(
                    f"workflow {template.name}: nothing fills input {target.input} of node “{target.node}” "
                    f"(slot {slot}): {value.reason}"
                )
            elif target.absent == "remove":
                removed |= {node_id, *(template.node_id(title) for title in target.also_remove)}
                bypassed |= {template.node_id(title): names for title, names in target.bypassed.items()}
    for setting in template.sidecar.smoother if smoother else ():
        graph[template.node_id(setting.node)]["inputs"][setting.input] = setting.value
    for node_id, names in bypassed.items():
        _redirect(graph, node_id, [graph[node_id]["inputs"][name] for name in names])
    return _without(graph, removed | set(bypassed))


def check_serves(template: Template, context: CutContext, variant: Variant) -> None:
    """Raise :class:`TemplateError` when the cut asks for something that the template has no place for."""
    if context.impossible is not None:
        raise TemplateError(
            f"{context.cut_key}: {context.impossible}", "anime-pipeline retake withdraw ID ends that retake"
        )
    if context.kind not in template.sidecar.serves:
        raise TemplateError(
            f"workflow {template.name} serves {' and '.join(template.sidecar.serves)} cuts, "
            f"and {context.cut_key} is a {context.kind}"
        )
    if variant.smoother and not template.sidecar.smoother:
        raise TemplateError(
            f"workflow {template.name} has no smoother settings", "list them in its sidecar under smoother"
        )
    asked = _asked(context, variant)
    lacking = {
        what: places for what, places in asked.items() if not template.sidecar.slots.keys() & set(places)
    }
    if lacking:
        slots = dict.fromkeys(f"a slot {' or '.join(places)}" for places in lacking.values())
        raise TemplateError(
            f"workflow {template.name} has no place for {', nor for '.join(lacking)}",
            f"add {' and '.join(slots)} to its sidecar, naming node and input",
        )


def _asked(context: CutContext, variant: Variant) -> dict[str, tuple[str, ...]]:
    """What the cut asks for, with the slots of which one must take it."""
    moving = context.kind != "still"
    asked: dict[str, tuple[str, ...]] = {
        f"the width of {context.width}": ("width",),
        f"the height of {context.height}": ("height",),
    }
    if moving:
        asked[f"the {context.duration_frames} frames"] = ("frames",)
        asked[f"the {context.fps} frames per second"] = ("fps",)
    if context.seed is not None or variant.number > 1:
        asked["the seed"] = ("seed",)
    if variant.anchor_weight != 1:
        asked["a stronger reference picture"] = ("anchor_weight",)
    if context.figures:
        asked["the cast of " + ", ".join(figure.name for figure in context.figures)] = ("figures", "positive")
    if context.location:
        asked[f"the location “{context.location}”"] = ("location", "positive")
    if moving and context.lip_flap and context.dialogue:
        asked["the dialogue's lip-flap"] = ("lines", "positive")
    return asked


def _chain(graph: Graph, node_id: str, target: Target, values: list[Any]) -> None:
    """The first value into the node, each further one into a copy behind it."""
    graph[node_id]["inputs"][target.input] = values[0]
    last, free = node_id, max((int(one) for one in graph if one.isdecimal()), default=0) + 1
    for value in values[1:]:
        copied = {**graph[last], "inputs": dict(graph[last]["inputs"])}
        _redirect(graph, last, [[str(free), output] for output in range(len(target.chained))])
        for output, name in enumerate(target.chained):
            copied["inputs"][name] = [last, output]
        copied["inputs"][target.input] = value
        graph[str(free)] = copied
        last, free = str(free), free + 1


def _redirect(graph: Graph, node_id: str, links: list[Any]) -> None:
    """Let whatever takes from a node's outputs take from these links instead."""
    for node in graph.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and len(value) == 2 and value[0] == node_id and value[1] < len(links):
                node["inputs"][name] = list(links[value[1]])


def rounded(value: Any, target: Target) -> Any:
    """A value as a target takes it: up to its next n·multiple + plus."""
    if target.multiple == 1:
        return value
    return -(-(value - target.plus) // target.multiple) * target.multiple + target.plus


def _without(graph: Graph, removed: set[str]) -> Graph:
    if not removed:
        return graph
    kept = {node_id: node for node_id, node in graph.items() if node_id not in removed}
    for node in kept.values():
        node["inputs"] = {
            name: value
            for name, value in node["inputs"].items()
            if not (isinstance(value, list) and value and value[0] in removed)
        }
    return kept
