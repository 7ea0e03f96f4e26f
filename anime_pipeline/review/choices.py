"""A person's choice of a take: it stands above every score until it is released or another is chosen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import TakeChoice
from anime_pipeline.errors import UserError
from anime_pipeline.quality.evidence import FRESH
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError, select_takes

LONGEST_NAME = 120


@dataclass(frozen=True)
class Choice:
    """Who chose a take for its cut, when (UTC) and why; it holds while ``released_at`` is None."""

    job_id: int
    chosen_by: str
    note: str | None
    chosen_at: datetime
    released_by: str | None = None
    released_at: datetime | None = None


_TAKE = text("""
    SELECT p.cut_id, p.cut_key, p.project_id
    FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) WHERE t.job_id = :job_id
""")
_RELEASE = text("""
    UPDATE studio.take_choices SET released_at = CURRENT_TIMESTAMP, released_by = :by
    WHERE cut_id = :cut_id AND released_at IS NULL
""")


def choose_take(session: Session, job_id: int, by: str, note: str | None = None) -> str:
    """Make a finished take, passed or not, the one that stands for its cut, for ``by``; the cut's key.

    The choice holds whatever is rendered, measured or edited later. Takes after it in a continuous scene are
    compared anew by :func:`~anime_pipeline.review.selection.select_best` of the cut. Raises
    :class:`~anime_pipeline.rendering.takes.TakeError`.
    """
    name = by.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise UserError("a choice needs the name of who makes it", f"give 1 to {LONGEST_NAME} letters")
    row = session.execute(_TAKE, {"job_id": job_id}).one_or_none()
    if row is None:
        raise TakeError(f"job {job_id} is no take", LIST_TAKES)
    wait_for_other_selections(session, [row.project_id])
    select_takes(session, [job_id])
    session.execute(_RELEASE, {"cut_id": row.cut_id, "by": name})
    said = (note or "").strip() or None
    session.add(TakeChoice(cut_id=row.cut_id, job_id=job_id, chosen_by=name, note=said))
    session.flush()
    return str(row.cut_key)


def release_choice(session: Session, cut_key: str, by: str | None = None) -> bool:
    """Give a cut's choice back to the score; False where no person had chosen. The take stays selected until
    :func:`~anime_pipeline.review.selection.select_best` is asked again.
    """
    row = session.execute(
        text("SELECT cut_id, project_id FROM studio.cut_profiles WHERE cut_key = :key"), {"key": cut_key}
    ).one_or_none()
    if row is None:
        raise UserError(f"there is no cut {cut_key}", "anime-pipeline status lists the cuts")
    wait_for_other_selections(session, [row.project_id])
    released = session.execute(
        text(f"{_RELEASE.text} RETURNING id"), {"cut_id": row.cut_id, "by": (by or "").strip() or None}
    )
    return released.first() is not None


def choices_of(session: Session, job_ids: Collection[int]) -> dict[int, list[Choice]]:
    """Every choice that was made of these takes, oldest first, released ones too."""
    rows = session.scalars(
        select(TakeChoice).where(TakeChoice.job_id.in_(list(job_ids))).order_by(TakeChoice.id),
        execution_options=FRESH,
    )
    found: dict[int, list[Choice]] = {}
    for row in rows:
        choice = Choice(row.job_id, row.chosen_by, row.note, row.chosen_at, row.released_by, row.released_at)
        found.setdefault(row.job_id, []).append(choice)
    return found


def holding_choice(choices: Collection[Choice]) -> Choice | None:
    """The one that holds."""
    return next((choice for choice in choices if choice.released_at is None), None)


def wait_for_other_selections(session: Session, project_ids: Collection[int]) -> None:
    """Hold off whoever else would select takes of these projects until this session's transaction ends."""
    for project_id in sorted(project_ids):
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.select'), :project_id)"),
            {"project_id": project_id},
        )
