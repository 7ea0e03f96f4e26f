"""Takes that someone asks for by name: of a cut of the story, or of a shot that stands in none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.enqueue import JOB_TYPES
from anime_pipeline.rendering.planning import PlannedCut, plan_cuts
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutKind
from anime_pipeline.story.unscripted import CastMember, Shot, place_shot

JobType = Literal["still_image", "animation_loop", "full_video", "character_sheet"]

KINDS: dict[JobType, CutKind] = {
    "still_image": "still",
    "animation_loop": "loop",
    "full_video": "video",
    "character_sheet": "still",
}
USUAL_FRAMES: dict[CutKind, int] = {"still": 1, "loop": 16, "video": 120}
SHEET = (
    "character sheet, turnaround of one character: front view, three-quarter view, side view, back view, "
    "full body, neutral pose, plain background"
)


class RequestError(UserError):
    """A take that cannot be rendered as asked; ``field`` names what is at fault, where one field is."""

    def __init__(self, message: str, remedy: str | None = None, field: str | None = None) -> None:
        super().__init__(message, remedy)
        self.field = field


@dataclass(frozen=True)
class ShotRequest:
    """A free take. ``frames`` None: one for stills, 16 for loops, 120 for videos; a still has one frame.

    A character sheet needs exactly one character; its views come before the prompt.
    """

    project_id: int
    job_type: JobType
    prompt: str
    negative_prompt: str = ""
    frames: int | None = None
    fps: int | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    workflow: str | None = None
    priority: int = 0
    cast: Sequence[CastMember] = field(default_factory=tuple)


def request_shot(session: Session, settings: Settings, request: ShotRequest, requested_by: str) -> int:
    """Queue a free take; its job id. Raises :class:`RequestError` and what placing and planning raise."""
    kind = KINDS[request.job_type]
    _check(request, kind)
    prompt = f"{SHEET}, {request.prompt}" if request.job_type == "character_sheet" else request.prompt
    shot = Shot(
        prompt=prompt, kind=kind, frames=request.frames or USUAL_FRAMES[kind],
        negative_prompt=request.negative_prompt, fps=request.fps, width=request.width, height=request.height,
        seed=request.seed, workflow=request.workflow, cast=request.cast,
    )  # fmt: skip
    key = place_shot(session, request.project_id, shot)
    [planned] = plan_cuts(session, settings, [key])
    job_id = _queued(planned)
    character = request.cast[0].character_id if request.cast else None
    _mark(session, job_id, requested_by, request.priority, request.job_type, character, {"unscripted": True})
    return job_id


def request_cut(
    session: Session, settings: Settings, cut_id: int, requested_by: str, priority: int = 0
) -> list[PlannedCut]:
    """Queue what is missing of the takes that a cut wants.

    A plan that is ``current`` names a take that is finished already; a further one is a retake. Raises
    :class:`RequestError`.
    """
    profile = session.get(CutProfile, cut_id)
    if profile is None or profile.omitted_at is not None:
        raise RequestError(f"There is no cut {cut_id} in a story.", "Restore it, or name another.", "cut_id")
    planned = plan_cuts(session, settings, [profile.cut_key])
    for one in planned:
        job_id = _queued(one)
        if one.state == "queued":
            _mark(session, job_id, requested_by, priority, JOB_TYPES[profile.kind], None, {})
    return planned


def mark_requested(session: Session, job_ids: Sequence[int], requested_by: str) -> None:
    """Note who asked for these takes; of second takes, only those are rendered without further ado."""
    session.execute(
        text(
            "UPDATE jobs SET metadata = COALESCE(metadata, '{}') || jsonb_build_object('requested_by', "
            "CAST(:who AS text)) WHERE id = ANY(:job_ids)"
        ),
        {"who": requested_by, "job_ids": list(job_ids)},
    )


def _check(request: ShotRequest, kind: CutKind) -> None:
    if kind == "still" and request.frames not in (None, 1):
        raise RequestError(f"A {request.job_type} has one frame, not {request.frames}.", None, "frames")
    if kind != "still" and request.frames == 1:
        raise RequestError(f"A {request.job_type} has at least 2 frames.", None, "frames")
    for name in ("width", "height"):
        side = getattr(request, name)
        if side is not None and (side % 2 or not 16 <= side <= 8192):
            raise RequestError(f"{side} pixels cannot be filmed.", "Even, from 16 to 8192.", name)
    if request.job_type == "character_sheet" and len(request.cast) != 1:
        raise RequestError(
            "A character_sheet shows one character.", "Name it as character_id.", "character_id"
        )


def _queued(planned: PlannedCut) -> int:
    if planned.state == "failed" or planned.job_id is None:
        raise RequestError(f"{planned.cut_key} cannot be rendered: {planned.reason}")
    return planned.job_id


def _mark(
    session: Session, job_id: int, requested_by: str, priority: int, job_type: str,
    character_id: int | None, marks: dict[str, Any],
) -> None:  # fmt: skip
    mark_requested(session, [job_id], requested_by)
    session.execute(
        text("""
            UPDATE jobs SET job_type = :job_type, character_id = COALESCE(:character_id, character_id),
                priority = :priority, metadata = COALESCE(metadata, '{}') || CAST(:marks AS jsonb)
            WHERE id = :job_id
        """),
        {
            "job_id": job_id, "job_type": job_type, "character_id": character_id, "priority": priority,
            "marks": json.dumps(marks),
        },
    )  # fmt: skip
    session.execute(
        text("UPDATE render_queue SET priority = :priority WHERE job_id = :job_id AND status = 'queued'"),
        {"priority": priority, "job_id": job_id},
    )
