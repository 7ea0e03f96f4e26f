"""Which losing takes may lose their media, and why the others keep theirs. Nothing here removes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.errors import UserError
from anime_pipeline.media.store import YOUNG_SECONDS
from anime_pipeline.review.media_references import mentioned, referred_to
from anime_pipeline.story.keys import parse_scope


@dataclass(frozen=True)
class Policy:
    """What of a cut's takes is kept anyhow: the ``keep`` newest, and those younger than so many days.

    A take is pruned only where neither keeps it; both None: nothing is pruned.
    """

    keep: int | None = None
    older_than_days: float | None = None

    def __post_init__(self) -> None:
        if (self.keep is not None and self.keep < 1) or (self.older_than_days or 0) < 0:
            raise UserError(
                "the newest take of a cut is always kept", "--keep 1 or more, --older-than 0 or more"
            )

    @property
    def prunes(self) -> bool:
        """Whether it lets anything be pruned."""
        return self.keep is not None or self.older_than_days is not None


@dataclass(frozen=True)
class RetentionTake:
    """A finished take of the scope: ``kept`` says why it keeps its media, None where it may lose them.

    ``bytes`` are those of its films and frames, of which others may share some.
    """

    job_id: int
    cut_key: str
    take_number: int
    finished_at: datetime | None
    bytes: int
    kept: str | None


@dataclass(frozen=True)
class RetentionPlan:
    """What pruning would do now: ``takes`` in story order, files and bytes that nothing else names."""

    takes: tuple[RetentionTake, ...]
    files: int
    bytes: int
    pruned_before: int

    @property
    def to_prune(self) -> tuple[RetentionTake, ...]:
        """The takes that would lose their media."""
        return tuple(take for take in self.takes if take.kept is None)

    @property
    def reasons(self) -> dict[str, int]:
        """How many takes are kept for which reason, the commonest first."""
        return dict(Counter(take.kept for take in self.takes if take.kept is not None).most_common())


_TAKES = text("""
    SELECT t.job_id, p.cut_key, t.take_number, j.completed_at AS finished_at, o.retention,
           t.selected, t.pruned_at IS NOT NULL AS is_pruned, t.last_frame_sha256,
           t.reproduces_job_id IS NOT NULL AS reproduces,
           EXISTS (SELECT FROM studio.takes a WHERE a.reproduces_job_id = t.job_id) AS reproduced,
           EXISTS (SELECT FROM studio.take_choices h
                   WHERE h.job_id = t.job_id AND h.released_at IS NULL) AS chosen,
           EXISTS (SELECT FROM studio.delivery_takes d WHERE d.job_id = t.job_id) AS delivered,
           EXISTS (SELECT FROM studio.gate_verdicts v WHERE v.job_id = t.job_id) AS judged,
           EXISTS (SELECT FROM studio.render_attempts a
                   WHERE a.job_id = t.job_id AND a.outcome IS NULL) AS rendering,
           extract(epoch FROM CURRENT_TIMESTAMP::timestamp - j.completed_at) AS age,
           row_number() OVER (PARTITION BY t.cut_id, t.reproduces_job_id IS NULL ORDER BY t.take_number DESC)
               AS newness,
           row_number() OVER (PARTITION BY t.cut_id, t.reproduces_job_id IS NULL, t.server_kind
                              ORDER BY t.take_number DESC) AS newness_of_kind,
           COALESCE(f.bytes, 0) AS bytes, COALESCE(f.files, '{}') AS files
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id AND j.status IN ('completed', 'quality_check')
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    JOIN studio.project_profiles o ON o.project_id = p.project_id
    LEFT JOIN LATERAL (
        SELECT sum(m.bytes) AS bytes, array_agg(m.sha256) AS files
        FROM studio.take_media tm JOIN studio.media_files m USING (sha256)
        WHERE tm.job_id = t.job_id AND tm.role IN ('film', 'frame')
    ) f ON TRUE
    WHERE (CAST(:scope AS text) IS NULL OR p.cut_key = :scope OR starts_with(p.cut_key, :scope || '.'))
      AND (:everything OR t.cut_id IN (SELECT cut_id FROM studio.takes WHERE job_id = ANY(:job_ids)))
    ORDER BY p.cut_key COLLATE "C", t.take_number
""")

# The newest verdict of each gate, and every one that a person overrode: the take that it judged, and those
# that it found failing.
_JUDGED = text("""
    WITH standing AS (
        SELECT max(id) AS id FROM studio.gate_verdicts GROUP BY scope_key, phase
        UNION SELECT verdict_id FROM studio.gate_overrides
    )
    SELECT v.job_id FROM studio.gate_verdicts v JOIN standing USING (id) WHERE v.job_id IS NOT NULL
    UNION
    SELECT CAST(f ->> 'job_id' AS integer) FROM studio.gate_verdicts v JOIN standing USING (id),
           jsonb_array_elements(v.failing) f WHERE f ->> 'job_id' IS NOT NULL
""")

# Films and sheets that were delivered before it was noted what they show may show any take of their time.
_OLD_DELIVERIES = text("""
    SELECT d.scope_key, extract(epoch FROM CURRENT_TIMESTAMP::timestamp - max(d.created_at)) AS age
    FROM studio.deliveries d
    WHERE d.kind <> 'subtitles'
      AND NOT EXISTS (SELECT FROM studio.delivery_takes t WHERE t.delivery_id = d.id)
    GROUP BY d.scope_key
""")


def retention_plan(
    session: Session, scope: str | None = None, policy: Policy | None = None, job_ids: Collection[int] = ()
) -> RetentionPlan:
    """What pruning would do to a scope (project, episode, scene, cut; None: all), omitted cuts included.

    ``policy`` stands in place of what each project's file says. ``job_ids`` narrows it to these takes. Some
    twenty queries, whatever the number of takes. Raises :class:`~anime_pipeline.story.keys.StoryKeyError`.
    """
    if scope is not None:
        parse_scope(scope)
    asked = set(job_ids)
    rows = session.execute(_TAKES, {"scope": scope, "everything": not asked, "job_ids": list(asked)}).all()
    grounds = _Grounds(session)
    takes = [
        RetentionTake(
            row.job_id,
            row.cut_key,
            row.take_number,
            row.finished_at,
            int(row.bytes),
            grounds.kept(row, policy),
        )
        for row in rows
        if not row.is_pruned and row.files and (not asked or row.job_id in asked)
    ]
    freed = {take.job_id for take in takes if take.kept is None}
    files = {sha256 for row in rows if row.job_id in freed for sha256 in row.files}
    shared = referred_to(session, files, without=freed)
    return RetentionPlan(
        tuple(takes), len(files - shared), _bytes(session, files - shared), sum(row.is_pruned for row in rows)
    )


class _Grounds:
    """Why a take keeps its media."""

    def __init__(self, session: Session) -> None:
        self._judged = set(session.scalars(_JUDGED))
        self._mentioned = mentioned(session)
        self._deliveries = {row.scope_key: float(row.age) for row in session.execute(_OLD_DELIVERIES)}

    def kept(self, row: Any, policy: Policy | None) -> str | None:
        """The first reason, None where there is none."""
        own = policy or policy_of(row.retention)
        return next((reason for holds, reason in self._reasons(row, own) if holds), None)

    def _reasons(self, row: Any, policy: Policy) -> Iterable[tuple[bool, str]]:
        age = float("inf") if row.age is None else float(row.age)
        yield row.selected, "selected"
        yield row.chosen, "chosen by a person"
        yield row.reproduces or row.reproduced, "compared with another rendering of it"
        yield row.newness == 1 or row.newness_of_kind == 1, "the newest of its cut"
        yield row.rendering, "being rendered"
        yield not row.judged, "not judged yet"
        yield row.job_id in self._judged, "a gate's verdict tells of it"
        yield row.delivered or self._may_be_delivered(row.cut_key, age), "shown by a delivery"
        yield self._is_mentioned(row), "a recipe or the story uses its picture"
        yield age < YOUNG_SECONDS, "finished less than an hour ago"
        yield not policy.prunes, "no policy: nothing is pruned unless asked"
        yield row.newness <= (policy.keep or 1), f"one of the {policy.keep or 1} newest"
        days = policy.older_than_days or 0
        yield age < days * 86_400, f"younger than {days:g} days"

    def _is_mentioned(self, row: Any) -> bool:
        return row.last_frame_sha256 in self._mentioned or not self._mentioned.isdisjoint(row.files)

    def _may_be_delivered(self, cut_key: str, age: float) -> bool:
        parts = cut_key.split(".")
        scopes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return any(scope in self._deliveries and age >= self._deliveries[scope] for scope in scopes)


def policy_of(retention: Mapping[str, Any]) -> Policy:
    """A project's policy, as its file says."""
    return Policy(retention.get("keep"), retention.get("older_than_days"))


def _bytes(session: Session, files: Collection[str]) -> int:
    query = text("SELECT COALESCE(sum(bytes), 0) FROM studio.media_files WHERE sha256 = ANY(:files)")
    return int(session.execute(query, {"files": list(files)}).scalar_one())
