"""Launches measuring for takes that are rendered and not yet measured."""

import dagster as dg

from anime_pipeline.defs.jobs import measure_cuts, produce_cuts
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.quality.assets import quality_metrics
from anime_pipeline.defs.run_requests import batch_requests
from anime_pipeline.defs.sensor_status import DEFAULT_STATUS
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.scores import unmeasured_takes

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
MOST_RUNS = 100


@dg.sensor(job=measure_cuts, minimum_interval_seconds=30, default_status=DEFAULT_STATUS)
def measure_rendered(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Measures each newly rendered take once, in batches."""
    with studio.session() as session:
        takes = unmeasured_takes(session)
    if not takes:
        return dg.SkipReason("Every finished take is measured.")
    if (measuring := _run_that_measures(context.instance)) is not None:
        return dg.SkipReason(f"{len(takes)} takes wait for run {measuring.run_id[:8]}, which is measuring.")
    registered = CUTS.get_partition_keys(dynamic_partitions_store=context.instance)
    revisions = {key: str(job_id) for key, job_id in takes.items()}
    return batch_requests(measure_cuts.name, registered, revisions, studio.settings.batch_size)


def _run_that_measures(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    """A run under way that measures: what it is about to measure must not be measured twice."""
    under_way = instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=MOST_RUNS)
    jobs = {measure_cuts.name, produce_cuts.name}
    return next(
        (
            run
            for run in under_way
            if run.job_name in jobs or quality_metrics.key in (run.asset_selection or ())
        ),
        None,
    )
