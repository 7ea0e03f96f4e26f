"""The job ``render_batch``: renders a list of cuts or takes, wherever they lie in the story."""

import dagster as dg
from pydantic import Field

from anime_pipeline.defs.partition_events import Batch, record_one_by_one
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.rendering import work
from anime_pipeline.defs.rendering.assets import frames
from anime_pipeline.defs.run_requests import RENDERS_TAG
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.planning import PlannedCut


class CutsToRender(dg.Config):
    """Cuts whose takes are planned and rendered, and takes (job ids) that wait in the queue already."""

    cut_keys: list[str] = Field(
        default_factory=list,
        description="Cuts to render, as anime-pipeline status lists them: lantern-post.e01.s001.c0010.",
    )
    job_ids: list[int] = Field(
        default_factory=list,
        description="Waiting takes, by the job that anime-pipeline queue list shows; others are left out.",
    )


@dg.op
def plan_batch(
    context: dg.OpExecutionContext, config: CutsToRender, studio: dg.ResourceParam[Studio]
) -> list[PlannedCut]:
    """Plan the cuts as `frames` would, and take up the takes that wait."""
    planned = work.plan(studio, config.cut_keys, context.run_tags)
    known = {plan.job_id for plan in planned}
    taken = work.take_up(studio, [job_id for job_id in config.job_ids if job_id not in known])
    context.log.info(f"{len(planned)} takes planned, {len(taken)} taken up from the queue")
    return planned + taken


@dg.op(pool="comfyui")
def render_planned(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> list[PlannedCut]:
    """Render the queued takes; each is recorded when it is stored, whatever becomes of the others."""
    report = work.render(studio, planned, context.run_tags)
    context.log.info(
        f"{len(report.finished)} rendered, {len(report.failed)} failed, {len(report.waiting)} still wait"
    )
    return planned


@dg.op
def record_batch(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> None:
    """Record the frames of each cut that is a partition; a take outside the story has none."""
    registered = set(CUTS.get_partition_keys(dynamic_partitions_store=context.instance))
    batch = work.outcome(studio, planned, context.run_tags)
    shown = {key: metadata for key, metadata in batch.finished.items() if key in registered}
    record_one_by_one(
        context, frames.key.to_user_string(), Batch(shown, batch.failed, batch.left, batch.versions)
    )


@dg.job(
    executor_def=dg.in_process_executor,
    description="Render cuts that lie apart, or takes that wait in the queue, as one batch.",
    tags={RENDERS_TAG: "yes"},
)
def render_batch() -> None:
    record_batch(render_planned(plan_batch()))
