"""Follows the links of a graph: to the value that an input gets, and to the node that makes a thing.

Links run through primitives, switches, math, reroutes and joined texts; nodes of subgraphs have ids such as
``129:163`` like any others. A cycle, which a server would refuse, ends with no value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from anime_pipeline.rendering.extraction.arithmetic import work_out
from anime_pipeline.rendering.templates import Graph

Node = dict[str, Any]
Link = tuple[str, int]

_PRIMITIVES = {
    "PrimitiveInt": "value", "PrimitiveFloat": "value", "PrimitiveBoolean": "value",
    "PrimitiveString": "value", "PrimitiveStringMultiline": "value", "PrimitiveNode": "value",
    "INTConstant": "value", "FloatConstant": "value", "BOOLConstant": "value", "StringConstant": "string",
    "StringConstantMultiline": "string", "Seed (rgthree)": "seed", "easy int": "value", "easy float": "value",
    "easy string": "value", "easy seed": "seed",
}  # fmt: skip
_SELECTED = "on_true", "on_false"
_SWITCHES = "ComfySwitchNode", "ImpactSwitch", "Any Switch (rgthree)"
_NESTED = 100
_SQUARE = 1024 * 1024


class Links:
    """The links of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._known: dict[Link, Any] = {}
        self._asked: set[Link] = set()

    def link(self, node: Node, name: str) -> Link | None:
        """The link in an input, or None for a literal, a missing input or a link to nowhere."""
        return self._as_link(node["inputs"].get(name))

    def links(self, node: Node) -> Iterator[tuple[str, Link]]:
        """All linked inputs by name, in alphabetical order, so that nothing hangs on the order of a file."""
        for name in sorted(node["inputs"]):
            link = self.link(node, name)
            if link is not None:
                yield name, link

    def value(self, node: Node, name: str) -> Any:
        """What an input is in the end; None where that is missing or only a running server knows it."""
        given = node["inputs"].get(name)
        link = self._as_link(given)
        if link is not None:
            return self._given_by(link)
        if isinstance(given, dict) and set(given) == {"__value__"}:
            return given["__value__"]  # how the UI tells a list of values from a link
        return None if _looks_like_a_link(given) else given

    def number(self, node: Node, name: str) -> int | float | None:
        """An input's value as a number."""
        found = self.value(node, name)
        return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None

    def whole(self, node: Node, name: str) -> int | None:
        """An input's value as a whole number."""
        found = self.number(node, name)
        return int(found) if found is not None and math.isfinite(found) and found == int(found) else None

    def text(self, node: Node, name: str) -> str | None:
        """An input's value as a text."""
        found = self.value(node, name)
        return found if isinstance(found, str) else None

    def maker(self, node: Node, name: str) -> Link | None:
        """The node (and its output) that makes what an input gets, behind reroutes and switches."""
        link = self.link(node, name)
        return self.behind(link) if link is not None else None

    def behind(self, link: Link) -> Link | None:
        """Where a link leads, behind reroutes and switches; None for a cycle of them."""
        seen: set[Link] = set()
        while link not in seen:
            seen.add(link)
            onward = self._onward(self.graph[link[0]], link[1])
            if onward is None:
                return link
            inner = self.link(self.graph[link[0]], onward)
            if inner is None:
                return link
            link = inner
        return None

    def _as_link(self, given: Any) -> Link | None:
        if _looks_like_a_link(given) and str(given[0]) in self.graph:
            return str(given[0]), int(given[1])
        return None

    def _given_by(self, link: Link) -> Any:
        """What an output gives. A long chain of reroutes and switches is walked, not nested."""
        seen: set[Link] = set()
        while link not in seen:
            seen.add(link)
            if link in self._known:
                return self._known[link]
            if link in self._asked or len(self._asked) > _NESTED:
                return None
            node = self.graph[link[0]]
            self._asked.add(link)
            try:
                onward = self._onward(node, link[1])
            finally:
                self._asked.discard(link)
            inner = self.link(node, onward) if onward is not None else None
            if inner is None:
                return self._remembered(link, node, onward)
            link = inner
        return None

    def _remembered(self, link: Link, node: Node, onward: str | None) -> Any:
        self._asked.add(link)
        try:
            found = self.value(node, onward) if onward is not None else self._made(node, link[1])
        finally:
            self._asked.discard(link)
        self._known[link] = found
        return found

    def _onward(self, node: Node, output: int) -> str | None:
        """The input that an output passes on unchanged, or None where the node makes something of its own."""
        kind = node["class_type"]
        if kind in _PRIMITIVES:
            return _PRIMITIVES[kind] if output == 0 else None
        if kind.startswith("Reroute"):
            return next((name for name in node["inputs"] if self.link(node, name)), None)
        if kind == "ComfySwitchNode":
            chosen = self.value(node, "switch")
            return _SELECTED[0 if chosen else 1] if isinstance(chosen, bool) else None
        if kind == "ImpactSwitch":
            chosen = self.whole(node, "select")
            return f"input{chosen}" if chosen is not None and output == 0 else None
        if kind == "Any Switch (rgthree)":
            return next((name for name, _ in self.links(node)), None)
        return None

    def _made(self, node: Node, output: int) -> Any:
        maker = _MAKERS.get(node["class_type"])
        return maker(self, node, output) if maker is not None else None


def passes_on(node: Node) -> bool:
    """Whether a node only holds a value, or hands on what it gets."""
    kind = node["class_type"]
    return kind in _PRIMITIVES or kind.startswith("Reroute") or kind in _SWITCHES


def _looks_like_a_link(given: Any) -> bool:
    return (
        isinstance(given, list)
        and len(given) == 2
        and isinstance(given[0], (str, int))
        and isinstance(given[1], int)
        and not isinstance(given[1], bool)
    )


def _math(links: Links, node: Node, output: int) -> int | float | None:
    """ComfyMathExpression: output 0 is the number, output 1 its whole part."""
    expression = links.text(node, "expression")
    names = [name for name in node["inputs"] if name.startswith("values.")]
    values = {name.removeprefix("values."): links.value(node, name) for name in names}
    known = {name: value for name, value in values.items() if isinstance(value, (int, float))}
    found = work_out(expression, known) if expression is not None else None
    if found is None:
        return None
    return int(found) if output == 1 else float(found)


def _joined(links: Links, node: Node, output: int) -> str | None:
    parts = [links.text(node, name) for name in ("string_a", "delimiter", "string_b")]
    if parts[0] is None or parts[2] is None:
        return None
    return f"{parts[0]}{parts[1] or ''}{parts[2]}"


def _resolution(links: Links, node: Node, output: int) -> int | None:
    """ResolutionSelector: so many megapixels (of 1024 × 1024) in a ratio; width, then height."""
    ratio = re.match(r"(\d+):(\d+)", links.text(node, "aspect_ratio") or "")
    megapixels, step = links.number(node, "megapixels"), links.whole(node, "multiple") or 8
    if ratio is None or megapixels is None or output not in (0, 1):
        return None
    sides = int(ratio[1]), int(ratio[2])
    if not all(sides) or megapixels < 0 or step < 1:
        return None
    return round(sides[output] * math.sqrt(megapixels * _SQUARE / (sides[0] * sides[1])) / step) * step


_MAKERS: dict[str, Callable[[Links, Node, int], Any]] = {
    "ComfyMathExpression": _math,
    "StringConcatenate": _joined,
    "ResolutionSelector": _resolution,
}
