"""Samplers and the nodes that their settings come from."""

from __future__ import annotations

from dataclasses import dataclass

from anime_pipeline.rendering.extraction.links import Links, Node

_CLASSES = {
    "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced", "AnimaticShot",
}  # fmt: skip
_ALIKE = {"sampler_name", "scheduler", "steps"}
_LATENTS = ("latent_image", "samples", "latent", "latents")


@dataclass(frozen=True)
class NoiseSettings:
    """A sampler's settings; ``guider`` is the node that has its model and prompts."""

    guider: Node
    seed: int | None
    steps: int | None
    cfg: float | None
    sampler_name: str | None
    scheduler: str | None
    denoise: float | None
    add_noise: bool
    start_at_step: int | None
    end_at_step: int | None


def is_sampler(node: Node) -> bool:
    """Whether a node samples: a class that we know, or one with a KSampler's inputs."""
    return node["class_type"] in _CLASSES or set(node["inputs"]) >= _ALIKE


def noise_settings(links: Links, node: Node) -> NoiseSettings:
    """A sampler's settings, also where a node of its own holds each of them."""
    guider, noise = _part(links, node, "guider"), _part(links, node, "noise")
    sigmas = _scheduler(links, node)
    cfg = links.number(guider, "cfg")
    if cfg is None:
        cfg = links.number(guider, "cfg_conds")
    denoise = links.number(sigmas, "denoise")
    return NoiseSettings(
        guider=guider,
        seed=_first_whole(links, noise, "noise_seed", "seed"),
        steps=links.whole(sigmas, "steps"),
        cfg=float(cfg) if cfg is not None else None,
        sampler_name=_sampler_name(links, node),
        scheduler=_scheduler_name(links, node, sigmas),
        denoise=float(denoise) if denoise is not None else None,
        add_noise=_adds_noise(links, node, noise),
        start_at_step=links.whole(node, "start_at_step"),
        end_at_step=links.whole(node, "end_at_step"),
    )


def latent_source(links: Links, node: Node) -> str | None:
    """The sampler whose latent this one goes on from, or None where it begins."""
    seen: set[str] = set()
    while True:
        onward = next((link for name in _LATENTS if (link := links.maker(node, name)) is not None), None)
        if onward is None or onward[0] in seen:
            return None
        node = links.graph[onward[0]]
        if is_sampler(node):
            return onward[0]
        seen.add(onward[0])


def _part(links: Links, node: Node, name: str) -> Node:
    """The node behind an input, or the sampler itself where it holds these settings."""
    link = links.maker(node, name)
    return links.graph[link[0]] if link is not None else node


def _scheduler(links: Links, node: Node) -> Node:
    """The node that makes the sigmas, behind those that only cut or change them."""
    seen: set[str] = set()
    while True:
        link = links.maker(node, "sigmas")
        if link is None or link[0] in seen:
            return node
        seen.add(link[0])
        node = links.graph[link[0]]


def _sampler_name(links: Links, node: Node) -> str | None:
    own = links.text(node, "sampler_name")
    chosen = links.maker(node, "sampler") if own is None else None
    if chosen is None:
        return own
    made_by = links.graph[chosen[0]]
    return links.text(made_by, "sampler_name") or str(made_by["class_type"])


def _scheduler_name(links: Links, node: Node, sigmas: Node) -> str | None:
    """Its name, or its class where that has only one way (LTXVScheduler, KarrasScheduler)."""
    named = links.text(sigmas, "scheduler")
    return named if named is not None or sigmas is node else str(sigmas["class_type"])


def _adds_noise(links: Links, node: Node, noise: Node) -> bool:
    if noise["class_type"] == "DisableNoise":
        return False
    return links.value(node, "add_noise") not in ("disable", False)


def _first_whole(links: Links, node: Node, *names: str) -> int | None:
    return next((found for name in names if (found := links.whole(node, name)) is not None), None)
