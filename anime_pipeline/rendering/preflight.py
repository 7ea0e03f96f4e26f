"""Compares a graph with what a server knows, and names everything missing at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anime_pipeline.rendering.comfyui_errors import ErrorClass, RejectedPromptError
from anime_pipeline.rendering.model_files import folder_of
from anime_pipeline.rendering.templates import Graph, title_of


def preflight(graph: Graph, object_info: Mapping[str, Any]) -> None:
    """Raise :class:`RejectedPromptError` that names every missing node, input and model of a graph.

    ``object_info`` is a server's ``/object_info``. Values that only the server can judge are left to it.
    """
    found = list(_missing(graph, object_info))
    if not found:
        return
    classes = [error_class for error_class, _, _ in found]
    worst: ErrorClass = next(c for c in ("missing_node", "missing_model", "validation") if c in classes)
    remedies = list(dict.fromkeys(remedy for _, _, remedy in found))
    raise RejectedPromptError(
        "; ".join(dict.fromkeys(said for _, said, _ in found)), "; ".join(remedies), worst
    )


def executed(graph: Graph, object_info: Mapping[str, Any]) -> set[str]:
    """Ids of the nodes that a server runs: those that save, and what these take from.

    Left-over nodes of which nothing is saved need no inputs and no models; all of a graph without any that
    saves.
    """
    waiting = [key for key, node in graph.items() if _saves(object_info.get(node["class_type"]))]
    found: set[str] = set()
    while waiting:
        node_id = waiting.pop()
        if node_id in found or node_id not in graph:
            continue
        found.add(node_id)
        links = (value for value in graph[node_id]["inputs"].values() if isinstance(value, list))
        waiting += [str(link[0]) for link in links if len(link) == 2]
    return found or set(graph)


def _saves(known: Mapping[str, Any] | None) -> bool:
    return known is None or bool(known.get("output_node", True))


def _missing(graph: Graph, object_info: Mapping[str, Any]) -> Iterator[tuple[ErrorClass, str, str]]:
    runs = executed(graph, object_info)
    for node_id, node in graph.items():
        known = object_info.get(node["class_type"])
        if known is None:
            yield (
                "missing_node",
                f"the server has no node {node['class_type']} (“{title_of(node)}”)",
                "install the custom node that brings it, or give the cut a workflow for this server",
            )
            continue
        if node_id not in runs:
            continue
        declared = known.get("input", {})
        for name in declared.get("required", {}):
            if not is_given(node, name):
                yield "validation", f"node “{title_of(node)}” lacks its input {name}", "mend the workflow"
        yield from _missing_models(node, {**declared.get("required", {}), **declared.get("optional", {})})


def _missing_models(
    node: dict[str, Any], declared: Mapping[str, Any]
) -> Iterator[tuple[ErrorClass, str, str]]:
    for name, value in node["inputs"].items():
        folder = folder_of(node["class_type"], name)
        offered = choices(declared.get(name)) if folder is not None and isinstance(value, str) else None
        if offered is not None and value not in offered:
            yield (
                "missing_model",
                f"the server has no {value} (node “{title_of(node)}”, input {name})",
                where_to_put(value, str(folder), offered),
            )


def where_to_put(model: str, folder: str, offered: Sequence[Any]) -> str:
    """What mends a model that a server does not list: another spelling, where Windows lists it otherwise."""
    alike = (one for one in offered if isinstance(one, str) and _slashed(one) == _slashed(model))
    spelled = next(alike, None)
    return (
        f"write {spelled}, as this server does" if spelled else f"put {model} into models/{folder} of ComfyUI"
    )


def _slashed(model: str) -> str:
    return model.replace("\\", "/")


def is_given(node: dict[str, Any], name: str) -> bool:
    """Whether a node has an input, or parts of one that grows as it is linked (``values.a``)."""
    return name in node["inputs"] or any(given.startswith(f"{name}.") for given in node["inputs"])


def choices(spec: Any) -> list[Any] | None:
    """The choices of a combo input, as old servers write it (a list) or new ones ("COMBO" with options)."""
    if not isinstance(spec, (list, tuple)) or not spec:
        return None
    if isinstance(spec[0], list):
        return spec[0]
    options = spec[1].get("options") if len(spec) > 1 and isinstance(spec[1], dict) else None
    return options if spec[0] == "COMBO" and isinstance(options, list) else None
