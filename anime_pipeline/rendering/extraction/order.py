"""Which nodes save, in which order nodes run, and what lies on the way to what is saved."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from anime_pipeline.rendering.canonical import sha256_of
from anime_pipeline.rendering.extraction.links import Link, Links, Node

_RATES = ("fps", "frame_rate")


@dataclass(frozen=True)
class Saved:
    """``path``: the nodes behind what is saved, nearest first."""

    path: tuple[str, ...]
    vae: str | None
    frames: int | None
    fps: float | None


def outputs_first(links: Links) -> list[str]:
    """All node ids in the order in which they run, beginning with those that what is saved needs.

    The order depends on what the nodes say and how they are linked, never on their ids.
    """
    order: dict[str, None] = {}
    for end in _ends(links):
        waiting: list[tuple[str, bool]] = [(end, False)]
        begun: set[str] = set()
        while waiting:
            node_id, complete = waiting.pop()
            if complete:
                order[node_id] = None
            elif node_id not in begun and node_id not in order:
                begun.add(node_id)
                waiting.append((node_id, True))
                inner = [link[0] for _, link in links.links(links.graph[node_id])]
                waiting += [(one, False) for one in reversed(inner)]
    return list(order)


def saved_by(links: Links) -> Saved:
    """What lies behind the nodes that save, breadth first, up to the samplers and beyond."""
    saving = [node_id for node_id in _ends(links) if _saves(links.graph[node_id])]
    waiting = deque(saving or _ends(links)[:1])
    path: dict[str, None] = {}
    vae: str | None = None
    frames: int | None = None
    fps: float | None = None
    decoded = False
    while waiting:
        node_id = waiting.popleft()
        if node_id in path:
            continue
        path[node_id] = None
        node = links.graph[node_id]
        rates = (links.number(node, name) for name in _RATES)
        fps = fps if fps is not None or decoded else next((float(r) for r in rates if r is not None), None)
        if node["class_type"] == "ImageFromBatch" and frames is None and not decoded:
            frames = links.whole(node, "length")
        if not decoded and str(node["class_type"]).startswith("VAEDecode"):
            decoded = True
            vae = _vae(links, node)
        onward = (links.behind(link) for _, link in links.links(node))
        waiting += [link[0] for link in onward if link is not None]
    return Saved(tuple(path), vae, frames, fps)


def _ends(links: Links) -> list[str]:
    """Nodes that save, then others that nothing follows, then the rest (cycles); each in a stable order."""
    used = {link[0] for node in links.graph.values() for _, link in links.links(node)}
    keys = {node_id: _key(links, node) for node_id, node in links.graph.items()}
    rank = {
        node_id: 0 if _saves(node) else 1 if node_id not in used else 2
        for node_id, node in links.graph.items()
    }
    return sorted(links.graph, key=lambda node_id: (rank[node_id], keys[node_id]))


def _saves(node: Node) -> bool:
    return "filename_prefix" in node["inputs"] and not str(node["class_type"]).startswith("Preview")


def _key(links: Links, node: Node) -> str:
    """A node by what it says itself; which nodes it is linked to has no part in it."""
    literals = {name: value for name, value in node["inputs"].items() if links.link(node, name) is None}
    try:
        return f"{node['class_type']} {sha256_of(literals)}"
    except (ValueError, TypeError):
        return str(node["class_type"])


def _vae(links: Links, node: Node) -> str | None:
    """The file of the VAE, None where it comes with the checkpoint."""
    link: Link | None = links.maker(node, "vae")
    return links.text(links.graph[link[0]], "vae_name") if link is not None else None
