"""Everything a graph renders with, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anime_pipeline.rendering.extraction.conditioning import prompt_of
from anime_pipeline.rendering.extraction.links import Links, Node
from anime_pipeline.rendering.extraction.models import ModelChain, model_chain, names_upstream
from anime_pipeline.rendering.extraction.order import outputs_first, saved_by
from anime_pipeline.rendering.extraction.samplers import is_sampler, latent_source, noise_settings
from anime_pipeline.rendering.extraction.sizes import size_of
from anime_pipeline.rendering.extraction.used import ControlNet, IPAdapter, Lora
from anime_pipeline.rendering.templates import Graph, title_of


@dataclass(frozen=True)
class Sampler:
    """One sampler of a graph. None stands for what the node has no input for, or what only a server knows.

    ``model`` and ``text_encoders`` are file names, ``motion_model`` is AnimateDiff's. ``width``, ``height``
    (pixels) and ``frames`` are those of the latent that it starts from.
    """

    title: str
    class_type: str
    seed: int | None
    steps: int | None
    cfg: float | None
    guidance: float | None
    sampler_name: str | None
    scheduler: str | None
    denoise: float | None
    add_noise: bool
    start_at_step: int | None
    end_at_step: int | None
    model: str | None
    motion_model: str | None
    text_encoders: tuple[str, ...]
    loras: tuple[Lora, ...]
    controlnets: tuple[ControlNet, ...]
    ipadapters: tuple[IPAdapter, ...]
    positive: str | None
    negative: str | None
    width: int | None
    height: int | None
    frames: int | None
    batch_size: int | None


@dataclass(frozen=True)
class Parameters:
    """A graph's parameters. ``samplers`` are in the order in which they run.

    ``main`` is the place among them of the one that begins what the graph saves: its seed, model and prompts
    are those that a person would name. ``frames`` and ``fps`` are those of the saved film, None for pictures.
    """

    samplers: tuple[Sampler, ...]
    main: int | None
    vae: str | None
    frames: int | None
    fps: float | None

    @property
    def main_sampler(self) -> Sampler | None:
        """The sampler at :attr:`main`."""
        return self.samplers[self.main] if self.main is not None else None

    def as_json(self) -> dict[str, Any]:
        """Plain data; :attr:`main` stays a place in the list."""
        return asdict(self)


def extract(graph: Graph) -> Parameters:
    """The parameters of any graph in API format. Never fails: what cannot be told is None."""
    links = Links(graph)
    ordered = [node_id for node_id in outputs_first(links) if is_sampler(graph[node_id])]
    saved = saved_by(links)
    last = next((node_id for node_id in saved.path if node_id in ordered), None)
    first = _beginning(links, last) if last is not None else None
    return Parameters(
        samplers=tuple(_sampler(links, graph[node_id]) for node_id in ordered),
        main=ordered.index(first) if first is not None else None,
        vae=saved.vae,
        frames=saved.frames if saved.frames is not None else _frames(links, graph.get(first or "")),
        fps=saved.fps,
    )


def _beginning(links: Links, node_id: str) -> str:
    """The first of the samplers that work on one latent after another."""
    chain = [node_id]
    while (earlier := latent_source(links, links.graph[chain[-1]])) is not None and earlier not in chain:
        chain.append(earlier)
    return chain[-1]


def _frames(links: Links, node: Node | None) -> int | None:
    if node is None:
        return None
    chain = model_chain(links, node)
    size = size_of(links, node)
    return size.frames if size.frames is not None else (size.batch_size if chain.motion_model else None)


def _sampler(links: Links, node: Node) -> Sampler:
    noise = noise_settings(links, node)
    chain: ModelChain = model_chain(links, noise.guider)
    positive = prompt_of(links, noise.guider, "positive")
    negative = prompt_of(links, noise.guider, "negative")
    size = size_of(links, node)
    encoders, clip_loras = names_upstream(links, positive.encoders + negative.encoders)
    loras = {lora.node_id: lora for lora in (*chain.loras, *clip_loras)}
    return Sampler(
        title=title_of(node),
        class_type=node["class_type"],
        seed=noise.seed,
        steps=noise.steps,
        cfg=noise.cfg,
        guidance=positive.guidance,
        sampler_name=noise.sampler_name,
        scheduler=noise.scheduler,
        denoise=noise.denoise,
        add_noise=noise.add_noise,
        start_at_step=noise.start_at_step,
        end_at_step=noise.end_at_step,
        model=chain.model,
        motion_model=chain.motion_model,
        text_encoders=encoders,
        loras=tuple(use for lora in loras.values() for use in lora.uses),
        controlnets=positive.controlnets or negative.controlnets,
        ipadapters=chain.ipadapters,
        positive=positive.text,
        negative=negative.text,
        width=size.width,
        height=size.height,
        frames=size.frames,
        batch_size=size.batch_size,
    )
