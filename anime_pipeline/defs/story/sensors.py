"""Keeps Dagster's partitions those of the story."""

import dagster as dg

from anime_pipeline.database.changes import PARTITIONS
from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.partitions import sync_story_partitions
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.watching import Watch
from anime_pipeline.settings import get_settings


@sensor(minimum_interval_seconds=30, default_status=sensor_status(get_settings().story_sync))
def story_sync(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Registers new episodes, scenes and cuts as partitions in story order; omitted ones leave the list."""
    with studio.session() as session:
        watch = Watch.begin(context, session, PARTITIONS)
        if not watch.must_look:
            return dg.SkipReason(f"No cut was written since {watch.since}.")
        changes = sync_story_partitions(context.instance, session)
    watch.keep()
    told = [
        f"{name}: {len(change.added)} added, {len(change.removed)} removed"
        for name, change in changes.items()
        if change
    ]
    return dg.SkipReason("; ".join(told) or "The partitions are those of the story.")
