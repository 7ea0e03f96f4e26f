"""Drains the render queue, within the render hours, and frees what dead workers hold."""

import dagster as dg
from sqlalchemy.orm import Session

from anime_pipeline.database.changes import FILMS
from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.jobs import render_cuts
from anime_pipeline.defs.partitions import CUTS
from anime_pipeline.defs.rendering import backlog
from anime_pipeline.defs.rendering.batches import render_batch
from anime_pipeline.defs.sensor_status import sensor_status
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.tries import launch
from anime_pipeline.defs.watching import Watch, now
from anime_pipeline.rendering.backlog import waiting_takes
from anime_pipeline.rendering.queue import expire
from anime_pipeline.rendering.render_hours import RenderHours
from anime_pipeline.settings import get_settings


@sensor(
    jobs=[render_cuts, render_batch],
    minimum_interval_seconds=30,
    default_status=sensor_status(get_settings().queue_drain),
)
def render_backlog(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Renders what waits in the queue, in batches, urgent takes first, whoever asked for them.

    With ANIME_AUTORENDER=on also cuts that are missing or stale, which costs GPU time on every edit. With
    ANIME_RENDER_HOURS only within these hours: a batch under way finishes what is in hand when they end.
    """
    with studio.session() as session:
        return _Tick(context, studio, session).act()


class _Tick:
    """One tick of the sensor."""

    def __init__(self, context: dg.SensorEvaluationContext, studio: Studio, session: Session) -> None:
        self._context, self._session, self._settings = context, session, studio.settings
        self._registered = CUTS.get_partition_keys(dynamic_partitions_store=context.instance)
        self._held = backlog.Held.by(context.instance, self._registered)
        self._takes = [
            take
            for take in waiting_takes(session)
            if take.job_id not in self._held.job_ids and take.cut_key not in self._held.cut_keys
        ]
        self._hours = RenderHours.of(studio.settings)
        self._closes = self._hours.closes_at(now()) if self._hours else None

    def act(self) -> list[dg.RunRequest] | dg.SkipReason:
        """Launch what may be launched, or say why nothing is."""
        closed = self._hours is not None and self._closes is None
        may_launch = not closed and self._held.free_slots > 0
        cuts, waiting = self._cuts(may_launch)
        if closed:
            return dg.SkipReason(f"Outside the window {self._hours}; {waiting} cuts wait.")
        if not waiting:
            under_way = f" {self._held.runs} runs are rendering." if self._held.runs else ""
            return dg.SkipReason(f"Nothing waits to be rendered.{under_way}")
        if not may_launch:
            return dg.SkipReason(f"{self._held.runs} runs are rendering or about to; {waiting} cuts wait.")
        return self._launch(cuts, waiting)

    def _launch(self, cuts: dict[str, str], waiting: int) -> list[dg.RunRequest] | dg.SkipReason:
        size = self._settings.batch_size
        revisions = dict(cuts)
        for take in self._takes:
            revisions[take.cut_key] = f"{revisions.get(take.cut_key, '')} {take.revision}"
        runs = backlog.queue_runs(self._takes, size, self._closes)
        runs += backlog.cut_runs(cuts, self._registered, size, self._closes)
        launched = launch(self._context.instance, runs, revisions)
        requests = launched.requests[: self._held.free_slots]
        if requests:
            self._context.log.info(f"{waiting} cuts wait; {len(requests)} runs are launched")
            return requests
        return dg.SkipReason(f"{waiting} cuts wait: {'; '.join(launched.reasons)}.")

    def _cuts(self, may_launch: bool) -> tuple[dict[str, str], int]:
        """Cuts to plan and render (revision by key) without being asked, and how many cuts wait in all."""
        queued = {take.cut_key for take in self._takes}
        if self._settings.autorender == "off":
            return {}, len(queued)
        watch = Watch.begin(self._context, self._session, FILMS)
        before = int(watch.memory.get("waiting", 0))
        if not watch.must_look:
            return {}, max(len(queued), before)
        if not may_launch and backlog.counted_lately(watch):
            watch.keep(left_over=True)
            return {}, max(len(queued), before)
        found = backlog.unrendered(self._session, self._settings, watch, self._registered)
        cuts = {key: recipe for key, recipe in found.items() if key not in self._held.cut_keys}
        waiting = len(queued | set(cuts))
        # Looked at again until nothing waits: a run may be refused for now, or come to nothing.
        watch.keep(left_over=bool(cuts), waiting=waiting, counted_at=now().timestamp())
        return cuts, waiting


@sensor(minimum_interval_seconds=60, default_status=sensor_status(get_settings().expire_leases))
def expire_leases(context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]) -> dg.SkipReason:
    """Frees what is leased to workers that are dead or late, so that another may go on with it."""
    with studio.session() as session:
        freed = expire(session)
    context.update_cursor(str(int(context.cursor or 0) + freed))
    if not freed:
        return dg.SkipReason(f"No lease is late; {context.cursor or 0} were freed so far.")
    return dg.SkipReason(f"{freed} takes went back to the queue: whoever rendered them is gone or late.")
