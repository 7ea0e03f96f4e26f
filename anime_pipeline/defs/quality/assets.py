"""Quality metrics: load the takes to measure, measure them in one decode each, record what was found."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from anime_pipeline.defs.partition_events import record_range
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS
from anime_pipeline.defs.quality import work
from anime_pipeline.defs.rendering.assets import frames
from anime_pipeline.defs.studio import Studio


@dg.op(ins={"frames": dg.In(dg.Nothing)})
def load_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> list[int]:
    """The finished takes (job ids) of the cuts in this run."""
    return work.takes_of(studio, context.partition_keys)


@dg.op(pool="gpu")
def measure_loaded_takes(
    context: dg.OpExecutionContext, takes: list[int], studio: dg.ResourceParam[Studio]
) -> list[int]:
    """Decode each take once and run every metric that its phases ask; what is measured already stays."""
    return work.measure(context, studio, takes)


@dg.op(out=dg.Out(dg.Nothing, is_required=False))
def record_scores(
    context: dg.OpExecutionContext, takes: list[int], studio: dg.ResourceParam[Studio]
) -> Iterator[dg.Output[None]]:
    """Judge each take, select the ones that pass, and record the numbers with the cut."""
    yield from record_range(context, "quality_metrics", work.judge(studio, context.partition_keys, takes))


@dg.graph_asset(
    partitions_def=CUTS,
    backfill_policy=CUT_BATCHES,
    group_name="quality",
    owners=["team:quality"],
    kinds={"opencv"},
    code_version="1",
    ins={"frames": dg.AssetIn(frames.key, dagster_type=dg.Nothing)},
)
def quality_metrics(frames: None) -> Any:
    """How good one cut's take is, in numbers: each metric measured, or the reason why it could not be.

    A number that wasn't measured is never a pass.
    """
    return record_scores(measure_loaded_takes(load_takes(frames)))
