"""One writer of the story at a time: an import compares and writes, and nothing may change in between."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

# Any number does for a lock that all writers take.
_STORY_LOCK = 0x616E696D65


def lock_story(session: Session) -> None:
    """Wait for other writers of the story; they wait for us until this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_STORY_LOCK)))
