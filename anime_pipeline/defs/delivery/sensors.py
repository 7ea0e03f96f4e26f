"""Assembles scenes and episodes when the last of their cuts is selected."""

import dagster as dg

from anime_pipeline.defs.jobs import assemble_episodes, assemble_scenes
from anime_pipeline.defs.partitions import EPISODES, SCENES
from anime_pipeline.defs.run_requests import batch_requests
from anime_pipeline.defs.sensor_status import DEFAULT_STATUS
from anime_pipeline.defs.studio import Studio
from anime_pipeline.delivery.readiness import outdated_films
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.quality.scores import binding_phases
from anime_pipeline.story.listing import active_episode_keys, active_scene_keys


@dg.sensor(job=assemble_scenes, minimum_interval_seconds=60, default_status=DEFAULT_STATUS)
def assemble_scenes_ready(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Builds the reel of each scene whose cuts all have a selected take, once for each choice of takes."""
    with studio.session() as session:
        scenes = active_scene_keys(session)
        ready = outdated_films(session, studio.settings, "reel", scenes, complete_only=True)
    if not ready:
        return dg.SkipReason("No scene is complete and without its reel.")
    registered = SCENES.get_partition_keys(dynamic_partitions_store=context.instance)
    return batch_requests(assemble_scenes.name, registered, ready, studio.settings.batch_size)


@dg.sensor(job=assemble_episodes, minimum_interval_seconds=60, default_status=DEFAULT_STATUS)
def assemble_episodes_ready(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Builds the master of each complete episode whose gates have passed, once for each choice of takes."""
    with studio.session() as session:
        episodes = active_episode_keys(session)
        complete = outdated_films(session, studio.settings, "master", episodes, complete_only=True)
        ready = {
            key: content
            for key, content in complete.items()
            if all(judge_scope(session, key, phase).passed for phase in binding_phases(session, key))
        }
    if not ready:
        return dg.SkipReason(f"No episode is ready for its master; {len(complete)} wait for a gate.")
    registered = EPISODES.get_partition_keys(dynamic_partitions_store=context.instance)
    return batch_requests(assemble_episodes.name, registered, ready, studio.settings.batch_size)
