"""Launches measuring for takes that are rendered and not yet measured."""

import dagster as dg

from anime_pipeline.defs.jobs import measure_cuts
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.run_requests import batch_requests
from anime_pipeline.defs.sensor_status import DEFAULT_STATUS
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.scores import unmeasured_takes


@dg.sensor(job=measure_cuts, minimum_interval_seconds=30, default_status=DEFAULT_STATUS)
def measure_rendered(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Measures each newly rendered take once, in batches."""
    with studio.session() as session:
        takes = unmeasured_takes(session)
    if not takes:
        return dg.SkipReason("Every finished take is measured.")
    registered = CUTS.get_partition_keys(dynamic_partitions_store=context.instance)
    revisions = {key: str(job_id) for key, job_id in takes.items()}
    return batch_requests(measure_cuts.name, registered, revisions, studio.settings.batch_size)
