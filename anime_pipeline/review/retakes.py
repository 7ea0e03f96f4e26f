"""Retakes that a person asks for: a further take, or a change of the cut that holds until it is withdrawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Retake
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.further_takes import plan_further_takes
from anime_pipeline.rendering.planning import (
    PlannedCut,
    picture_suffixes,
    plan_cuts,
    wait_for_other_planners,
)
from anime_pipeline.rendering.queue_admin import cancel
from anime_pipeline.rendering.recipes import Recipe, compose_recipe
from anime_pipeline.rendering.requests import mark_requested
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Further
from anime_pipeline.review.directions import RetakeError, RetakeRequest, checked_changes
from anime_pipeline.review.inherited_tasks import inherit_tasks
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext
from anime_pipeline.story.directions import directions_of
from anime_pipeline.story.listing import active_cut_keys


@dataclass(frozen=True)
class RetakeInfo:
    """A retake with the take that it is about and the one that answers it.

    ``changes`` hold until ``withdrawn_at``. An ``automatic`` one has a ``cause`` and a ``strategy`` in place
    of who asked. ``answer_status`` is the answering take's (queued, processing, completed, failed, …) and
    ``answer_verdict`` what its gate says: passed, failed or incomplete, None while it is not judged.
    """

    id: int
    cut_key: str
    automatic: bool
    asked_by: str | None
    note: str
    changes: dict[str, Any]
    cause: str | None
    strategy: str | None
    reason: str
    retaken_job_id: int | None
    retaken_take: int | None
    answered_by_job_id: int | None
    answered_by_take: int | None
    answer_status: str | None
    answer_verdict: str | None
    created_at: datetime
    withdrawn_at: datetime | None


_RETAKES = text("""
    SELECT r.id, p.cut_key, r.automatic, r.asked_by, r.note, r.changes, r.cause, r.strategy, r.reason,
           r.retaken_job_id, b.take_number AS retaken_take, r.answered_by_job_id,
           t.take_number AS answered_by_take, j.status AS answer_status, v.verdict AS answer_verdict,
           r.created_at, r.withdrawn_at
    FROM studio.retakes r
    JOIN studio.cut_profiles p USING (cut_id)
    LEFT JOIN studio.takes b ON b.job_id = r.retaken_job_id
    LEFT JOIN studio.takes t ON t.job_id = r.answered_by_job_id
    LEFT JOIN jobs j ON j.id = t.job_id
    LEFT JOIN LATERAL (
        SELECT verdict FROM studio.gate_verdicts WHERE job_id = t.job_id AND scope = 'cut'
        ORDER BY id DESC LIMIT 1
    ) v ON TRUE
    WHERE p.cut_key = ANY(:cut_keys) AND (CAST(:ids AS int[]) IS NULL OR r.id = ANY(:ids))
    ORDER BY r.id
""")
# The take that a person means by "again": the selected one, else the newest finished one.
_RETAKEN = text("""
    SELECT t.job_id FROM studio.takes t JOIN jobs j ON j.id = t.job_id
    WHERE t.cut_id = :cut_id AND j.status = 'completed' AND t.reproduces_job_id IS NULL
    ORDER BY t.selected DESC, t.take_number DESC LIMIT 1
""")


def ask_retake(session: Session, settings: Settings, cut_key: str, request: RetakeRequest) -> RetakeInfo:
    """Ask for a cut to be taken again, and queue the take that answers.

    With changes, the cut's recipe is composed with them from now on and what it wants is planned anew; where
    a finished take is so already, that one answers. Without, one further take with another seed is queued,
    whatever the budget for automatic retakes: a person decides. Raises :class:`RetakeError`, and what
    composing a recipe raises; then nothing is kept.
    """
    if active_cut_keys(session, cut_key) != [cut_key]:
        raise RetakeError(f"There is no active cut {cut_key}.", "anime-pipeline status lists the cuts", "cut")
    with session.begin_nested():
        context = load_render_contexts(session, settings, [cut_key])[cut_key]
        wait_for_other_planners(session, {context.project_id})
        changes = checked_changes(session, context, request)
        before = _first_recipe(session, settings, context)
        asked = Retake(
            cut_id=context.cut_id,
            automatic=False,
            asked_by=request.by,
            note=request.note.strip(),
            changes=changes,
            story_hash=before.recipe_hash,
            retaken_job_id=session.scalar(_RETAKEN, {"cut_id": context.cut_id}),
        )
        session.add(asked)
        session.flush()
        if changes:
            _check_effect(session, settings, cut_key, asked, before)
            planned = plan_cuts(session, settings, [cut_key])
        else:
            planned = [plan_further_takes(session, settings, {cut_key: Further()})[cut_key]]
        asked.answered_by_job_id = _answering(planned[0])
        session.flush()
        waiting = [one.job_id for one in planned if one.state == "queued" and one.job_id is not None]
        mark_requested(session, waiting, request.by or "a person")
        inherit_tasks(session, asked, waiting)
    return _listed(session, [cut_key], [asked.id])[0]


def list_retakes(session: Session, scope: str | None = None) -> list[RetakeInfo]:
    """The retakes of the active cuts in a scope, oldest first."""
    return _listed(session, active_cut_keys(session, scope), None)


def retakes_of_cut(session: Session, cut_key: str) -> list[RetakeInfo]:
    """The retakes of a cut, omitted or not, oldest first."""
    return _listed(session, [cut_key], None)


def withdraw_retake(session: Session, retake_id: int) -> RetakeInfo:
    """End a retake: what it changes holds no more, and its take is not rendered if it still waits.

    Raises :class:`RetakeError` where there is nothing to end.
    """
    asked = session.get(Retake, retake_id, with_for_update=True)
    if asked is None:
        raise RetakeError(f"There is no retake {retake_id}.", "anime-pipeline retake list", "id")
    if asked.withdrawn_at is not None:
        raise RetakeError(f"Retake {retake_id} is withdrawn already.", None, "id")
    waits = session.scalar(
        text("SELECT job_id FROM render_queue WHERE job_id = :job_id AND status = 'queued' FOR UPDATE"),
        {"job_id": asked.answered_by_job_id},
    )
    if not asked.changes and waits is None:
        raise RetakeError(
            f"The take of retake {retake_id} is rendered or being rendered, and it changes nothing else.",
            "Choose another take of the cut instead.",
            "id",
        )
    asked.withdrawn_at = func.now()
    session.flush()
    if waits is not None:
        cancel(session, str(waits))
    cut_key = session.scalar(
        text("SELECT cut_key FROM studio.cut_profiles WHERE cut_id = :id"), {"id": asked.cut_id}
    )
    return _listed(session, [str(cut_key)], [retake_id])[0]


def _check_effect(session: Session, settings: Settings, cut_key: str, asked: Retake, before: Recipe) -> None:
    """Refuse a change that decides no pixel, which a person would wait for in vain."""
    context = load_render_contexts(session, settings, [cut_key])[cut_key]
    after = _first_recipe(session, settings, context)
    for one in directions_of(asked.id, asked.changes):
        prefix = f"direction.{asked.id}.{one.field}"
        if not any(f"{name}.".startswith(f"{prefix}.") for name in after.ingredients):
            raise RetakeError(
                f"workflow {after.template_name} renders {cut_key} without its {one.field}, "
                "so that would change nothing",
                f"leave {one.field} out, or choose a workflow that takes it",
                one.field,
            )
    if after.recipe_hash == before.recipe_hash:
        raise RetakeError(f"{cut_key} is so already; these changes change no pixel.", "ask without them")


def _first_recipe(session: Session, settings: Settings, context: CutContext) -> Recipe:
    return compose_recipe(context, TemplateLibrary.of(settings), picture_suffixes(session, [context]))


def _answering(planned: PlannedCut) -> int:
    if planned.job_id is None:
        raise RetakeError(planned.reason or f"{planned.cut_key} cannot be rendered.")
    return planned.job_id


def _listed(session: Session, cut_keys: Collection[str], ids: Collection[int] | None) -> list[RetakeInfo]:
    wanted = {"cut_keys": list(cut_keys), "ids": None if ids is None else list(ids)}
    return [RetakeInfo(**row) for row in session.execute(_RETAKES, wanted).mappings()]
