"""Quality metrics: load the takes to measure, measure them in one decode each, record what was found."""

from __future__ import annotations

import dagster as dg

from anime_pipeline.defs.metadata import per_frame_table
from anime_pipeline.defs.partition_events import record_partitions
from anime_pipeline.defs.partitions import CUT_BATCHES, CUTS
from anime_pipeline.defs.rendering.assets import frames
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.gates import judge_cuts
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import CutScores, cut_scores
from anime_pipeline.rendering.takes import newest_finished_takes, select_best


@dg.op(ins={"frames": dg.In(dg.Nothing)})
def load_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> dict[str, int]:
    """The newest finished take (its job id) of each cut that has one."""
    with studio.session() as session:
        return newest_finished_takes(session, list(context.partition_keys))


@dg.op(pool="gpu")
def measure_loaded_takes(
    context: dg.OpExecutionContext, takes: dict[str, int], studio: dg.ResourceParam[Studio]
) -> dict[str, int]:
    """Decode each take once and run every metric that its phases ask."""
    with studio.session() as session:
        report = measure_takes(session, studio.settings, list(takes.values()))
    context.log.info(str(report))
    return takes


@dg.op(out=dg.Out(dg.Nothing))
def record_scores(
    context: dg.OpExecutionContext, takes: dict[str, int], studio: dg.ResourceParam[Studio]
) -> None:
    """Judge each take, select the ones that pass, and record the numbers with the cut."""
    with studio.session() as session:
        judge_cuts(session, list(takes))
        select_best(session, list(takes))
        scores = cut_scores(session, takes)
    missing = {key: "no finished take to measure" for key in context.partition_keys if key not in takes}
    record_partitions(context, "quality_metrics", {k: _scores_metadata(s) for k, s in scores.items()}, missing)


def _scores_metadata(scores: CutScores) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        measurement.metric_name: dg.MetadataValue.float(measurement.value)
        for measurement in scores.measurements
        if measurement.value is not None
    }
    unmeasured = [m for m in scores.measurements if m.value is None]
    if unmeasured:
        lines = [f"- **{m.metric_name}** {m.state}: {m.reason}" for m in unmeasured]
        metadata["not_measured"] = dg.MetadataValue.md("\n".join(lines))
    columns = {m.metric_name: m.per_frame for m in scores.measurements if m.per_frame and len(m.per_frame) > 1}
    if columns:
        metadata["per_frame"] = per_frame_table(columns)
    metadata["verdict"] = dg.MetadataValue.text(scores.verdict)
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
def quality_metrics(frames: None) -> None:
    """How good one cut's take is, in numbers: each metric measured, or the reason why it could not be.

    A number that wasn't measured is never a pass.
    """
    return record_scores(measure_loaded_takes(load_takes(frames)))
