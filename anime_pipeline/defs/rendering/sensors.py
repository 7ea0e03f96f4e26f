"""Launches renders for the cuts that need one."""

import dagster as dg

from anime_pipeline.defs.jobs import render_cuts
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.run_requests import batch_requests
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.staleness import cut_states


# Off until someone turns it on: rendering spends GPU time, and an edit is seldom the last one.
@dg.sensor(job=render_cuts, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.STOPPED)
def render_backlog(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Renders cuts that have no take or a stale one, in batches, once for each revision of a cut."""
    with studio.session() as session:
        states = cut_states(session, studio.settings, check_files=False)
    revisions = {s.cut_key: str(s.recipe_hash) for s in states if s.state in ("missing", "stale")}
    if not revisions:
        return dg.SkipReason("Every cut has a take of its current recipe.")
    registered = CUTS.get_partition_keys(dynamic_partitions_store=context.instance)
    return batch_requests(render_cuts.name, registered, revisions, studio.settings.batch_size)
