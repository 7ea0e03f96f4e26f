"""What cuts may spend on takes that nobody asked for, and have spent; the database holds them to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Budget:
    """A cut's budget for the story that it tells, with what is spent of it.

    ``attempts`` are for one take each; ``retakes`` those that begin by themselves. ``asked`` counts the
    retakes of this story that a person asked for, which the budget does not limit, though their GPU seconds
    count.
    """

    cut_key: str
    attempts: int
    retakes: int
    retakes_spent: int
    gpu_seconds: float
    gpu_seconds_spent: float
    asked: int = 0

    @property
    def spent(self) -> str | None:
        """Why no further take begins by itself, or None while one may."""
        if self.retakes_spent >= self.retakes:
            return f"{self.retakes_spent} of {self.retakes} retakes are spent"
        if self.gpu_seconds_spent >= self.gpu_seconds:
            return f"{self.gpu_seconds_spent:.1f} of {self.gpu_seconds:g} GPU seconds are spent"
        return None


_BUDGETS = text("""
    SELECT p.cut_key, b.attempts, b.retakes, b.gpu_seconds,
           (SELECT count(*) FROM studio.retakes r
            WHERE r.cut_id = p.cut_id AND r.story_hash = a.story_hash AND r.automatic) AS retakes_spent,
           (SELECT count(*) FROM studio.retakes r
            WHERE r.cut_id = p.cut_id AND r.story_hash = a.story_hash AND NOT r.automatic) AS asked,
           studio.gpu_seconds_spent(p.cut_id, a.story_hash) AS gpu_seconds_spent
    FROM unnest(CAST(:cut_keys AS text[]), CAST(:story_hashes AS text[])) AS a (cut_key, story_hash)
    JOIN studio.cut_profiles p USING (cut_key)
    CROSS JOIN LATERAL studio.budget_of(p.cut_id) b
""")


def budgets_of(session: Session, stories: Collection[tuple[str, str]]) -> dict[str, Budget]:
    """The budget of each (cut key, story hash), by cut key."""
    asked = {"cut_keys": [key for key, _ in stories], "story_hashes": [story for _, story in stories]}
    rows = session.execute(_BUDGETS, asked).mappings()
    return {row["cut_key"]: Budget(**row) for row in rows}


def is_budget_error(error: IntegrityError) -> bool:
    """Whether the database refused something because a budget is spent."""
    diagnostics = getattr(error.orig, "diag", None)
    name = getattr(diagnostics, "constraint_name", None)
    return name in ("retakes_within_budget", "retakes_within_gpu_seconds")
