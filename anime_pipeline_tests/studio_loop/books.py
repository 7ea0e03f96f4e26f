"""What a machine remembers of its production, and what the database must say whatever has happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.override_log import Override
from anime_pipeline_tests.studio_loop.story import ATTEMPTS, GPU_SECONDS, RETAKES, Story

_TAKES = text("""
    SELECT t.job_id, t.cut_id, t.recipe_hash, t.variant, t.selected, t.pruned_at, t.reproduces_job_id,
           t.media_removed_at, j.status, q.status AS queue_status, q.attempts, q.max_attempts, l.token,
           (SELECT count(*) FROM studio.render_attempts a WHERE a.job_id = t.job_id
            AND a.outcome = 'succeeded') AS succeeded,
           ARRAY(SELECT f.sha256 || f.suffix FROM studio.take_media m JOIN studio.media_files f USING (sha256)
                 WHERE m.job_id = t.job_id) AS files
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    JOIN render_queue q ON q.job_id = t.job_id
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    LEFT JOIN studio.render_leases l ON l.queue_id = q.id
    WHERE p.project_id = :project
""")
_RETAKES = text("""
    SELECT cut_id, story_hash, count(*) AS number FROM studio.retakes r
    JOIN studio.cut_profiles p USING (cut_id)
    WHERE automatic AND p.project_id = :project GROUP BY cut_id, story_hash
""")
_VERDICTS = text("""
    SELECT id, verdict, judged_sha256, reason, failing::text, judged_cuts::text
    FROM studio.gate_verdicts WHERE project_id = :project
""")
_OVERRIDES = text(
    "SELECT id, withdrawn_at FROM studio.gate_overrides WHERE split_part(scope_key, '.', 1) = :slug"
)


class Books:
    """The takes, verdicts and overrides of one production, as they were seen; nothing of it may be lost."""

    BUDGETS = """
        SELECT t.job_id, r.id IS NOT NULL AS is_automatic, q.attempts, q.max_attempts,
               studio.gpu_seconds_spent(t.cut_id, r.story_hash) AS spent
        FROM studio.takes t
        JOIN render_queue q ON q.job_id = t.job_id
        JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
        LEFT JOIN studio.retakes r ON r.answered_by_job_id = t.job_id AND r.automatic
        WHERE p.cut_key LIKE :slug || '.%'
    """

    def __init__(self, story: Story, project_id: int) -> None:
        self._story, self._project_id = story, project_id
        self._seen: dict[int, str] = {}
        self._verdicts: dict[int, Hashable] = {}
        self._overrides: dict[int, tuple[Override, Hashable]] = {}
        self._withdrawn: set[int] = set()
        self._turn = 0

    def turn(self) -> int:
        """A number that goes up."""
        self._turn += 1
        return self._turn

    def attempt_began(self, before: Any, adopted: bool) -> None:
        """An attempt is begun only within the budget; one that is adopted was begun before."""
        if adopted:
            return
        assert before.attempts < before.max_attempts
        if before.is_automatic:
            assert before.spent < GPU_SECONDS
            assert before.attempts < max(ATTEMPTS, before.max_attempts)

    def overridden(self, override: Override, judged: Hashable) -> None:
        """A person has opened a gate for what was there."""
        self._overrides[override.id] = (override, judged)

    def withdrawn(self, override_id: int) -> None:
        """And has taken it back."""
        self._withdrawn.add(override_id)

    def open_overrides(self) -> list[int]:
        """Overrides that were not withdrawn."""
        return [id_ for id_ in self._overrides if id_ not in self._withdrawn]

    def holds(self, scope: str, phase: str, judged: Hashable) -> bool:
        """Whether one of them opens this gate for what is there now."""
        return any(
            (override.scope_key, override.phase) == (scope, phase) and (override.standing or was == judged)
            for override, was in (self._overrides[id_] for id_ in self.open_overrides())
        )

    def check(self, session: Session, store: MediaStore) -> None:
        """Everything that must be true of takes, queue, budgets, verdicts and overrides."""
        asked = {"project": self._project_id, "slug": self._story.slug}
        takes = session.execute(_TAKES, asked).all()
        self._check_nothing_is_lost(takes, store)
        self._check_queue(takes)
        self._check_rendered_once(takes)
        assert all(row.number <= RETAKES for row in session.execute(_RETAKES, asked))
        verdicts: dict[int, Hashable] = {row.id: tuple(row) for row in session.execute(_VERDICTS, asked)}
        assert self._verdicts.items() <= verdicts.items(), "a verdict was changed or lost"
        self._verdicts = verdicts
        logged = {row.id: row.withdrawn_at is not None for row in session.execute(_OVERRIDES, asked)}
        assert logged == {id_: id_ in self._withdrawn for id_ in self._overrides}

    def _check_nothing_is_lost(self, takes: Any, store: MediaStore) -> None:
        now = {take.job_id: take.status for take in takes}
        assert self._seen.keys() <= now.keys(), "a take was lost"
        assert all(now[job_id] == "completed" for job_id, was in self._seen.items() if was == "completed")
        self._seen = now
        for take in takes:
            if take.status == "completed" and take.media_removed_at is None:
                assert take.files, "a finished take has no file"
                assert all(store.exists(name[:64], name[64:]) for name in take.files)

    def _check_queue(self, takes: Any) -> None:
        for take in takes:
            assert take.status == take.queue_status
            assert (take.status == "processing") == (take.token is not None), (
                "a lease and nobody, or the other way"
            )
            assert take.attempts <= take.max_attempts, "an attempt beyond the budget"

    def _check_rendered_once(self, takes: Any) -> None:
        rendered = [
            (take.cut_id, take.recipe_hash)
            for take in takes
            if take.status == "completed" and take.reproduces_job_id is None and not take.variant.get("again")
        ]
        assert all(number == 1 for number in Counter(rendered).values()), "a recipe was rendered twice"
        assert all(take.succeeded == (take.status == "completed") for take in takes)
        selected = [take for take in takes if take.selected]
        assert len({take.cut_id for take in selected}) == len(selected)
        assert all(take.status == "completed" and take.pruned_at is None for take in selected)
