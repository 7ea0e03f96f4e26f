"""Rendered frames: plan what must be rendered, render it through the one queue, collect what was stored."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from anime_pipeline.defs.partition_events import record_range
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS
from anime_pipeline.defs.rendering import work
from anime_pipeline.defs.story.assets import cuts
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.planning import PlannedCut


@dg.op(ins={"cuts": dg.In(dg.Nothing)})
def plan_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> list[PlannedCut]:
    """Compose each cut's recipe and queue a take where none of it is finished."""
    planned = work.plan(studio, context.partition_keys, context.run_tags)
    states = [plan.state for plan in planned]
    context.log.info(f"{states.count('current')} current, {states.count('queued')} to render")
    return planned


@dg.op(pool="comfyui")
def render_takes(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> list[PlannedCut]:
    """Render the queued takes; each is recorded when it is stored, whatever becomes of the others."""
    report = work.render(studio, planned, context.run_tags)
    context.log.info(f"{len(report.finished)} rendered, {len(report.failed)} failed")
    return planned


@dg.op(out=dg.Out(dg.Nothing, is_required=False))
def collect_takes(
    context: dg.OpExecutionContext, planned: list[PlannedCut], studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """Record each cut's frames, and name the cuts that lack a take that they want."""
    yield from record_range(context, "frames", work.outcome(studio, planned, context.run_tags))


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
