"""Frees losing takes' media: marked first, removed then; what a killed prune left, the next finishes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.scratch import dead_folders, remove_dead_folders
from anime_pipeline.media.store import YOUNG_SECONDS, MediaStore
from anime_pipeline.review.media_references import SHOWING_ROLES, referred_to
from anime_pipeline.review.retention import Policy, RetentionPlan, retention_plan
from anime_pipeline.settings import Settings

CHUNK = 1000
OLD_SECONDS = 86_400.0
"""An unfinished file of the store is left over when it is older than a day."""


@dataclass(frozen=True)
class PruneReport:
    """What was done: takes marked now, files and bytes removed, of earlier prunes too.

    ``waiting`` are takes whose files were stored again within the hour and wait for the next prune;
    ``leftovers`` are unfinished files and folders of killed processes that were removed.
    """

    plan: RetentionPlan
    takes: int
    files: int
    bytes: int
    waiting: int
    leftovers: int


@dataclass(frozen=True)
class Removed:
    """What one round removed; ``waiting`` takes keep files that were stored again within the hour."""

    files: int = 0
    bytes: int = 0
    waiting: int = 0


def prune(settings: Settings, scope: str | None = None, policy: Policy | None = None) -> PruneReport:
    """Free what :func:`~anime_pipeline.review.retention.retention_plan` names, then what is left over.

    Each take is looked at again when it is marked, so that one that was selected meanwhile stays. Its row,
    recipe, scores, hashes and thumbnail stay: ``reproduce`` renders it again.
    """
    with session_scope(settings) as session:
        plan = retention_plan(session, scope, policy)
    marked = 0
    for chunk in _chunks([take.job_id for take in plan.to_prune]):
        with session_scope(settings) as session:
            marked += len(_marked(session, scope, policy, chunk))
    removed = remove_pruned_media(settings)
    return PruneReport(
        plan, marked, removed.files, removed.bytes, removed.waiting, remove_leftovers(settings)
    )


def waiting_to_be_removed(session: Session) -> list[int]:
    """Job ids of takes that are marked and whose media may be there still."""
    rows = session.scalars(
        text(
            "SELECT job_id FROM studio.takes "
            "WHERE pruned_at IS NOT NULL AND media_removed_at IS NULL ORDER BY job_id"
        )
    )
    return list(rows)


def remove_pruned_media(settings: Settings, young_seconds: float = YOUNG_SECONDS) -> Removed:
    """Remove the films and frames of marked takes that nothing else names."""
    with session_scope(settings) as session:
        waiting = waiting_to_be_removed(session)
    rounds = [_removed(settings, MediaStore.of(settings), chunk, young_seconds) for chunk in _chunks(waiting)]
    return Removed(
        sum(one.files for one in rounds), sum(one.bytes for one in rounds), sum(one.waiting for one in rounds)
    )


def leftovers(settings: Settings) -> list[Path]:
    """What killed processes left: unfinished files older than a day, folders of films being built."""
    return [*MediaStore.of(settings).leftovers(OLD_SECONDS), *dead_folders(settings.home)]


def remove_leftovers(settings: Settings) -> int:
    """Remove them; how many."""
    return remove_dead_folders(settings.home) + MediaStore.of(settings).remove_leftovers(OLD_SECONDS)


def _chunks(job_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (job_ids[start : start + CHUNK] for start in range(0, len(job_ids), CHUNK))


def _marked(
    session: Session, scope: str | None, policy: Policy | None, job_ids: Collection[int]
) -> list[int]:
    """Mark those of the takes that may still be pruned, now that nobody else can select or judge them."""
    jobs = {"job_ids": list(job_ids)}
    session.execute(
        text("SELECT 1 FROM studio.takes WHERE job_id = ANY(:job_ids) ORDER BY job_id FOR UPDATE"), jobs
    )
    allowed = [take.job_id for take in retention_plan(session, scope, policy, job_ids).to_prune]
    marked = session.scalars(
        text("""
            UPDATE studio.takes SET pruned_at = CURRENT_TIMESTAMP
            WHERE job_id = ANY(:job_ids) AND pruned_at IS NULL AND NOT selected RETURNING job_id
        """),
        {"job_ids": allowed},
    )
    return list(marked)


def _removed(
    settings: Settings, store: MediaStore, job_ids: Collection[int], young_seconds: float
) -> Removed:
    """One round: files first, then the note that they are gone; killed in between, it is done again."""
    with session_scope(settings) as session:
        files = _files(session, job_ids)
        named = referred_to(session, {sha256 for _, sha256, _ in files})
        freed = {
            (sha256, suffix): store.remove(sha256, suffix, young_seconds)
            for sha256, suffix in {(sha256, suffix) for _, sha256, suffix in files if sha256 not in named}
        }
        young = {sha256 for (sha256, _), size in freed.items() if size is None}
        waiting = {job_id for job_id, sha256, _ in files if sha256 in young}
        session.execute(
            text("""
                UPDATE studio.takes SET media_removed_at = CURRENT_TIMESTAMP
                WHERE job_id = ANY(:job_ids) AND pruned_at IS NOT NULL
            """),
            {"job_ids": [job_id for job_id in job_ids if job_id not in waiting]},
        )
        gone = [size for size in freed.values() if size]
    return Removed(len(gone), sum(gone), len(waiting))


def _files(session: Session, job_ids: Collection[int]) -> list[tuple[int, str, str]]:
    """(job, sha256, suffix) of what marked takes show."""
    rows = session.execute(
        text("""
            SELECT tm.job_id, f.sha256, f.suffix
            FROM studio.take_media tm
            JOIN studio.takes t USING (job_id)
            JOIN studio.media_files f USING (sha256)
            WHERE tm.job_id = ANY(:job_ids) AND tm.role = ANY(:roles) AND t.pruned_at IS NOT NULL
        """),
        {"job_ids": list(job_ids), "roles": list(SHOWING_ROLES)},
    )
    return [(row.job_id, row.sha256, row.suffix) for row in rows]
