"""Keeps Dagster's partitions those of the story."""

import dagster as dg

from anime_pipeline.defs.partitions import sync_story_partitions
from anime_pipeline.defs.sensor_status import DEFAULT_STATUS
from anime_pipeline.defs.studio import Studio


@dg.sensor(minimum_interval_seconds=30, default_status=DEFAULT_STATUS)
def story_sync(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Registers new episodes, scenes and cuts as partitions in story order; omitted ones leave the list."""
    with studio.session() as session:
        changes = sync_story_partitions(context.instance, session)
    told = [
        f"{name}: {len(change.added)} added, {len(change.removed)} removed"
        for name, change in changes.items()
        if change
    ]
    return dg.SkipReason("; ".join(told) or "The partitions are those of the story.")
