"""Answers failed takes with further ones, while the budget lasts; then hands the cut to a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, CutReview, Retake
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.further_takes import has_effect, plan_further_takes, takes_a_new_seed
from anime_pipeline.rendering.planning import picture_suffixes, wait_for_other_planners
from anime_pipeline.rendering.second_takes import forget_cached_results
from anime_pipeline.rendering.staleness import FAILING, CutState, states_of
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Further, Variant
from anime_pipeline.review.budgets import Budget, budgets_of, is_budget_error
from anime_pipeline.review.inherited_tasks import inherit_tasks
from anime_pipeline.review.strategies import Cause, Possible, Step, cause_of, choose, said_of
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutContext


@dataclass(frozen=True)
class RetakeDecision:
    """What was decided about a cut whose takes all failed.

    ``retaken``: ``job_id`` waits in the queue as retake ``retake_id``. ``in_review``: a person must look.
    """

    cut_key: str
    outcome: Literal["retaken", "in_review"]
    cause: Cause
    reason: str
    strategy: str | None = None
    retake_id: int | None = None
    job_id: int | None = None


@dataclass(frozen=True)
class _Failure:
    """A cut whose takes all failed: the newest of them, and each metric that one failed."""

    state: CutState
    context: CutContext
    variant: Variant
    metrics: tuple[str, ...]

    @property
    def cause(self) -> Cause:
        return cause_of(self.metrics)

    @property
    def story_hash(self) -> str:
        assert self.state.recipe_hash is not None
        return self.state.recipe_hash


@dataclass(frozen=True)
class _Answer:
    failure: _Failure
    step: Step
    reason: str
    further: Further


# The newest verdict on each take that failed, with what it failed.
_FAILED = text("""
    SELECT t.job_id, t.variant, v.failing
    FROM studio.takes t
    JOIN LATERAL (
        SELECT verdict, failing FROM studio.gate_verdicts g
        WHERE g.job_id = t.job_id AND g.scope = 'cut' ORDER BY g.id DESC LIMIT 1
    ) v ON v.verdict = 'failed'
    WHERE t.job_id = ANY(:job_ids)
""")
_TRIED = text("""
    SELECT r.cause, r.strategy, r.reason, r.answered_by_job_id AS job_id, t.take_number, j.status, v.verdict,
           v.failing, p.cut_key, r.automatic
    FROM studio.retakes r
    JOIN studio.cut_profiles p USING (cut_id)
    JOIN unnest(CAST(:cut_keys AS text[]), CAST(:story_hashes AS text[])) AS a (cut_key, story_hash)
      ON a.cut_key = p.cut_key AND a.story_hash = r.story_hash
    LEFT JOIN studio.takes t ON t.job_id = r.answered_by_job_id
    LEFT JOIN jobs j ON j.id = r.answered_by_job_id
    LEFT JOIN LATERAL (
        SELECT verdict, failing FROM studio.gate_verdicts g
        WHERE g.job_id = t.job_id AND g.scope = 'cut' ORDER BY g.id DESC LIMIT 1
    ) v ON TRUE
    ORDER BY r.id
""")


def answer_failures(session: Session, settings: Settings, cut_keys: Collection[str]) -> list[RetakeDecision]:
    """Decide about each of these cuts whose takes of the current story are finished and all failed.

    While the cut's budget lasts and something is left to try, one further take is queued. Cuts that have
    passed, wait for a take or are not measured are left alone, so that calling it again does nothing more.
    Several processes may call it at once. With ANIME_RETAKES=off nothing is decided.
    """
    if settings.retakes == "off":
        return []
    failures = _failures(session, settings, sorted(set(cut_keys)))
    if not failures:
        return []
    stories = [(failure.state.cut_key, failure.story_hash) for failure in failures]
    budgets, tried = budgets_of(session, stories), _tried(session, stories)
    library = TemplateLibrary.of(settings)
    suffixes = picture_suffixes(session, [failure.context for failure in failures])
    answers: list[_Answer] = []
    decisions: list[RetakeDecision] = []
    for failure in failures:
        key = failure.state.cut_key
        made = _answer(failure, budgets[key], tried.get(key, ()), library, suffixes)
        if isinstance(made, str):
            decisions.append(_hand_over(session, failure, made, tried.get(key, ())))
        else:
            answers.append(made)
    if any(answer.further.again is not None for answer in answers):
        forget_cached_results(session, settings)  # or the server would answer with the broken picture
    decisions += [_retaken(session, settings, answer, tried) for answer in answers]
    return sorted(decisions, key=lambda decision: decision.cut_key)


def _failures(session: Session, settings: Settings, keys: Sequence[str]) -> list[_Failure]:
    """Cuts whose takes all failed, under the planners' lock, so that nobody answers one twice."""
    failing = [state for state in _states(session, settings, keys) if state.state in FAILING]
    if not failing:
        return []
    wait_for_other_planners(session, _projects(session, [state.cut_key for state in failing]))
    states = [
        state
        for state in _states(session, settings, [state.cut_key for state in failing])
        if state.state in FAILING
    ]
    contexts = load_render_contexts(session, settings, [state.cut_key for state in states])
    rows = session.execute(_FAILED, {"job_ids": [state.job_id for state in states]})
    found = {row.job_id: row for row in rows}
    return [
        _Failure(
            state,
            contexts[state.cut_key],
            Variant.from_json(found[state.job_id].variant),
            _metrics(found[state.job_id].failing),
        )
        for state in states
        if state.job_id in found  # else it has been judged anew in between
    ]


def _states(session: Session, settings: Settings, keys: Sequence[str]) -> list[CutState]:
    return states_of(session, settings, keys, check_files=False)


def _projects(session: Session, keys: Sequence[str]) -> set[int]:
    return set(session.scalars(select(CutProfile.project_id).where(CutProfile.cut_key.in_(keys))))


def _tried(session: Session, stories: Sequence[tuple[str, str]]) -> dict[str, list[Mapping[str, Any]]]:
    asked = {"cut_keys": [key for key, _ in stories], "story_hashes": [story for _, story in stories]}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in session.execute(_TRIED, asked).mappings():
        found.setdefault(row["cut_key"], []).append(dict(row))
    return found


def _answer(
    failure: _Failure,
    budget: Budget,
    tried: Sequence[Mapping[str, Any]],
    library: TemplateLibrary,
    suffixes: Mapping[str, str],
) -> _Answer | str:
    """What to try next, or why nothing is."""
    if budget.spent is not None:
        return budget.spent
    context = failure.context
    possible = Possible(
        takes_a_new_seed(context, library, suffixes),
        has_effect(context, library, suffixes, Further(anchor_weight=2.0)),
        has_effect(context, library, suffixes, Further(smoother=True)),
    )
    before = sum(row["automatic"] and row["cause"] == failure.cause for row in tried)
    chosen = choose(failure.cause, before, possible, context.workflow)
    if chosen.step is None:
        return chosen.reason
    return _Answer(failure, chosen.step, chosen.reason, _further(chosen.step, failure.variant))


def _further(step: Step, failed: Variant) -> Further:
    if step.strategy == "same_seed":
        return Further(again=failed)
    return Further(anchor_weight=step.anchor_weight, smoother=step.strategy == "smoother")


def _retaken(
    session: Session, settings: Settings, answer: _Answer, tried: Mapping[str, Sequence[Mapping[str, Any]]]
) -> RetakeDecision:
    """Queue the take and count the retake, both or neither."""
    failure, step = answer.failure, answer.step
    key = failure.state.cut_key
    asked = Retake(
        cut_id=failure.context.cut_id, automatic=True, cause=failure.cause, strategy=step.strategy,
        reason=answer.reason, story_hash=failure.story_hash, retaken_job_id=failure.state.job_id,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(asked)
            session.flush()
            planned = plan_further_takes(session, settings, {key: answer.further})[key]
            if planned.job_id is None:
                raise _NotPlannedError(planned.reason or "the cut cannot be rendered")
            asked.answered_by_job_id = planned.job_id
            session.flush()
            inherit_tasks(session, asked, [planned.job_id])
            job_id = planned.job_id
    except _NotPlannedError as error:
        return _hand_over(session, failure, str(error), tried.get(key, ()))
    except IntegrityError as error:
        if not is_budget_error(error):
            raise
        return _hand_over(session, failure, "the budget is spent", tried.get(key, ()))
    session.execute(
        text("DELETE FROM studio.cut_reviews WHERE cut_id = :cut_id AND story_hash = :story_hash"),
        {"cut_id": failure.context.cut_id, "story_hash": failure.story_hash},
    )
    return RetakeDecision(key, "retaken", failure.cause, answer.reason, step.strategy, asked.id, job_id)


class _NotPlannedError(Exception):
    """The further take cannot be rendered."""


def _hand_over(
    session: Session, failure: _Failure, why: str, tried: Sequence[Mapping[str, Any]]
) -> RetakeDecision:
    """Leave the cut to a person, with what was tried."""
    steps = [row["strategy"] if row["automatic"] else "a person's retake" for row in tried]
    reason = f"fails {', '.join(failure.metrics)}; tried {said_of(steps)}; {why}"
    log = [
        {
            "cause": row["cause"], "strategy": step, "reason": row["reason"], "job_id": row["job_id"],
            "take_number": row["take_number"], "status": row["status"], "verdict": row["verdict"],
            "fails": list(_metrics(row["failing"] or [])),
        }
        for row, step in zip(tried, steps, strict=True)
    ]  # fmt: skip
    values = {
        "cut_id": failure.context.cut_id, "story_hash": failure.story_hash, "reason": reason, "tried": log,
    }  # fmt: skip
    statement = insert(CutReview).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["cut_id", "story_hash"], set_={"reason": reason, "tried": log}
        )
    )
    return RetakeDecision(failure.state.cut_key, "in_review", failure.cause, reason)


def _metrics(failing: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(entry["metric"]) for entry in failing))
