"""Of cuts whose wanted takes are all finished: which failed their gate, and which a person must look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from anime_pipeline.rendering.staleness import CutState

# A cut that has a selected take has passed, or a person has chosen; nothing is asked about it.
_STORIES = text("""
    WITH asked AS (
        SELECT p.cut_id, a.cut_key, a.story_hash
        FROM unnest(CAST(:cut_keys AS text[]), CAST(:story_hashes AS text[])) AS a (cut_key, story_hash)
        JOIN studio.cut_profiles p ON p.cut_key = a.cut_key
        WHERE NOT EXISTS (SELECT FROM studio.takes s WHERE s.cut_id = p.cut_id AND s.selected)
    )
    SELECT a.cut_key, w.reason AS review,
           bool_or(j.status = 'completed' AND v.verdict IS DISTINCT FROM 'failed') AS undecided,
           bool_or(v.verdict = 'failed') AS failed,
           (array_agg(t.job_id ORDER BY t.take_number DESC) FILTER (WHERE v.verdict = 'failed'))[1] AS job_id,
           (array_agg(v.reason ORDER BY t.take_number DESC) FILTER (WHERE v.verdict = 'failed'))[1] AS reason
    FROM asked a
    JOIN studio.takes t ON t.cut_id = a.cut_id AND t.story_hash = a.story_hash
                       AND t.reproduces_job_id IS NULL
    JOIN jobs j ON j.id = t.job_id
    LEFT JOIN LATERAL (
        SELECT verdict, reason FROM studio.gate_verdicts g
        WHERE g.scope = 'cut' AND g.scope_key = a.cut_key AND g.job_id = t.job_id
        ORDER BY g.id DESC LIMIT 1
    ) v ON j.status = 'completed'
    LEFT JOIN studio.cut_reviews w ON w.cut_id = a.cut_id AND w.story_hash = a.story_hash
    GROUP BY a.cut_key, w.reason
""")
_WAITING = text("""
    SELECT p.cut_key, max(t.job_id) AS job_id
    FROM render_queue q
    JOIN studio.takes t USING (job_id)
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    JOIN unnest(CAST(:cut_keys AS text[]), CAST(:story_hashes AS text[])) AS a (cut_key, story_hash)
      ON a.cut_key = p.cut_key AND a.story_hash = t.story_hash
    WHERE q.status IN ('queued', 'processing') AND t.reproduces_job_id IS NULL GROUP BY p.cut_key
""")
_RETAKES = text("""
    SELECT p.cut_key, count(*) AS retakes
    FROM studio.retakes r JOIN studio.cut_profiles p USING (cut_id)
    WHERE p.cut_key = ANY(:cut_keys) GROUP BY p.cut_key
""")


def with_verdicts(session: Session, states: Sequence[CutState]) -> list[CutState]:
    """The states, in which a current cut may turn out to be queued for a retake, failing or in review.

    Also counts each cut's retakes. Three queries, whatever the number of cuts. An unmeasured take has not
    failed.
    """
    counted: dict[str, int] = {
        row.cut_key: row.retakes
        for row in session.execute(_RETAKES, {"cut_keys": [state.cut_key for state in states]})
    }
    current = [state for state in states if state.state == "current"]
    asked = {
        "cut_keys": [state.cut_key for state in current],
        "story_hashes": [state.recipe_hash for state in current],
    }
    waiting = {row.cut_key: row.job_id for row in session.execute(_WAITING, asked)}
    failed = {
        row.cut_key: row for row in session.execute(_STORIES, asked) if row.failed and not row.undecided
    }
    told = (_told(state, waiting, failed) for state in states)
    return [replace(one, retakes=counted[one.cut_key]) if one.cut_key in counted else one for one in told]


def _told(state: CutState, waiting: Mapping[str, int], failed: Mapping[str, Any]) -> CutState:
    if state.cut_key in waiting:
        return replace(state, state="queued", job_id=waiting[state.cut_key])
    row = failed.get(state.cut_key)
    if row is None:
        return state
    if row.review is None:
        return replace(state, state="failing", job_id=row.job_id, reason=row.reason)
    return replace(state, state="in_review", job_id=row.job_id, reason=row.review)
