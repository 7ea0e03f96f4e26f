"""Overriding a gate: a person answers for what has not passed, by name and with a reason, for good.

An override opens a gate; it never passes one. Nothing here commits; the caller's transaction does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateOverride
from anime_pipeline.quality.decisions import DecisionError, checked_name, checked_reason
from anime_pipeline.quality.errors import UnknownScopeError
from anime_pipeline.quality.gates import explain, judge_scope
from anime_pipeline.quality.override_log import Override, as_override, read_overrides
from anime_pipeline.story.keys import CutKey, parse_scope

OverrideState = Literal["holds", "lapsed", "withdrawn"]


@dataclass(frozen=True)
class LoggedOverride:
    """An override as the log shows it; a ``lapsed`` one was made for cuts that have changed since."""

    override: Override
    state: OverrideState


def override_gate(
    session: Session,
    scope_key: str,
    phase: str,
    by: str,
    reason: str,
    standing: bool = False,
    judged_sha256: str | None = None,
) -> Override:
    """Open the gate of a project, an episode or a scene that failed or is incomplete.

    It holds for exactly what is judged now; a take, a measurement or a threshold that changes lets it lapse.
    A ``standing`` one holds until it is withdrawn. ``judged_sha256`` is that of the verdict that the person
    has seen: where it is another by now, nothing is overridden.

    Raises :class:`DecisionError` for no name or reason, for a cut, for a gate that has passed or is
    overridden already, and for a verdict that has changed; :class:`UnknownScopeError` for what names nothing.
    """
    name, why = checked_name(by), checked_reason(reason)
    if isinstance(parse_scope(scope_key), CutKey):
        raise DecisionError(
            f"{scope_key} is a cut: gates of projects, episodes and scenes are overridden",
            "select the take that shall stand for the cut, or override its scene's or episode's gate",
        )
    # Two people at once: the second one sees that the gate is overridden.
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"gate {scope_key} {phase}"}
    )
    verdict = judge_scope(session, scope_key, phase)
    if judged_sha256 is not None and judged_sha256 != verdict.judged_sha256:
        raise DecisionError(
            f"{scope_key} has changed since you looked: it is {verdict.verdict} in {phase}: {verdict.reason}",
            f"anime-pipeline gates explain {scope_key} {phase}",
        )
    if verdict.verdict == "passed":
        raise DecisionError(
            f"{scope_key} has passed {phase}: there is nothing to override",
            "anime-pipeline gates show says which gates have not passed",
        )
    if verdict.override is not None and (verdict.override.standing or not standing):
        held = verdict.override
        raise DecisionError(
            f"the gate is open: override {held.id} of {scope_key} in {phase}, {held.said}",
            f"to take it back: anime-pipeline gates override --withdraw {held.id} --by NAME --reason TEXT",
        )
    row = GateOverride(
        scope_key=scope_key,
        phase=phase,
        verdict_id=verdict.id,
        verdict=verdict.verdict,
        verdict_reason=verdict.reason,
        judged_sha256=verdict.judged_sha256,
        standing=standing,
        overridden_by=name,
        reason=why,
    )
    session.add(row)
    session.flush()
    return as_override(row)


def withdraw_override(session: Session, override_id: int, by: str, reason: str) -> Override:
    """Take an override back; it stays in the log with who did so and why.

    Raises :class:`DecisionError` for no name or reason and for one that is withdrawn already,
    :class:`UnknownScopeError` for an id that there is not.
    """
    name, why = checked_name(by), checked_reason(reason)
    query = select(GateOverride).where(GateOverride.id == override_id)
    row = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise UnknownScopeError(f"there is no override {override_id}", "anime-pipeline gates overrides")
    if row.withdrawn_at is not None:
        raise DecisionError(
            f"override {override_id} was withdrawn by {row.withdrawn_by} on {row.withdrawn_at:%Y-%m-%d}",
            "anime-pipeline gates overrides",
        )
    now = session.scalar(select(func.localtimestamp()))
    row.withdrawn_by, row.withdrawn_reason, row.withdrawn_at = name, why, now
    session.flush()
    return as_override(row)


def list_overrides(session: Session, scope_key: str | None = None) -> list[LoggedOverride]:
    """Every override ever made, newest first, of a scope and all below it, or of all.

    Raises :class:`UnknownScopeError` for a key that is none.
    """
    if scope_key is not None:
        parse_scope(scope_key)
    overrides = read_overrides(session, scope_key)
    now = _judged_now(session, overrides)
    return [LoggedOverride(override, _state(override, now)) for override in overrides]


def _judged_now(session: Session, overrides: Sequence[Override]) -> dict[tuple[str, str], str]:
    """What each gate would judge now, where an override depends on it; nothing for a scope that is gone."""
    wanted = {(one.scope_key, one.phase) for one in overrides if not (one.withdrawn or one.standing)}
    found = {}
    for scope_key, phase in sorted(wanted):
        try:
            found[scope_key, phase] = explain(session, scope_key, phase).judgement.judged_sha256
        except UnknownScopeError:
            found[scope_key, phase] = ""
    return found


def _state(override: Override, now: dict[tuple[str, str], str]) -> OverrideState:
    if override.withdrawn:
        return "withdrawn"
    return "holds" if override.holds_for(now.get((override.scope_key, override.phase), "")) else "lapsed"
