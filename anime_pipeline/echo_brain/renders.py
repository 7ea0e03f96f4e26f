"""Renders that the supervisor asks for: planned and queued here, rendered by whoever drains the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import Actor, record
from anime_pipeline.database.models import CutProfile, EchoTaskJob
from anime_pipeline.echo_brain.events import CutsWanted, ShotWanted
from anime_pipeline.echo_brain.outbox import write_for_task
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.enqueue import JOB_TYPES
from anime_pipeline.rendering.planning import PlannedCut, plan_cuts
from anime_pipeline.rendering.requests import ShotRequest, mark_requested, request_shot
from anime_pipeline.review.directions import RetakeRequest
from anime_pipeline.review.retakes import ask_retake
from anime_pipeline.settings import Settings
from anime_pipeline.story.keys import StoryKeyError, parse_scope
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.unscripted import CastMember

SUPERVISOR = Actor("echo brain", "supervisor")
"""How the supervisor stands in the audit log and in what it asks for."""
_SHOWN = 200


def render_cuts(
    session: Session, settings: Settings, wanted: CutsWanted, job_type: str | None = None
) -> dict[str, Any]:
    """Queue takes of cuts, those of one kind only where ``job_type`` is given; what was planned.

    A cut that cannot be rendered is named with the reason, and holds up no other. Raises UserError where
    nothing is named that could be rendered.
    """
    keys = _keys(session, wanted, job_type)
    if wanted.new_takes:
        planned = [_retaken(session, settings, key) for key in keys]
    else:
        planned = plan_cuts(session, settings, keys)
    queued = [one.job_id for one in planned if one.state == "queued" and one.job_id is not None]
    finished = [one.job_id for one in planned if one.state == "current" and one.job_id is not None]
    mark_requested(session, queued, SUPERVISOR.name)
    _raise_priority(session, queued, wanted.priority)
    if wanted.task_id is not None:
        link_task(session, wanted.task_id, [*queued, *finished])
        write_for_task(session, wanted.task_id, finished)
    counts = Counter(one.state for one in planned)
    told = {"cuts": len(keys), **{state: counts[state] for state in ("queued", "current", "failed")}}
    record(session, SUPERVISOR, "render", "cuts", wanted.task_id or "", None, told)
    return {**told, "planned": [_told(one) for one in planned[:_SHOWN]]}


def render_shot(session: Session, settings: Settings, wanted: ShotWanted) -> dict[str, Any]:
    """Queue a render that stands in no story. Raises UserError where it cannot be rendered as asked."""
    asked = wanted.model_dump(exclude={"cast", "task_id"})
    cast = tuple(CastMember(**member.model_dump()) for member in wanted.cast)
    job_id = request_shot(session, settings, ShotRequest(**asked, cast=cast), SUPERVISOR.name)
    if wanted.task_id is not None:
        link_task(session, wanted.task_id, [job_id])
    record(session, SUPERVISOR, "render", "job", job_id, None, {"job_type": wanted.job_type})
    return {"job_id": job_id}


def link_task(session: Session, task_id: str, job_ids: Sequence[int]) -> None:
    """Let what becomes of these takes be told of this task too."""
    rows = [{"task_id": task_id, "job_id": job_id} for job_id in sorted(set(job_ids))]
    if rows:
        session.execute(insert(EchoTaskJob).on_conflict_do_nothing(), rows)


def tasks_of(session: Session, job_id: int) -> list[str]:
    """The tasks that asked for a take."""
    return list(session.scalars(select(EchoTaskJob.task_id).where(EchoTaskJob.job_id == job_id)))


def _retaken(session: Session, settings: Settings, cut_key: str) -> PlannedCut:
    try:
        asked = ask_retake(session, settings, cut_key, RetakeRequest(by=SUPERVISOR.name))
    except UserError as error:
        return PlannedCut(cut_key, "failed", reason=str(error))
    return PlannedCut(cut_key, "queued", asked.answered_by_job_id, take_number=asked.answered_by_take)


def _keys(session: Session, wanted: CutsWanted, job_type: str | None) -> list[str]:
    query = select(CutProfile.cut_id, CutProfile.cut_key, CutProfile.kind, CutProfile.project_id)
    if wanted.cut_ids is not None:
        named: set[Any] = set(wanted.cut_ids)
        query = query.where(CutProfile.cut_id.in_(named))
    elif wanted.cut_keys is not None:
        named = set(wanted.cut_keys)
        query = query.where(CutProfile.cut_key.in_(named))
    else:
        assert wanted.scope is not None
        try:
            parse_scope(wanted.scope)
        except StoryKeyError as error:
            raise UserError(str(error), error.remedy) from error
        named = set(active_cut_keys(session, wanted.scope))
        if not named:
            raise UserError(f"{wanted.scope} has no cut.", "anime-pipeline status lists projects and cuts")
        query = query.where(CutProfile.cut_key.in_(named))
    rows = session.execute(query.where(CutProfile.omitted_at.is_(None))).all()
    found = {row.cut_id if wanted.cut_ids is not None else row.cut_key for row in rows}
    if missing := sorted(named - found):
        listed = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        raise UserError(f"There is no cut {listed}.", "name cuts that are in the story")
    if wanted.project_id is not None and any(row.project_id != wanted.project_id for row in rows):
        raise UserError(f"Not all of these cuts belong to project {wanted.project_id}.")
    keys = sorted(row.cut_key for row in rows if job_type in (None, JOB_TYPES[row.kind]))
    if not keys:
        raise UserError(f"None of these cuts is rendered as {job_type}.", "name cuts of that kind")
    return keys


def _raise_priority(session: Session, job_ids: Sequence[int], priority: int) -> None:
    """What somebody else wants sooner stays sooner."""
    session.execute(
        text("""
            UPDATE render_queue SET priority = GREATEST(priority, :priority)
            WHERE job_id = ANY(:job_ids) AND status = 'queued'
        """),
        {"priority": priority, "job_ids": list(job_ids)},
    )


def _told(planned: PlannedCut) -> dict[str, Any]:
    return {
        "cut_key": planned.cut_key, "state": planned.state, "job_id": planned.job_id, "reason": planned.reason
    }  # fmt: skip
