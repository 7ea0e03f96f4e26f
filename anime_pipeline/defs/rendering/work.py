"""The three steps of rendering a run's cuts: plan, render, say what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from sqlalchemy import select

from anime_pipeline.database.models import CutProfile, RenderQueueItem, Take
from anime_pipeline.defs.metadata import thumbnail
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.partition_events import Batch
from anime_pipeline.defs.run_requests import PRIORITY_TAG, until_of
from anime_pipeline.defs.studio import Studio
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.events import DrainReport
from anime_pipeline.rendering.known_takes import was_superseded
from anime_pipeline.rendering.planning import PlannedCut, plan_cuts
from anime_pipeline.rendering.queue_admin import set_priority
from anime_pipeline.rendering.takes import TakeInfo, list_takes
from anime_pipeline.rendering.worker import drain


@in_words()
def plan(studio: Studio, cut_keys: Sequence[str], tags: Mapping[str, str]) -> list[PlannedCut]:
    """Queue a take for each of these cuts where none of its recipe is finished, as urgent as the run is."""
    with studio.session() as session:
        planned = plan_cuts(session, studio.settings, list(cut_keys))
        if PRIORITY_TAG in tags:
            queued = [one.job_id for one in planned if one.state == "queued" and one.job_id is not None]
            set_priority(session, queued, int(tags[PRIORITY_TAG]))
    return planned


def take_up(studio: Studio, job_ids: Sequence[int]) -> list[PlannedCut]:
    """Takes that are in the queue already, as they would have been planned."""
    with studio.session() as session:
        rows = session.execute(
            select(Take.job_id, CutProfile.cut_key, Take.recipe_hash, Take.take_number)
            .join(CutProfile, CutProfile.cut_id == Take.cut_id)
            .join(RenderQueueItem, RenderQueueItem.job_id == Take.job_id)
            .where(Take.job_id.in_(list(job_ids)))
            .order_by(RenderQueueItem.priority.desc(), RenderQueueItem.id)
        ).all()
    return [PlannedCut(row.cut_key, "queued", row.job_id, row.recipe_hash, row.take_number) for row in rows]


@in_words()
def render(studio: Studio, planned: Sequence[PlannedCut], tags: Mapping[str, str]) -> DrainReport:
    """Render what is queued; a run with an end begins no take after it."""
    job_ids = [plan.job_id for plan in planned if plan.state == "queued" and plan.job_id is not None]
    return drain(studio.settings, job_ids, until=until_of(tags))


@in_words()
def outcome(studio: Studio, planned: Sequence[PlannedCut], tags: Mapping[str, str]) -> Batch:
    """What became of each cut.

    One that lacks a take has failed with the reason, or was left: the run's time was over, or an edit made
    another take wanted, which another run renders.
    """
    with studio.session() as session:
        listed = list_takes(session, {plan.cut_key for plan in planned})
    takes = {take.job_id: take for take in listed}
    finished: dict[str, dict[str, dg.MetadataValue]] = {}
    versions: dict[str, str] = {}
    failed: dict[str, str] = {}
    left: set[str] = set()
    for plan in planned:
        take = takes.get(plan.job_id) if plan.job_id is not None else None
        if take is not None and take.reproduces_job_id is not None:
            continue  # it shows nothing new of its cut
        if take is not None and take.status == "completed":
            finished[plan.cut_key] = _frames_metadata(studio, plan, take)
            versions[plan.cut_key] = take.recipe_hash
        elif take is not None and _is_left(take, tags):
            left.add(plan.cut_key)
        else:
            failed[plan.cut_key] = (take.error_message if take else plan.reason) or "not rendered"
    left -= set(failed)
    whole = {key: finished[key] for key in finished if key not in failed and key not in left}
    return Batch(whole, failed, left, versions)


def _is_left(take: TakeInfo, tags: Mapping[str, str]) -> bool:
    if take.status in ("queued", "processing"):
        return until_of(tags) is not None
    return was_superseded(take.status, take.error_message)


def _frames_metadata(studio: Studio, plan: PlannedCut, take: TakeInfo) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "take": dg.MetadataValue.int(take.take_number),
        "rendered_in_this_run": dg.MetadataValue.bool(plan.state == "queued"),
        "renderer": dg.MetadataValue.text(take.server_kind or "unknown"),
        "workflow": dg.MetadataValue.text(take.template_name),
        "recipe": dg.MetadataValue.text(take.recipe_hash),
        "attempts": dg.MetadataValue.int(take.attempts),
    }
    if take.gpu_seconds is not None:
        metadata["generation_seconds"] = dg.MetadataValue.float(take.gpu_seconds)
    if take.film is not None:
        metadata["frame_count"] = dg.MetadataValue.int(take.film.frame_count or 1)
        metadata["media"] = dg.MetadataValue.path(studio.store.place(take.film.sha256, take.film.suffix))
    picture = next((file for file in take.files if file.role == "thumbnail"), None)
    if picture is not None:
        try:
            with studio.store.open(picture.sha256, picture.suffix) as file:
                metadata["thumbnail"] = thumbnail(file.read())
        except UserError as error:  # only shown: the take is as good without it
            metadata["thumbnail"] = dg.MetadataValue.text(str(error))
    return metadata
