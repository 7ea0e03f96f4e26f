"""Records how an attempt ended, in one transaction and only under the current token."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile, Take, TakeMedia
from anime_pipeline.media.film import MediaInfo
from anime_pipeline.media.store import StoredFile
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.fate import Scene, decide
from anime_pipeline.rendering.queue import (
    Leased,
    end_attempt,
    give_up_lease,
    leave_open,
    log_late_report,
    put_back,
)

_log = logging.getLogger(__name__)

Outcome = Literal["finished", "retried", "failed", "superseded"]


@dataclass(frozen=True)
class RenderedFile:
    """A file of a take in the store."""

    stored: StoredFile
    info: MediaInfo
    role: Literal["film", "frame", "thumbnail"]


@dataclass(frozen=True)
class Rendered:
    """What an attempt brought home: its files in order, a thumbnail last, the hash of their pixels, the
    server's seconds.
    """

    files: tuple[RenderedFile, ...]
    pixels_sha256: str
    seconds: float | None
    server_kind: str


def record_success(session: Session, leased: Leased, attempt_id: int, rendered: Rendered) -> Outcome:
    """Record a finished take, unless the lease is another's by now: then nothing of it is applied."""
    if not give_up_lease(session, leased):
        return _late(session, leased, attempt_id, "finished under an old token")
    session.execute(
        insert(MediaFile)
        .values(
            [_media_values(file) for file in {file.stored.sha256: file for file in rendered.files}.values()]
        )
        .on_conflict_do_nothing()
    )
    session.execute(
        insert(TakeMedia).values(
            [
                {
                    "job_id": leased.job_id,
                    "role": file.role,
                    "position": position,
                    "sha256": file.stored.sha256,
                }
                for position, file in enumerate(rendered.files)
            ]
        )
    )
    session.execute(
        update(Take)
        .where(Take.job_id == leased.job_id)
        .values(server_kind=rendered.server_kind, pixels_sha256=rendered.pixels_sha256)
    )
    end_attempt(session, attempt_id, leased.token, "succeeded", gpu_seconds=rendered.seconds)
    frames = sum(file.info.frame_count for file in rendered.files if file.role != "thumbnail")
    session.execute(
        text(
            "UPDATE jobs SET status = 'completed', completed_at = CURRENT_TIMESTAMP, error_message = NULL, "
            "output_path = :location, current_frame = :frames WHERE id = :job_id"
        ),
        {"location": rendered.files[0].stored.location, "frames": frames, "job_id": leased.job_id},
    )
    session.execute(
        text(
            "UPDATE render_queue SET status = 'completed', attempts = attempts + 1, error_message = NULL, "
            "completed_at = CURRENT_TIMESTAMP WHERE id = :queue_id"
        ),
        {"queue_id": leased.queue_id},
    )
    return "finished"


def note_progress(session: Session, leased: Leased, fraction: float) -> None:
    """Note how many frames of a take are done, 0 to 1 of all; nothing where the lease is another's by now."""
    session.execute(
        text("""
            UPDATE jobs SET current_frame = floor(:fraction * total_frames)
            WHERE id = :job_id AND status = 'processing'
              AND current_frame IS DISTINCT FROM floor(:fraction * total_frames)
              AND EXISTS (SELECT FROM studio.render_leases WHERE queue_id = :queue_id AND token = :token)
        """),
        {"fraction": fraction, "job_id": leased.job_id, "queue_id": leased.queue_id, "token": leased.token},
    )


def record_failure(
    session: Session, leased: Leased, attempt_id: int | None, error: ComfyError, scene: Scene | None = None
) -> Outcome:
    """Record a failed attempt: the take goes back to the queue with a delay, or fails for good."""
    if not give_up_lease(session, leased):
        return _late(session, leased, attempt_id, str(error))
    # A connection that broke says nothing about the prompt: its attempt stays open, and whoever leases the
    # take next asks the server for it.
    if attempt_id is not None and error.error_class == "connection":
        leave_open(session, attempt_id, leased.token, str(error))
    elif attempt_id is not None:
        outcome = {"lost": "lost", "interrupted": "cancelled"}.get(error.error_class, "failed")
        end_attempt(session, attempt_id, leased.token, outcome, error.error_class, str(error))
    fate = decide(session, leased, error, scene)
    if fate.again:
        put_back(session, leased, fate.delay_seconds)
        return "retried"
    if error.error_class == "connection" and attempt_id is not None:
        end_attempt(session, attempt_id, leased.token, "lost", error.error_class, str(error))
    status = "cancelled" if error.error_class == "interrupted" else "failed"
    _end_take(session, leased, status, fate.message)
    return "failed"


def record_stop(
    session: Session, leased: Leased, attempt_id: int | None, why: str = "the worker was told to stop"
) -> bool:
    """The worker was told to stop, or the server was paused: the take goes back to the queue as it was.

    False when the lease is another's by now.
    """
    if not give_up_lease(session, leased):
        return False
    if attempt_id is not None:
        end_attempt(session, attempt_id, leased.token, "cancelled", None, why)
    put_back(session, leased)
    return True


def _end_take(session: Session, leased: Leased, status: str, message: str) -> None:
    session.execute(
        text(
            "UPDATE render_queue SET status = :status, completed_at = CURRENT_TIMESTAMP WHERE id = :queue_id"
        ),
        {"status": status, "queue_id": leased.queue_id},
    )
    session.execute(
        text(
            "UPDATE jobs SET status = :status, error_message = :message, completed_at = CURRENT_TIMESTAMP "
            "WHERE id = :job_id"
        ),
        {"status": status, "message": message, "job_id": leased.job_id},
    )


def _late(session: Session, leased: Leased, attempt_id: int | None, said: str) -> Outcome:
    _log.warning("%s: a late report under token %s is not applied: %s", leased.cut_key, leased.token, said)
    if attempt_id is not None:
        log_late_report(session, leased, attempt_id, said)
    return "superseded"


def _media_values(file: RenderedFile) -> dict[str, object]:
    return {
        "sha256": file.stored.sha256,
        "kind": file.info.kind,
        "suffix": file.stored.suffix,
        "bytes": file.stored.bytes,
        "location": file.stored.location,
        "width": file.info.width,
        "height": file.info.height,
        "frame_count": file.info.frame_count,
        "fps": file.info.fps,
    }
