"""Quality metrics: load the takes to measure, measure them in one decode each, record what was found."""

from typing import Any

import dagster as dg

from anime_pipeline.defs.metadata import per_frame_plot, per_frame_table
from anime_pipeline.defs.partition_events import record_partitions
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS
from anime_pipeline.defs.rendering.assets import frames
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import TakeScores, finished_takes, judge_takes, standing_takes, take_scores
from anime_pipeline.rendering.takes import select_best


@dg.op(ins={"frames": dg.In(dg.Nothing)})
def load_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> list[int]:
    """The finished takes (job ids) of the cuts in this run."""
    with studio.session() as session:
        takes = finished_takes(session, context.partition_keys)
    return [job_id for job_ids in takes.values() for job_id in job_ids]


@dg.op(pool="gpu")
def measure_loaded_takes(
    context: dg.OpExecutionContext, takes: list[int], studio: dg.ResourceParam[Studio]
) -> list[int]:
    """Decode each take once and run every metric that its phases ask; what is measured already stays."""
    with studio.session() as session:
        report = measure_takes(session, studio.settings, takes)
    for take in report.with_outcome("failed"):
        context.log.error(f"{take.cut_key}: {take.reason}")
    measured = {take.job_id for take in report.takes if take.outcome != "failed"}
    return [job_id for job_id in takes if job_id in measured]


@dg.op(out=dg.Out(dg.Nothing))
def record_scores(context: dg.OpExecutionContext, takes: list[int], studio: dg.ResourceParam[Studio]) -> None:
    """Judge each take, select the ones that pass, and record the numbers with the cut."""
    with studio.session() as session:
        judge_takes(session, takes)
        select_best(session, studio.settings, context.partition_keys)
        standing = standing_takes(session, context.partition_keys)
        scores = take_scores(session, [job_id for job_id in standing.values() if job_id in set(takes)])
    finished = {take.cut_key: _scores_metadata(take) for take in scores.values()}
    failed = {
        key: "could not be measured"
        if key in standing
        else "no finished take to measure: render the cut first"
        for key in context.partition_keys
        if key not in finished
    }
    record_partitions(context, "quality_metrics", finished, failed)


def _scores_metadata(take: TakeScores) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        score.metric: dg.MetadataValue.float(score.value) for score in take.scores if score.value is not None
    }
    unmeasured = [score for score in take.scores if score.value is None]
    if unmeasured:
        metadata["not_measured"] = dg.MetadataValue.md(
            "\n".join(f"- **{score.metric}** {score.said}" for score in unmeasured)
        )
    columns = {score.metric: score.per_frame for score in take.scores if len(score.per_frame) > 1}
    if columns:
        metadata["per_frame"] = per_frame_table(columns)
        metadata["per_frame_plot"] = per_frame_plot(columns)
    metadata["verdict"] = dg.MetadataValue.text(f"{take.phase} {take.verdict.verdict}: {take.verdict.reason}")
    return metadata


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
