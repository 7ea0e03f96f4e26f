"""Which message does what. Effects are written in the caller's transaction; UserError refuses a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from sqlalchemy.orm import Session

from anime_pipeline.echo_brain.approvals import approve_character
from anime_pipeline.echo_brain.checks import check_consistency
from anime_pipeline.echo_brain.decisions import decide
from anime_pipeline.echo_brain.errors import MessageError
from anime_pipeline.echo_brain.events import (
    USUAL_TASK_PRIORITY,
    CharacterApproved,
    ConsistencyCheck,
    CutsWanted,
    Message,
    QualityDecision,
    RenderType,
    ShotWanted,
    StoryUpdated,
    Task,
    validated,
)
from anime_pipeline.echo_brain.renders import render_cuts, render_shot
from anime_pipeline.echo_brain.status import CHECK
from anime_pipeline.echo_brain.stories import story_updated
from anime_pipeline.settings import Settings

Outcome = dict[str, Any]
Handler = Callable[[Session, Settings, Message], Outcome]
RENDER_TYPES: tuple[str, ...] = get_args(RenderType)


class UnknownKindError(MessageError):
    """A kind of message that this worker does not know; it is kept."""


def apply_message(session: Session, settings: Settings, message: Message) -> Outcome:
    """Do what a message says; what came of it, as JSON. Raises UserError; UnknownKindError for its kind."""
    handler = HANDLERS.get(message.event_type)
    if handler is None:
        known = ", ".join(sorted(HANDLERS))
        raise UnknownKindError(f"{message.event_type} is no event of ours; known are {known}.")
    return handler(session, settings, message)


def apply_task(session: Session, settings: Settings, task: Task) -> Outcome:
    """Do a task: renders of one kind, of cuts or of a shot; or a consistency check, at once."""
    if task.task_type == CHECK:
        return check_consistency(session, settings, validated(ConsistencyCheck, task.payload))
    if task.task_type not in RENDER_TYPES:
        known = ", ".join((*RENDER_TYPES, CHECK))
        raise UnknownKindError(f"{task.task_type} is no task of ours; known are {known}.")
    payload = {**task.payload, "task_id": task.task_id}
    payload.setdefault("priority", task.priority - USUAL_TASK_PRIORITY)
    if task.project_id is not None:
        payload.setdefault("project_id", task.project_id)
    if "prompt" not in payload and task.task_type != "character_sheet":
        return render_cuts(session, settings, validated(CutsWanted, payload), task.task_type)
    return render_shot(session, settings, validated(ShotWanted, {"job_type": task.task_type, **payload}))


def _render_requested(session: Session, settings: Settings, message: Message) -> Outcome:
    data = dict(message.data)
    if message.task_id is not None:
        data.setdefault("task_id", message.task_id)
    if "prompt" in data:
        return render_shot(session, settings, validated(ShotWanted, data))
    return render_cuts(session, settings, validated(CutsWanted, data))


def _character_approved(session: Session, settings: Settings, message: Message) -> Outcome:
    return approve_character(session, settings, validated(CharacterApproved, message.data))


def _quality_decision(session: Session, settings: Settings, message: Message) -> Outcome:
    return decide(session, settings, validated(QualityDecision, message.data), message.task_id)


def _story_updated(session: Session, settings: Settings, message: Message) -> Outcome:
    return story_updated(session, settings, validated(StoryUpdated, message.data))


HANDLERS: dict[str, Handler] = {
    "render.requested": _render_requested,
    "character.approved": _character_approved,
    "quality.decision": _quality_decision,
    "story.updated": _story_updated,
}
