"""Gates of scopes: how they stand, judging them, and overriding them by name and reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field
from sqlalchemy.orm import Session

from anime_pipeline.database.models import GateOverride
from anime_pipeline.quality.errors import UnknownScopeError
from anime_pipeline.quality.gates import Explanation, explain, judge_scope
from anime_pipeline.quality.overrides import list_overrides, override_gate, withdraw_override
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.story.keys import parse_scope
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.problems import ProblemError, not_found, problems, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Body, Model, PathId, Storable, Utc
from anime_pipeline.web.state import Db

router = api_router("gates")

ScopeKey = Annotated[str, Path(min_length=1, max_length=120, examples=["lantern-post.e01"]), Storable]
PhaseName = Annotated[str, Path(pattern=f"^({'|'.join(PHASES)})$", examples=["phase_1_still"])]
Reason = Annotated[str, Field(min_length=1, max_length=2000, examples=["airs tonight"]), Storable]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class MetricRule(Model):
    """What a phase asks of a metric."""

    metric: str
    comparison: str
    threshold: float | None
    gate_name: str | None
    cut_kinds: list[str]


class GateView(Model):
    """A gate as it stands now. `state` is passed, failed, incomplete or overridden."""

    scope_key: str
    phase: str
    state: str = Field(examples=["incomplete"])
    is_open: bool
    reason: str
    judged_sha256: str
    cuts_total: int
    cuts_passed: int
    cuts_failed: int
    cuts_unmeasured: int
    pass_rate: float | None
    minimum_cuts: int
    minimum_rate: float
    rules: list[MetricRule]
    failing: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    remedies: list[str]
    override_id: int | None
    last_verdict: str | None = Field(description="The newest verdict that was kept.")
    last_verdict_stale: bool | None
    last_judged_at: Utc | None


class OverrideRequest(Body):
    """Why a gate is opened that has not passed."""

    reason: Reason
    standing: bool = Field(False, description="It holds until withdrawn, whatever changes.")
    judged_sha256: Sha256 | None = Field(
        None, description="Of the gate as you saw it: where it is another by now, nothing is overridden."
    )


class WithdrawRequest(Body):
    """Why an override is taken back."""

    reason: Reason


class OverrideView(Model):
    """An override of a gate; `state` is holds, lapsed or withdrawn."""

    id: int
    scope_key: str
    phase: str
    verdict: str
    verdict_reason: str
    standing: bool
    overridden_by: str
    reason: str
    created_at: Utc
    withdrawn_by: str | None
    withdrawn_reason: str | None
    withdrawn_at: Utc | None
    state: str | None = None


_NOT_WITHDRAWN = dict.fromkeys(("withdrawn_by", "withdrawn_reason", "withdrawn_at", "state"))


class OverrideLog(Model):
    """Every override of a scope and all below it, newest first."""

    items: list[OverrideView]


@router.get("/gates/{scope_key}/{phase}", responses=problems(404))
@requires("viewer")
def read_gate(scope_key: ScopeKey, phase: PhaseName, db: Db) -> GateView:
    """How the gate of a project, episode, scene or cut stands now, and what keeps it shut."""
    return _view(_explained(db, scope_key, phase))


@router.post("/gates/{scope_key}/{phase}/judge", responses=problems(404))
@requires("artist")
def judge_gate(scope_key: ScopeKey, phase: PhaseName, change: ChangeOf) -> GateView:
    """Judge a scope and keep the verdict, if it is a new one."""
    before = _view(_explained(change.session, scope_key, phase))
    judge_scope(change.session, scope_key, phase)
    shown = _view(_explained(change.session, scope_key, phase))
    change.done("judge", "gate", f"{scope_key} {phase}", shown, before)
    return shown


@router.post("/gates/{scope_key}/{phase}/override", status_code=201, responses=problems(404))
@requires("supervisor")
def open_gate(
    scope_key: ScopeKey, phase: PhaseName, asked: OverrideRequest, change: ChangeOf
) -> OverrideView:
    """Open a gate that has not passed, in your name and with your reason, for what is there now."""
    _explained(change.session, scope_key, phase)
    made = override_gate(
        change.session, scope_key, phase, change.actor.name, asked.reason, asked.standing, asked.judged_sha256
    )
    return change.made("gate override", made.id, OverrideView.model_validate(made))


@router.get("/gate-overrides")
@requires("viewer")
def read_overrides(
    db: Db,
    scope_key: Annotated[
        str | None, Query(min_length=1, max_length=120, description="And all below it."), Storable
    ] = None,
) -> OverrideLog:
    """Every override ever made."""
    if scope_key is not None:
        _parsed(scope_key, "query")
    return OverrideLog(
        items=[
            OverrideView(**{**_plain(one.override), "state": one.state})
            for one in list_overrides(db, scope_key)
        ]
    )


@router.post("/gate-overrides/{override_id}/withdraw", responses=problems(404))
@requires("supervisor")
def withdraw(override_id: PathId, asked: WithdrawRequest, change: ChangeOf) -> OverrideView:
    """Take an override back; it stays in the log."""
    if change.session.get(GateOverride, override_id) is None:
        raise not_found("override", override_id, "GET /api/anime/gate-overrides lists them.")
    taken = withdraw_override(change.session, override_id, change.actor.name, asked.reason)
    shown = OverrideView(**{**_plain(taken), "state": "withdrawn"})
    before = shown.model_copy(update=_NOT_WITHDRAWN)
    change.done("withdraw", "gate override", override_id, shown, before)
    return shown


def _plain(override: Any) -> dict[str, Any]:
    return {name: getattr(override, name) for name in OverrideView.model_fields if name != "state"}


def _parsed(scope_key: str, where: str) -> None:
    try:
        parse_scope(scope_key)
    except StoryError as error:
        raise unprocessable("/scope_key", str(error), error.remedy, where) from error


def _explained(session: Session, scope_key: str, phase: str) -> Explanation:
    _parsed(scope_key, "path")
    try:
        return explain(session, scope_key, phase)
    except UnknownScopeError as error:
        raise ProblemError(404, str(error), error.remedy) from error


def _view(found: Explanation) -> GateView:
    judged, latest = found.judgement, found.latest
    return GateView(
        scope_key=found.scope_key,
        phase=found.phase.name,
        state=found.state,
        is_open=found.state in ("passed", "overridden"),
        reason=judged.reason,
        judged_sha256=judged.judged_sha256,
        cuts_total=len(judged.cuts),
        cuts_passed=judged.count("passed"),
        cuts_failed=judged.count("failed"),
        cuts_unmeasured=judged.count("unmeasured"),
        pass_rate=judged.pass_rate,
        minimum_cuts=found.phase.minimum_cuts,
        minimum_rate=found.phase.pass_rate,
        rules=[
            MetricRule(
                metric=rule.metric,
                comparison=rule.comparison,
                threshold=rule.threshold,
                gate_name=rule.gate_name,
                cut_kinds=sorted(rule.cut_kinds),
            )
            for rule in found.phase.rules
        ],
        failing=[asdict(one) for one in judged.failing],
        missing=[asdict(one) for one in judged.missing],
        remedies=list(found.remedies),
        override_id=found.override.id if found.override else None,
        last_verdict=latest.verdict if latest else None,
        last_verdict_stale=latest.stale if latest else None,
        last_judged_at=latest.created_at if latest else None,
    )
