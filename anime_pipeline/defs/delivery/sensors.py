"""Assembles scenes and episodes when the last of their cuts is selected."""

from collections.abc import Iterable

import dagster as dg
from sqlalchemy.orm import Session

from anime_pipeline.database.changes import FILMS, GATES
from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.jobs import assemble_episodes, assemble_scenes
from anime_pipeline.defs.partitions import EPISODES, SCENES
from anime_pipeline.defs.run_requests import range_runs
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.tries import launch
from anime_pipeline.defs.watching import Watch
from anime_pipeline.delivery.readiness import outdated_films
from anime_pipeline.quality.scores import shut_gates
from anime_pipeline.settings import get_settings
from anime_pipeline.story.listing import active_episode_keys, active_scene_keys

STATUS = sensor_status(get_settings().autoassemble)


@sensor(job=assemble_scenes, minimum_interval_seconds=60, default_status=STATUS)
def assemble_scenes_ready(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Builds the reel of each scene whose cuts all have a selected take, once for each choice of takes."""
    with studio.session() as session:
        watch = Watch.begin(context, session, FILMS)
        if not watch.must_look:
            return dg.SkipReason(f"No cut and no take was written since {watch.since}.")
        scenes = _concerned(watch, session, active_scene_keys(session), 1)
        ready = outdated_films(session, studio.settings, "reel", scenes, complete_only=True)
    if not ready:
        watch.keep()
        return dg.SkipReason(f"Of {len(scenes)} scenes to look at, none is complete and without its reel.")
    return _assemble(context, watch, assemble_scenes.name, SCENES, ready, studio.settings.batch_size)


@sensor(job=assemble_episodes, minimum_interval_seconds=60, default_status=STATUS)
def assemble_episodes_ready(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Builds the master of each complete episode whose gates have passed, once for each choice of takes."""
    with studio.session() as session:
        watch = Watch.begin(context, session, GATES)
        if not watch.must_look:
            return dg.SkipReason(f"Nothing that a master shows or waits for was written since {watch.since}.")
        episodes = _concerned(watch, session, active_episode_keys(session), 2)
        complete = outdated_films(session, studio.settings, "master", episodes, complete_only=True)
        shut = shut_gates(session, complete)
    ready = {key: content for key, content in complete.items() if key not in shut}
    if not ready:
        watch.keep()
        return dg.SkipReason(f"No episode is ready for its master; {len(complete)} wait for a gate.")
    return _assemble(context, watch, assemble_episodes.name, EPISODES, ready, studio.settings.batch_size)


def _concerned(watch: Watch, session: Session, active: Iterable[str], levels: int) -> list[str]:
    """The scopes to look at: all, or those of the cuts that were written, so many levels up."""
    if watch.must_look_at_all:
        return list(active)
    written = {key.rsplit(".", levels)[0] for key in watch.changed_keys(session)}
    return [key for key in active if key in written]


def _assemble(
    context: dg.SensorEvaluationContext,
    watch: Watch,
    job: str,
    partitions: dg.DynamicPartitionsDefinition,
    ready: dict[str, str],
    batch_size: int,
) -> list[dg.RunRequest] | dg.SkipReason:
    registered = partitions.get_partition_keys(dynamic_partitions_store=context.instance)
    launched = launch(context.instance, range_runs(job, registered, list(ready), batch_size), ready)
    watch.keep(left_over=bool(launched.requests) or launched.is_later)
    return launched.requests or dg.SkipReason(
        "; ".join(launched.reasons) or f"{', '.join(ready)}: not a partition yet; story_sync makes it one."
    )
