"""Takes that were turned down: they stand for no cut, and no score brings them back."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Take, TakeRejection
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError, unselect_takes
from anime_pipeline.review.choices import release_choice, wait_for_other_selections

_TAKE = text("""
    SELECT p.cut_id, p.cut_key, p.project_id, h.job_id AS chosen
    FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id)
    LEFT JOIN studio.take_choices h ON h.cut_id = p.cut_id AND h.released_at IS NULL
    WHERE t.job_id = :job_id
""")


def reject_take(session: Session, job_id: int, by: str, reason: str = "") -> str:
    """Turn a take down, and take it out of its cut's film where it stands there; the cut's key.

    A choice of this very take ends. Another take is not selected in its place: that is for
    :func:`~anime_pipeline.review.selection.select_best`, or for a person, whose choice of a rejected take
    counts all the same. Raises :class:`~anime_pipeline.rendering.takes.TakeError`.
    """
    row = session.execute(_TAKE, {"job_id": job_id}).one_or_none()
    if row is None:
        raise TakeError(f"job {job_id} is no take", LIST_TAKES)
    wait_for_other_selections(session, [row.project_id])
    if row.chosen == job_id:
        release_choice(session, row.cut_key, by)
    if session.scalar(select(Take.selected).where(Take.job_id == job_id)):
        unselect_takes(session, [row.cut_id])
    values = {"rejected_by": by, "reason": reason}
    statement = insert(TakeRejection).values(job_id=job_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=values))
    return str(row.cut_key)


def rejected_takes(session: Session, cut_keys: Collection[str]) -> frozenset[int]:
    """The takes of these cuts that were turned down."""
    rows = session.scalars(
        text("""
            SELECT r.job_id FROM studio.take_rejections r JOIN studio.takes t USING (job_id)
            JOIN studio.cut_profiles p USING (cut_id) WHERE p.cut_key = ANY(:keys)
        """),
        {"keys": list(cut_keys)},
    )
    return frozenset(rows)
