"""Launches measuring for takes that are rendered and not yet measured."""

import dagster as dg

from anime_pipeline.database.changes import TAKES
from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.jobs import measure_cuts, produce_cuts
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.quality.batches import measure_batch
from anime_pipeline.defs.run_requests import MEASURING, UNDER_WAY, plan_runs
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.tries import launch
from anime_pipeline.defs.watching import Watch
from anime_pipeline.quality.scores import unmeasured_takes
from anime_pipeline.settings import get_settings

MOST_RUNS = 100


@sensor(
    jobs=[measure_cuts, measure_batch],
    minimum_interval_seconds=30,
    default_status=sensor_status(get_settings().automeasure),
)
def measure_rendered(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Measures each newly rendered take once, in batches."""
    with studio.session() as session:
        watch = Watch.begin(context, session, TAKES)
        if not watch.must_look:
            return dg.SkipReason(f"No take was written since {watch.since}.")
        takes = unmeasured_takes(session)
    if not takes:
        watch.keep()
        return dg.SkipReason("Every finished take is measured.")
    if (measuring := _run_that_measures(context.instance)) is not None:
        watch.keep(left_over=True)
        return dg.SkipReason(f"{len(takes)} takes wait for run {measuring.run_id[:8]}, which is measuring.")
    registered = CUTS.get_partition_keys(dynamic_partitions_store=context.instance)
    revisions = {key: str(job_id) for key, job_id in takes.items()}
    runs = plan_runs(MEASURING, registered, sorted(revisions), studio.settings.batch_size, {})
    launched = launch(context.instance, runs, revisions)
    watch.keep(left_over=bool(launched.requests) or launched.is_later)
    context.log.info(f"{len(takes)} takes to measure in {len(launched.requests)} runs")
    return launched.requests or dg.SkipReason("; ".join(launched.reasons) or "Their cuts are no partitions.")


def _run_that_measures(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """A run under way that measures: what it is about to measure must not be measured twice."""
    under_way = instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=MOST_RUNS)
    jobs = {measure_cuts.name, produce_cuts.name, measure_batch.name}
    return next(
        (
            run
            for run in under_way
            if run.job_name in jobs or quality_metrics.key in (run.asset_selection or ())
        ),
        None,
    )
