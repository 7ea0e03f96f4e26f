"""The scores of takes: made of what is measured by the weights of the project, stored with their terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Measurement, ProjectProfile, SelectionScore
from anime_pipeline.quality.evidence import FRESH
from anime_pipeline.quality.phases import load_phases, phase_of_take
from anime_pipeline.review.formula import (
    CONTINUITY,
    Formula,
    Found,
    Term,
    continuity_threshold,
    effective_weights,
    total,
)


@dataclass(frozen=True)
class TakeScore:
    """A take's score, 0 to 1 (None: nothing that counts is measured), and what it is made of.

    ``before_job_id`` is the take of the cut before that its continuity was measured with. ``outdated``: the
    project's weights or thresholds have changed since; ``anime-pipeline takes score`` makes it anew.
    """

    job_id: int
    score: float | None
    terms: tuple[Term, ...]
    weights_sha256: str
    before_job_id: int | None = None
    scored_at: datetime | None = None
    outdated: bool = False

    @property
    def counted(self) -> tuple[Term, ...]:
        """The terms that count, the heaviest first."""
        terms = (term for term in self.terms if term.quality is not None)
        return tuple(sorted(terms, key=lambda term: (-term.weight, term.metric)))


@dataclass(frozen=True)
class ScoredTake:
    """What of a take decides its formula."""

    job_id: int
    project_id: int
    cut_kind: str
    has_cast: bool
    server_kind: str | None


class Scorer:
    """Scores takes of some projects by their present weights and thresholds; four queries, made at once."""

    def __init__(self, session: Session, takes: Collection[ScoredTake]) -> None:
        self._takes = {take.job_id: take for take in takes}
        projects = {take.project_id for take in takes}
        self._phases = load_phases(session, projects)
        self._weights = _weights(session, projects)
        self._found = _measurements(session, self._takes)
        self._formulas: dict[tuple[int, str], Formula] = {}

    def weighs_continuity(self, project_id: int) -> bool:
        """Whether continuity counts in this project at all."""
        return self._weights[project_id][CONTINUITY] > 0

    def formula_sha256(self, job_id: int) -> str:
        """The hash of what a take is scored by now."""
        return self._formula(self._takes[job_id]).sha256

    def score(self, job_id: int, continuity: Found | None = None, before: int | None = None) -> TakeScore:
        """A take's score; ``continuity`` where its cut is continuous with ``before``."""
        take = self._takes[job_id]
        formula = self._formula(take)
        found = dict(self._found.get(job_id, {}))
        if continuity is not None:
            found[CONTINUITY] = continuity
        terms = formula.terms(formula.phase.rules_for(take.cut_kind, take.has_cast), found)
        return TakeScore(job_id, total(terms), tuple(terms), formula.sha256, before)

    def _formula(self, take: ScoredTake) -> Formula:
        phases, weights = self._phases[take.project_id], self._weights[take.project_id]
        phase = phase_of_take(phases, take.cut_kind, take.server_kind)
        key = (take.project_id, phase.name)
        if key not in self._formulas:
            self._formulas[key] = Formula(phase, weights, continuity_threshold(phases.values()))
        return self._formulas[key]


def scores_of(session: Session, job_ids: Collection[int]) -> dict[int, TakeScore]:
    """The stored scores of these takes, by job id; a take that was never scored has none."""
    rows = session.scalars(
        select(SelectionScore).where(SelectionScore.job_id.in_(list(job_ids))), execution_options=FRESH
    ).all()
    scorer = Scorer(session, _scored_takes(session, [row.job_id for row in rows]))
    return {
        row.job_id: TakeScore(
            row.job_id,
            row.score,
            tuple(Term(**term) for term in row.terms),
            row.weights_sha256,
            row.before_job_id,
            row.scored_at,
            outdated=row.weights_sha256 != scorer.formula_sha256(row.job_id),
        )
        for row in rows
    }


def store_scores(session: Session, scores: Collection[TakeScore]) -> None:
    """Keep these scores in place of the takes' earlier ones; one that is the same keeps its date."""
    if not scores:
        return
    statement = insert(SelectionScore)
    new = statement.excluded
    columns = ("score", "terms", "weights_sha256", "before_job_id")
    row = SelectionScore.__table__.c
    statement = statement.on_conflict_do_update(
        index_elements=["job_id"],
        set_={**{name: new[name] for name in columns}, "scored_at": text("CURRENT_TIMESTAMP")},
        where=or_(*(row[name].is_distinct_from(new[name]) for name in columns)),
    )
    session.execute(statement, [_row(score) for score in sorted(scores, key=lambda one: one.job_id)])


def _row(score: TakeScore) -> dict[str, Any]:
    return {
        "job_id": score.job_id,
        "score": score.score,
        "terms": [term.as_json() for term in score.terms],
        "weights_sha256": score.weights_sha256,
        "before_job_id": score.before_job_id,
    }


def _weights(session: Session, project_ids: Collection[int]) -> dict[int, dict[str, float]]:
    query = select(ProjectProfile.project_id, ProjectProfile.selection)
    rows = session.execute(query.where(ProjectProfile.project_id.in_(project_ids)))
    return {project_id: effective_weights(selection) for project_id, selection in rows}


def _measurements(session: Session, job_ids: Collection[int]) -> Mapping[int, dict[str, Found]]:
    row = Measurement
    columns = (row.job_id, row.metric_name, row.value, row.state, row.reason, row.remedy)
    found: dict[int, dict[str, Found]] = {}
    for job_id, metric, value, state, reason, remedy in session.execute(
        select(*columns).where(row.job_id.in_(list(job_ids)))
    ):
        said = None if value is not None else f"{state.replace('_', ' ')}: {reason}"
        found.setdefault(job_id, {})[metric] = Found(value, said, remedy)
    return found


_TAKES = text("""
    SELECT t.job_id, p.project_id, p.kind AS cut_kind, t.server_kind,
           COALESCE(cardinality(c.character_ids), 0) > 0 AS has_cast
    FROM studio.takes t
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    JOIN cuts c ON c.id = t.cut_id
    WHERE t.job_id = ANY(:job_ids)
""")


def _scored_takes(session: Session, job_ids: Collection[int]) -> list[ScoredTake]:
    return [ScoredTake(**row._mapping) for row in session.execute(_TAKES, {"job_ids": list(job_ids)})]
