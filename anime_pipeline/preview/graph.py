"""A prompt as a graph: its links, the order of its nodes, and the key under which a node's result is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from anime_pipeline.preview.folders import Folders
from anime_pipeline.preview.nodes import NODES

Prompt = Mapping[str, Mapping[str, Any]]


def as_link(value: object) -> tuple[str, int] | None:
    """The node and output that an input's value points at, or None for a plain value."""
    if (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    ):
        return value[0], value[1]
    return None


def parents(prompt: Prompt, node_id: str) -> Iterator[str]:
    """The nodes that a node's inputs come from, those of undeclared inputs too: ComfyUI runs them as well."""
    for value in prompt[node_id].get("inputs", {}).values():
        link = as_link(value)
        if link is not None and link[0] in prompt:
            yield link[0]


def execution_order(prompt: Prompt, targets: Collection[str], done: Collection[str]) -> list[str]:
    """The nodes to run for ``targets``, each after its parents; ``done`` ones count as there already."""
    order: dict[str, None] = {}
    opened: set[str] = set()  # a loop, which only a part that nobody runs may hold, is entered once
    stack = [(target, False) for target in reversed(list(targets))]
    while stack:
        node_id, ready = stack.pop()
        if ready:
            order[node_id] = None
        if ready or node_id in opened:
            continue
        opened.add(node_id)
        stack.append((node_id, True))
        if node_id not in done:
            needed = [
                parent for parent in parents(prompt, node_id) if parent not in done and parent not in order
            ]
            stack.extend((parent, False) for parent in reversed(needed))
    return list(order)


def signatures(prompt: Prompt, folders: Folders) -> dict[str, str]:
    """A hash per node of everything that decides its result: class, inputs, and the same of its parents.

    Node ids are not in it, so an identical graph under other ids is found again.
    """
    known: dict[str, str] = {}
    for node_id in execution_order(prompt, list(prompt), ()):
        node = prompt[node_id]
        inputs = node.get("inputs", {})
        described = {name: _describe(value, known) for name, value in sorted(inputs.items())}
        fingerprint = NODES[node["class_type"]].fingerprint(folders, inputs)
        text = json.dumps([node["class_type"], described, fingerprint], sort_keys=True)
        known[node_id] = hashlib.sha256(text.encode()).hexdigest()
    return known


def filename_prefixes(prompt: Mapping[str, Any]) -> list[str]:
    """The output prefixes that a graph names, also an invalid one: to look for one cut among many."""
    inputs = [node.get("inputs") for node in prompt.values() if isinstance(node, dict)]
    values = [given.get("filename_prefix") for given in inputs if isinstance(given, dict)]
    return [value for value in values if isinstance(value, str)]


def _describe(value: Any, known: Mapping[str, str]) -> Any:
    link = as_link(value)
    return ["link", known.get(link[0], ""), link[1]] if link is not None else ["value", value]
