"""A renderer that renders nothing: it leases, begins attempts and reports by the queue's own functions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.film import MediaInfo
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering import queue
from anime_pipeline.rendering.budget_refusals import refused_over_budget
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.queue import Leased
from anime_pipeline.rendering.recording import Outcome, Rendered, RenderedFile, record_failure, record_success

SERVER, WORKER = "http://server", "elsewhere:1:1:a"


@dataclass(frozen=True)
class Begun:
    """A lease with its attempt; the worker may report under it at any time, also when it is another's."""

    leased: Leased
    attempt_id: int


def begin(session: Session, job_ids: list[int], server_kind: str, adopts: bool) -> Begun | Leased | None:
    """Lease the next take and begin or adopt its attempt; the bare lease where the budget refuses one."""
    leased = queue.lease(session, WORKER, SERVER, 60.0, job_ids)
    if leased is None:
        return None
    if leased.open_attempt is not None:
        assert queue.adopt_attempt(session, leased, leased.open_attempt)
        if adopts:
            return Begun(leased, leased.open_attempt.attempt_id)
        queue.end_attempt(session, leased.open_attempt.attempt_id, leased.token, "lost", "lost", "gone")
    try:
        with session.begin_nested(), refused_over_budget():
            attempt_id = queue.start_attempt(session, leased, SERVER, server_kind, str(uuid.uuid4()))
    except ComfyError as error:
        record_failure(session, leased, None, error)
        return leased
    assert attempt_id is not None
    return Begun(leased, attempt_id)


def finish(session: Session, store: MediaStore, begun: Begun, server_kind: str, seconds: float) -> Outcome:
    """Report a picture that no other take has."""
    picture = f"{begun.leased.recipe_hash} {begun.leased.job_id}".encode()
    stored = store.put_bytes(picture, ".png")
    info = MediaInfo("image", 8, 8, 1, None, "png")
    rendered = Rendered((RenderedFile(stored, info, "frame"),), "0" * 64, seconds, server_kind)
    return record_success(session, begun.leased, begun.attempt_id, rendered)


def fail(session: Session, begun: Begun, error_class: str) -> Outcome:
    """Report a failure; nobody waits for its delay."""
    error = ComfyError(error_class, "as the test says")  # type: ignore[arg-type]
    outcome = record_failure(session, begun.leased, begun.attempt_id, error)
    session.execute(text("UPDATE render_queue SET render_params = render_params - 'not_before'"))
    return outcome


def kill(session: Session, queue_id: int) -> None:
    """The worker dies: its lease runs out, and whoever comes next frees the take."""
    late = text("UPDATE studio.render_leases SET expires_at = '-infinity' WHERE queue_id = :id")
    session.execute(late, {"id": queue_id})
    assert queue.expire(session) >= 1
