"""What the supervisor decides of takes: one stands, is taken again, or is turned down."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import record
from anime_pipeline.echo_brain.events import QualityDecision, validated
from anime_pipeline.echo_brain.renders import SUPERVISOR, link_task, tasks_of
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError
from anime_pipeline.review.choices import choose_take
from anime_pipeline.review.directions import RetakeError, RetakeRequest
from anime_pipeline.review.rejections import reject_take
from anime_pipeline.review.retakes import ask_retake
from anime_pipeline.settings import Settings

_CUT_KEY = text("""
    SELECT p.cut_key FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) WHERE t.job_id = :job_id
""")


class Changes(BaseModel):
    """Suggestions that a retake can follow by itself; all of what is suggested goes into its note."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str | None = None
    negative: str | None = None
    camera: str | None = None
    action: str | None = None
    seed: int | None = Field(None, ge=0, lt=2**64)
    variation: dict[str, str] = Field({})
    expression: dict[str, str] = Field({})


def decide(
    session: Session, settings: Settings, decision: QualityDecision, task_id: str | None = None
) -> dict[str, Any]:
    """Follow a decision; what came of it.

    approved: the take is chosen for its cut, as by a person. regenerate: a retake is queued, for the tasks
    that asked for the take. reject: the take is turned down, and stands for nothing. Raises UserError for
    what is no take, or cannot be chosen or taken again.
    """
    job_id = decision.job_id
    note = _note(decision.suggestions)
    if decision.decision == "approved":
        cut_key = choose_take(session, job_id, SUPERVISOR.name, note)
        told: dict[str, Any] = {"cut_key": cut_key, "selected": job_id}
    elif decision.decision == "reject":
        told = {"cut_key": reject_take(session, job_id, SUPERVISOR.name, note), "rejected": job_id}
    else:
        told = _retake(session, settings, decision, note, task_id)
    record(session, SUPERVISOR, decision.decision, "take", job_id, None, {**told, "note": note})
    return told


def _retake(
    session: Session, settings: Settings, decision: QualityDecision, note: str, task_id: str | None
) -> dict[str, Any]:
    cut_key = session.scalar(_CUT_KEY, {"job_id": decision.job_id})
    if cut_key is None:
        raise TakeError(f"job {decision.job_id} is no take", LIST_TAKES)
    suggested = decision.suggestions if isinstance(decision.suggestions, dict) else {}
    changes = validated(Changes, suggested)
    told: dict[str, Any] = {}
    try:
        request = RetakeRequest(note=note, by=SUPERVISOR.name, **changes.model_dump())
        asked = ask_retake(session, settings, cut_key, request)
    except RetakeError as error:
        if changes == Changes():
            raise
        # What is decided is that the take is not good enough; how to mend it was only suggested.
        told["not_followed"] = str(error)
        asked = ask_retake(session, settings, cut_key, RetakeRequest(note=note, by=SUPERVISOR.name))
    new_job_id = asked.answered_by_job_id
    if new_job_id is not None:
        for task in {*tasks_of(session, decision.job_id), *([task_id] if task_id else [])}:
            link_task(session, task, [new_job_id])
    return {"cut_key": cut_key, "retake_id": asked.id, "job_id": new_job_id, **told}


def _note(suggestions: str | list[Any] | dict[str, Any] | None) -> str:
    """Suggestions as a person reads them."""
    if suggestions is None:
        return ""
    if isinstance(suggestions, str):
        return suggestions.strip()
    if isinstance(suggestions, list):
        return "; ".join(_said(one) for one in suggestions)
    return "; ".join(f"{name}: {_said(value)}" for name, value in suggestions.items())


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
