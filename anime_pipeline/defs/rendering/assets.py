"""Rendered frames: plan what must be rendered, render it through the one queue, collect what was stored."""

from typing import Any

import dagster as dg

from anime_pipeline.defs.metadata import thumbnail
from anime_pipeline.defs.partition_events import record_partitions
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS
from anime_pipeline.defs.story.assets import cuts
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.planning import PlannedCut, plan_cuts
from anime_pipeline.rendering.takes import TakeInfo, list_takes
from anime_pipeline.rendering.worker import drain


@dg.op(ins={"cuts": dg.In(dg.Nothing)})
def plan_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> list[PlannedCut]:
    """Compose each cut's recipe and queue a take where none of it is finished."""
    with studio.session() as session:
        planned = plan_cuts(session, studio.settings, list(context.partition_keys))
    states = [plan.state for plan in planned]
    context.log.info(f"{states.count('current')} current, {states.count('queued')} to render")
    return planned


@dg.op(pool="comfyui")
def render_takes(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> list[PlannedCut]:
    """Render the queued takes; each is recorded when it is stored, whatever becomes of the others."""
    report = drain(
        studio.settings, [plan.job_id for plan in planned if plan.state == "queued" and plan.job_id]
    )
    context.log.info(f"{len(report.finished)} rendered, {len(report.failed)} failed")
    return planned


@dg.op(out=dg.Out(dg.Nothing))
def collect_takes(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> None:
    """Record each cut's frames, and name the cuts that lack a take that they want."""
    with studio.session() as session:
        takes = {take.job_id: take for take in list_takes(session, context.partition_keys)}
    finished: dict[str, dict[str, dg.MetadataValue]] = {}
    failed: dict[str, str] = {}
    for plan in planned:
        take = takes.get(plan.job_id) if plan.job_id is not None else None
        if take is not None and take.status == "completed":
            finished[plan.cut_key] = _frames_metadata(studio, plan, take)
        else:
            failed[plan.cut_key] = (take.error_message if take else plan.reason) or "not rendered"
    record_partitions(
        context, "frames", {key: finished[key] for key in finished if key not in failed}, failed
    )


def _frames_metadata(studio: Studio, plan: PlannedCut, take: TakeInfo) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "take": dg.MetadataValue.int(take.take_number),
        "rendered_in_this_run": dg.MetadataValue.bool(plan.state == "queued"),
        "renderer": dg.MetadataValue.text(take.server_kind or "unknown"),
        "workflow": dg.MetadataValue.text(take.template_name),
        "recipe": dg.MetadataValue.text(take.recipe_hash),
        "attempts": dg.MetadataValue.int(take.attempts),
    }
    if take.gpu_seconds is not None:
        metadata["generation_seconds"] = dg.MetadataValue.float(take.gpu_seconds)
    if take.film is not None:
        metadata["frame_count"] = dg.MetadataValue.int(take.film.frame_count or 1)
        metadata["media"] = dg.MetadataValue.path(
            str(studio.store.local_path(take.film.sha256, take.film.suffix))
        )
    picture = next((file for file in take.files if file.role == "thumbnail"), None)
    if picture is not None:
        with studio.store.open(picture.sha256, picture.suffix) as file:
            metadata["thumbnail"] = thumbnail(file.read())
    return metadata


@dg.graph_asset(
    partitions_def=CUTS,
    backfill_policy=CUT_BATCHES,
    group_name="rendering",
    owners=["team:rendering"],
    kinds={"comfyui"},
    code_version="1",
    ins={"cuts": dg.AssetIn(cuts.key, dagster_type=dg.Nothing)},
)
def frames(cuts: None) -> Any:
    """The pictures of one cut: a still, a loop or a film, rendered from a recipe that can be rendered again.

    A cut whose recipe already has a finished take renders nothing.
    """
    return collect_takes(render_takes(plan_takes(cuts)))
