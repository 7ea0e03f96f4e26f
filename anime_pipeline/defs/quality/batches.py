"""The job ``measure_batch``: measures and judges a list of cuts, wherever they lie in the story."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from anime_pipeline.defs.partition_events import materializations, require_all
from anime_pipeline.defs.quality import work
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.quality.checks import cut_evaluations
from anime_pipeline.defs.studio import Studio


class CutsToMeasure(dg.Config):
    """Cuts whose finished takes are measured and judged."""

    cut_keys: list[str] = Field(
        description="Cuts to measure, as anime-pipeline status lists them: lantern-post.e01.s001.c0010."
    )


@dg.op(pool="gpu", out={"cut_keys": dg.Out(), "takes": dg.Out()})
def measure_batch_takes(
    context: dg.OpExecutionContext, config: CutsToMeasure, studio: dg.ResourceParam[Studio]
) -> tuple[list[str], list[int]]:
    """Decode each take once and run every metric that its phases ask; what is measured already stays."""
    return config.cut_keys, work.measure(context, studio, work.takes_of(studio, config.cut_keys))


@dg.op(out=dg.Out(dg.Nothing))
def record_batch_scores(
    context: dg.OpExecutionContext, cut_keys: list[str], takes: list[int], studio: dg.ResourceParam[Studio]
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Judge each take, select the ones that pass, and record numbers and checks of each cut."""
    batch = work.judge(studio, cut_keys, takes)
    yield from materializations(quality_metrics.key.to_user_string(), batch)
    yield from cut_evaluations(context.instance, studio, cut_keys)
    require_all(batch)
    yield dg.Output(None)


@dg.job(
    executor_def=dg.in_process_executor,
    description="Measure and judge cuts that lie apart as one batch.",
)
def measure_batch() -> None:
    record_batch_scores(*measure_batch_takes())
