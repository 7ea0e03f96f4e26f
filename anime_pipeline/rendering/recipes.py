"""A recipe: everything that decides a take's pixels, under the hash that is its name."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anime_pipeline.preview import DRAWING_VERSION
from anime_pipeline.rendering.canonical import canonical_json
from anime_pipeline.rendering.extraction.links import Links, passes_on
from anime_pipeline.rendering.filling import PREFIX_PLACEHOLDER, Absent, check_serves, fill
from anime_pipeline.rendering.ingredients import (
    Ingredients,
    Question,
    answer,
    direction_ingredients,
    picture_shas,
    seed_of,
)
from anime_pipeline.rendering.model_files import models_of
from anime_pipeline.rendering.templates import Graph, Template, TemplateError, TemplateLibrary
from anime_pipeline.rendering.variants import FIRST, Variant
from anime_pipeline.story.context import CutContext

# Stands for the seed in a graph that is hashed for several seeds. No text of a story or a graph has a NUL.
_SEED = "\0seed"
_SEED_SPELLED = canonical_json(_SEED)


@dataclass(frozen=True)
class Recipe:
    """A filled graph with its inputs.

    ``inputs`` maps the name that the graph calls an input picture to its sha256, ``models`` the model folder
    to the files used from it. ``versions`` names what draws the graph, where that is known beforehand. Where
    the graph saves its result, the prefix is a placeholder, so that it has no part in the hash.
    """

    workflow: Graph
    inputs: dict[str, str]
    models: dict[str, list[str]]
    versions: dict[str, int]
    template_name: str
    template_sha256: str
    recipe_hash: str
    ingredients: Ingredients
    seed: int


def compose_recipe(
    context: CutContext, library: TemplateLibrary, suffixes: Mapping[str, str], variant: Variant = FIRST
) -> Recipe:
    """The recipe of a cut as its story is now; ``suffixes`` maps stored pictures' sha256 to their suffix.

    Raises :class:`~anime_pipeline.rendering.templates.TemplateError`.
    """
    template = template_of(context, library)
    check_serves(template, context, variant)
    values, ingredients = _answers(context, template, suffixes, variant)
    graph = fill(template, values, variant.smoother)
    inputs, versions = _inputs_in(graph, context, suffixes), _versions_of(graph)
    return Recipe(
        workflow=graph,
        inputs=inputs,
        models=models_of(graph),
        versions=versions,
        template_name=template.name,
        template_sha256=template.sha256,
        recipe_hash=recipe_hash(graph, inputs, versions),
        ingredients=ingredients | {f"renderer.{name}": number for name, number in versions.items()},
        seed=seed_of(context, variant.number),
    )


def recipe_hashes(
    context: CutContext, library: TemplateLibrary, suffixes: Mapping[str, str]
) -> tuple[str, ...]:
    """The names of the recipes of a cut's wanted takes, first variant first; as composing each of them.

    They differ in their seeds alone, so that everything else is composed and spelled once. Raises
    :class:`~anime_pipeline.rendering.templates.TemplateError`.
    """
    template, numbers = template_of(context, library), range(1, context.takes_wanted + 1)
    if any(target.multiple != 1 for target in template.sidecar.slots.get("seed", ())):
        recipes = (compose_recipe(context, library, suffixes, Variant(number)) for number in numbers)
        return tuple(recipe.recipe_hash for recipe in recipes)
    check_serves(template, context, FIRST)
    values, _ = _answers(context, template, suffixes, FIRST)
    graph = fill(template, {**values, "seed": _SEED})
    if context.takes_wanted > 1:
        check_serves(template, context, Variant(context.takes_wanted))
    parts = _spelled(graph, _inputs_in(graph, context, suffixes), _versions_of(graph)).split(_SEED_SPELLED)
    spelled = (str(seed_of(context, number)).encode().join(parts) for number in numbers)
    return tuple(hashlib.sha256(one).hexdigest() for one in spelled)


def template_of(context: CutContext, library: TemplateLibrary) -> Template:
    """The template that a cut is rendered with; raises :class:`TemplateError` where there is none."""
    return library.get(context.workflow or f"animatic-{context.kind}")


def is_current(
    context: CutContext,
    library: TemplateLibrary,
    suffixes: Mapping[str, str],
    recipe_hash: str,
    variant: Variant,
) -> bool:
    """Whether a take with this recipe, made as this variant, shows the cut as its story is now."""
    try:
        return compose_recipe(context, library, suffixes, variant).recipe_hash == recipe_hash
    except TemplateError:
        return False


def recipe_hash(graph: Graph, inputs: Mapping[str, str], versions: Mapping[str, int] | None = None) -> str:
    """The name of a recipe. Titles and other ``_meta`` decide no pixel and stay out."""
    return hashlib.sha256(_spelled(graph, inputs, versions or {})).hexdigest()


def _spelled(graph: Graph, inputs: Mapping[str, str], versions: Mapping[str, int]) -> bytes:
    nodes = {
        node_id: {"class_type": node["class_type"], "inputs": node["inputs"]}
        for node_id, node in graph.items()
    }
    return canonical_json({"workflow": nodes, "inputs": dict(inputs), "versions": dict(versions)})


def output_nodes(graph: Graph) -> list[str]:
    """Ids of the nodes that save a stored recipe's result, also where the prefix comes to them by a link."""
    links = Links(graph)

    def is_prefix(node: dict[str, Any], name: str) -> bool:
        if not isinstance(node["inputs"][name], list):
            return bool(node["inputs"][name] == PREFIX_PLACEHOLDER)
        return PREFIX_PLACEHOLDER in (links.text(node, name) or "")

    saving = {node_id: node for node_id, node in graph.items() if not passes_on(node)}
    return [
        node_id for node_id, node in saving.items() if any(is_prefix(node, name) for name in node["inputs"])
    ]


def submission_graph(graph: Graph, prefix: str, names: Mapping[str, str]) -> Graph:
    """The graph as one attempt posts it: its own output prefix, and inputs as the server has named them.

    ``names`` maps an input's name in the recipe to the server's; inputs are named by content hash, so that a
    name cannot be part of another text by accident.
    """
    renamed = {old: new for old, new in names.items() if old != new}

    def value_of(value: Any) -> Any:
        if value == PREFIX_PLACEHOLDER:
            return prefix
        if isinstance(value, str):
            for old, new in renamed.items():
                value = value.replace(old, new)
        return value

    posted = copy.deepcopy(graph)
    for node in posted.values():
        node["inputs"] = {name: value_of(value) for name, value in node["inputs"].items()}
    return posted


def _answers(
    context: CutContext, template: Template, suffixes: Mapping[str, str], variant: Variant
) -> tuple[dict[str, Any], Ingredients]:
    question = Question(context, variant, template.sidecar.burns_subtitles, suffixes)
    values: dict[str, Any] = {}
    ingredients: Ingredients = {
        "cut.workflow": template.name,
        f"workflow.{template.name}": template.sha256,
    }
    for slot in template.sidecar.slots:
        if slot == "output_prefix":
            values[slot] = PREFIX_PLACEHOLDER
            continue
        values[slot], parts = answer(slot, question)
        if not isinstance(values[slot], Absent):
            ingredients |= parts
    return values, ingredients | direction_ingredients(context, ingredients)


def _versions_of(graph: Graph) -> dict[str, int]:
    draws = any(node["class_type"] == "AnimaticShot" for node in graph.values())
    return {"animatic": DRAWING_VERSION} if draws else {}


def _inputs_in(graph: Graph, context: CutContext, suffixes: Mapping[str, str]) -> dict[str, str]:
    pictures = {f"{sha}{suffixes[sha]}": sha for sha in picture_shas(context) if sha in suffixes}
    if not pictures:
        return {}
    texts = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, str)]
    return {name: sha for name, sha in sorted(pictures.items()) if any(name in text for text in texts)}
