"""Queues takes that render a stored recipe again with some of its values changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GenerationParams, Job, Recipe, Take
from anime_pipeline.rendering.environment import EnvironmentChange
from anime_pipeline.rendering.extraction.parameters import extract
from anime_pipeline.rendering.filling import rounded
from anime_pipeline.rendering.recipes import recipe_hash
from anime_pipeline.rendering.second_takes import queue_second_takes
from anime_pipeline.rendering.takes import TakeError
from anime_pipeline.rendering.templates import Graph, TemplateError, TemplateLibrary, title_of
from anime_pipeline.settings import Settings

# What a person calls a value → the slots that take it, and the columns of generation_params that show it.
# A workflow that draws without text goes by the action.
SLOTS: dict[str, tuple[str, ...]] = {
    "prompt": ("positive", "action"),
    "negative_prompt": ("negative",),
    "seed": ("seed",),
    "width": ("width",),
    "height": ("height",),
    "frames": ("frames",),
    "fps": ("fps",),
}
_COLUMNS = {"prompt": "positive_prompt", "frames": "frame_count"}
_COPIED = (
    "positive_prompt, negative_prompt, seed, subseed, model_name, model_hash, vae_name, sampler_name, "
    "scheduler, steps, cfg_scale, width, height, batch_size, n_iter, lora_models, controlnet_configs, "
    "comfyui_workflow, frame_count, fps, ipadapter_refs"
)
_PARAMS = text(f"""
    INSERT INTO generation_params (job_id, {_COPIED})
    SELECT :new_id, {_COPIED} FROM generation_params WHERE job_id = :job_id ORDER BY id DESC LIMIT 1
""")


def queue_modified_take(
    session: Session, settings: Settings, job_id: int, modifications: Mapping[str, Any]
) -> int:
    """Queue a rendering of a finished take's recipe with some values changed; the new job id.

    As any take that renders another one again it is never selected. Without modifications the recipe is the
    same. Raises :class:`TakeError` for what is no finished take, and for a value that its workflow has no
    place for or that changes nothing.
    """
    [new_id] = queue_second_takes(session, [job_id])
    session.execute(_PARAMS, {"new_id": new_id, "job_id": job_id})
    if modifications:
        _change(session, settings, new_id, modifications)
    return new_id


def recipe_changes(session: Session, new: int, old: int) -> list[EnvironmentChange]:
    """Where two takes' recipes differ, by node and input; nothing where they are the same."""
    graphs = {
        row.job_id: row.workflow
        for row in session.execute(
            select(Take.job_id, Recipe.workflow).join(Recipe).where(Take.job_id.in_([new, old]))
        )
    }
    before, after = dict(_inputs(graphs[old])), dict(_inputs(graphs[new]))
    return [
        EnvironmentChange(f"recipe.{name}", before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _inputs(graph: Graph) -> Iterator[tuple[str, Any]]:
    for node_id, node in graph.items():
        for name, value in node["inputs"].items():
            yield f"{title_of(node)} ({node_id}).{name}", value


def _change(session: Session, settings: Settings, new_id: int, modifications: Mapping[str, Any]) -> None:
    recipe = session.scalars(select(Recipe).join(Take).where(Take.job_id == new_id)).one()
    graph = _modified(TemplateLibrary.of(settings), recipe, modifications)
    name = recipe_hash(graph, recipe.inputs, recipe.versions)
    if name == recipe.recipe_hash:
        raise TakeError("these modifications change nothing of the recipe", "leave them out to reproduce it")
    row = {
        "recipe_hash": name, "workflow": graph, "inputs": recipe.inputs, "models": recipe.models,
        "versions": recipe.versions, "template_name": recipe.template_name,
        "template_sha256": recipe.template_sha256, "parameters": extract(graph).as_json(),
    }  # fmt: skip
    session.execute(insert(Recipe).values(row).on_conflict_do_nothing())
    session.execute(
        text("UPDATE studio.takes SET recipe_hash = :name WHERE job_id = :job_id"),
        {"name": name, "job_id": new_id},
    )
    session.execute(
        text(
            "UPDATE render_queue SET render_params = render_params || "
            "jsonb_build_object('recipe_hash', CAST(:name AS text)) WHERE job_id = :job_id"
        ),
        {"name": name, "job_id": new_id},
    )
    _note(session, new_id, graph, modifications)


def _modified(library: TemplateLibrary, recipe: Recipe, modifications: Mapping[str, Any]) -> Graph:
    try:
        slots = library.get(recipe.template_name).sidecar.slots
    except TemplateError as error:
        raise TakeError(f"the recipe cannot be changed: {error}", error.remedy) from None
    graph = copy.deepcopy(recipe.workflow)
    by_title: dict[str, dict[str, Any]] = {title_of(node): node for node in graph.values()}
    for name, value in modifications.items():
        targets = [
            target
            for slot in SLOTS[name]
            for target in slots.get(slot, ())
            if not isinstance(by_title.get(target.node, {}).get("inputs", {}).get(target.input, []), list)
        ]
        if not targets:
            raise TakeError(
                f"workflow {recipe.template_name} has no place for {name}",
                f"leave {name} out, or add a slot {' or '.join(SLOTS[name])} to its sidecar",
            )
        for target in targets:
            by_title[target.node]["inputs"][target.input] = rounded(value, target)
    return graph


def _note(session: Session, new_id: int, graph: Graph, modifications: Mapping[str, Any]) -> None:
    """What clients read of the new take, in jobs and generation_params."""
    job = session.get_one(Job, new_id)
    job.prompt = modifications.get("prompt", job.prompt)
    job.negative_prompt = modifications.get("negative_prompt", job.negative_prompt)
    job.total_frames = modifications.get("frames", job.total_frames)
    job.metadata_ = {**(job.metadata_ or {}), "modifications": dict(modifications)}
    for params in session.scalars(select(GenerationParams).where(GenerationParams.job_id == new_id)):
        for name, value in modifications.items():
            setattr(params, _COLUMNS.get(name, name), value)
        params.comfyui_workflow = graph
    session.flush()
