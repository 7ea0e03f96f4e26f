"""Puts new takes into the queue: recipe, job, take, parameters and queue row, all takes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert as plain_insert
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, GenerationParams, Job, RenderQueueItem, Take
from anime_pipeline.database.models import Recipe as StoredRecipe
from anime_pipeline.rendering.extraction.parameters import extract
from anime_pipeline.rendering.generation_params import generation_params
from anime_pipeline.rendering.recipes import Recipe
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.prompts import ComposedPrompt, compose_prompt

JOB_TYPES = {"still": "still_image", "loop": "animation_loop", "video": "full_video"}


@dataclass(frozen=True)
class NewTake:
    """A take to be rendered. ``story_hash`` is the recipe of its cut's first variant."""

    context: CutContext
    recipe: Recipe
    take_number: int
    variant: Variant
    story_hash: str


def enqueue(session: Session, takes: list[NewTake]) -> list[int]:
    """Store and queue the takes in their order; their job ids, in the same order."""
    if not takes:
        return []
    prompts = {take.context.cut_id: compose_prompt(take.context) for take in takes}
    recipes = {take.recipe.recipe_hash: _recipe_row(take.recipe) for take in takes}
    session.execute(insert(StoredRecipe).on_conflict_do_nothing(), list(recipes.values()))
    scenes = {
        row.id: row.scene_id
        for row in session.execute(select(Cut.id, Cut.scene_id).where(Cut.id.in_(list(prompts))))
    }
    jobs = [_job_row(take, prompts[take.context.cut_id], scenes.get(take.context.cut_id)) for take in takes]
    job_ids = list(session.scalars(plain_insert(Job).returning(Job.id, sort_by_parameter_order=True), jobs))
    numbered = list(zip(job_ids, takes, strict=True))
    session.execute(plain_insert(Take), [_take_row(job_id, take) for job_id, take in numbered])
    session.execute(
        plain_insert(GenerationParams),
        [
            {"job_id": job_id, **_params(take, prompts[take.context.cut_id])}
            for job_id, take in numbered
        ],
    )  # fmt: skip
    session.execute(plain_insert(RenderQueueItem), [_queue_row(job_id, take) for job_id, take in numbered])
    allow_attempts(session, job_ids)
    return job_ids


def allow_attempts(session: Session, job_ids: Sequence[int]) -> None:
    """Give queued takes as many attempts as the budgets of their cuts say."""
    session.execute(
        text("""
            UPDATE render_queue q SET max_attempts = b.attempts
            FROM render_queue mine CROSS JOIN LATERAL studio.budget_of(mine.cut_id) b
            WHERE mine.job_id = ANY(:job_ids) AND q.id = mine.id AND q.max_attempts <> b.attempts
        """),
        {"job_ids": list(job_ids)},
    )


def _recipe_row(recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe_hash": recipe.recipe_hash,
        "workflow": recipe.workflow,
        "inputs": recipe.inputs,
        "models": recipe.models,
        "versions": recipe.versions,
        "template_name": recipe.template_name,
        "template_sha256": recipe.template_sha256,
        "parameters": extract(recipe.workflow).as_json(),
    }


def _job_row(take: NewTake, prompt: ComposedPrompt, scene_id: int | None) -> dict[str, Any]:
    context = take.context
    return {
        "project_id": context.project_id,
        "job_type": JOB_TYPES[context.kind],
        "status": "queued",
        "prompt": prompt.positive,
        "negative_prompt": prompt.negative,
        "metadata_": {"cut_key": context.cut_key, "take_number": take.take_number},
        "scene_id": scene_id,
        "cut_id": context.cut_id,
        "total_frames": 1 if context.kind == "still" else context.duration_frames,
        "current_frame": 0,
    }


def _take_row(job_id: int, take: NewTake) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "cut_id": take.context.cut_id,
        "take_number": take.take_number,
        "recipe_hash": take.recipe.recipe_hash,
        "ingredients": take.recipe.ingredients,
        "variant": take.variant.as_json(),
        "story_hash": take.story_hash,
    }


def _params(take: NewTake, prompt: ComposedPrompt) -> dict[str, Any]:
    return generation_params(take.context, take.recipe, prompt.positive, prompt.negative)


def _queue_row(job_id: int, take: NewTake) -> dict[str, Any]:
    return {
        "cut_id": take.context.cut_id,
        "job_id": job_id,
        "status": "queued",
        "render_params": {"recipe_hash": take.recipe.recipe_hash, "template": take.recipe.template_name},
    }
