"""Defends overrides: somebody answers by name and reason, for what was judged and nothing else, and for good;
an overridden gate is open and has not passed.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from anime_pipeline.database.models import GateVerdict
from anime_pipeline.quality.decisions import DecisionError
from anime_pipeline.quality.errors import GateNotPassedError, UnknownScopeError
from anime_pipeline.quality.gates import explain, judge_scope, latest_verdict, require_gate
from anime_pipeline.quality.overrides import list_overrides, override_gate, withdraw_override
from anime_pipeline.quality.scores import require_binding_gates
from anime_pipeline.quality.thresholds import set_threshold
from anime_pipeline_tests.quality.studio import EPISODE, SLUG, Studio

ANIMATIC = "phase_0_animatic"
WHY = "the client has seen these and likes them"


def failing_episode(studio: Studio, cuts: int = 5) -> list[int]:
    """An episode of measured animatics of which none is smooth; their job ids."""
    jobs = []
    for number in range(10, 10 * cuts + 10, 10):
        jobs.append(studio.take(studio.cut(number)))
        studio.measured(jobs[-1], motion_smoothness=0.5)
    return jobs


@pytest.mark.parametrize("scope", [SLUG, EPISODE, f"{EPISODE}.s001"])
def test_an_overridden_gate_is_open_and_has_not_passed(studio: Studio, scope: str) -> None:
    failing_episode(studio)
    with pytest.raises(GateNotPassedError, match="is failed"):
        require_gate(studio.session, scope, ANIMATIC)
    override = override_gate(studio.session, scope, ANIMATIC, " Aki ", WHY)
    verdict = require_gate(studio.session, scope, ANIMATIC)
    assert (verdict.verdict, verdict.state, verdict.passed, verdict.is_open) == (
        "failed", "overridden", False, True,
    )  # fmt: skip
    assert verdict.override == override
    assert verdict.said.startswith(f"overridden by Aki: {WHY} (failed: ")
    assert (override.verdict_id, override.judged_sha256) == (verdict.id, verdict.judged_sha256)
    assert explain(studio.session, scope, ANIMATIC).state == "overridden"


def test_an_override_opens_one_scope_in_one_phase(studio: Studio) -> None:
    failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    for scope, phase in [(SLUG, ANIMATIC), (f"{EPISODE}.s001", ANIMATIC), (EPISODE, "phase_3_video")]:
        with pytest.raises(GateNotPassedError):
            require_gate(studio.session, scope, phase)
    (verdict,) = require_binding_gates(studio.session, EPISODE)
    assert verdict.override is not None


def test_an_incomplete_gate_may_be_overridden(studio: Studio) -> None:
    studio.take(studio.cut(10))
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    verdict = require_gate(studio.session, EPISODE, ANIMATIC)
    assert (verdict.verdict, verdict.state) == ("incomplete", "overridden")


@pytest.mark.parametrize("change", ["take", "measurement", "threshold", "cut"])
def test_an_override_lapses_with_what_it_was_for_and_a_standing_one_does_not(
    studio: Studio, change: str
) -> None:
    job, *_ = failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    override_gate(studio.session, f"{EPISODE}.s001", ANIMATIC, "Aki", WHY, standing=True)
    assert [one.state for one in list_overrides(studio.session)] == ["holds", "holds"]
    if change == "take":
        studio.measured(studio.take(f"{EPISODE}.s001.c0010"), motion_smoothness=0.4)
    elif change == "measurement":
        studio.measured(job, {"motion_smoothness": 0.51})
    elif change == "threshold":
        set_threshold(studio.session, SLUG, "motion_smoothness_minimum", 0.9, "Mo")
    else:
        studio.cut(99)

    states = {one.override.scope_key: one.state for one in list_overrides(studio.session)}
    assert states == {EPISODE: "lapsed", f"{EPISODE}.s001": "holds"}
    with pytest.raises(GateNotPassedError, match="for cuts that have changed since"):
        require_gate(studio.session, EPISODE, ANIMATIC)
    latest = latest_verdict(studio.session, EPISODE, ANIMATIC)
    assert latest is not None
    assert not latest.is_open
    assert require_gate(studio.session, f"{EPISODE}.s001", ANIMATIC).is_open


def test_an_override_holds_again_for_what_it_was_for(studio: Studio) -> None:
    job, *_ = failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    studio.measured(job, {"motion_smoothness": 0.51})
    judge_scope(studio.session, EPISODE, ANIMATIC)
    studio.measured(job, {"motion_smoothness": 0.5})
    assert require_gate(studio.session, EPISODE, ANIMATIC).is_open


def test_a_gate_that_passes_later_needs_no_override(studio: Studio) -> None:
    jobs = failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY, standing=True)
    for job in jobs:
        studio.measured(job)
    verdict = require_gate(studio.session, EPISODE, ANIMATIC)
    assert (verdict.state, verdict.override) == ("passed", None)


def test_withdrawing_takes_a_name_and_shuts_the_gate(studio: Studio) -> None:
    failing_episode(studio)
    made = override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    for by, reason in [("", "a mistake"), ("Mo", " ")]:
        with pytest.raises(DecisionError):
            withdraw_override(studio.session, made.id, by, reason)
    withdrawn = withdraw_override(studio.session, made.id, "Mo", "a mistake")
    assert (withdrawn.withdrawn_by, withdrawn.withdrawn_reason) == ("Mo", "a mistake")
    assert withdrawn.withdrawn_at is not None
    with pytest.raises(GateNotPassedError):
        require_gate(studio.session, EPISODE, ANIMATIC)
    with pytest.raises(DecisionError, match="was withdrawn by Mo"):
        withdraw_override(studio.session, made.id, "Mo", "again")
    with pytest.raises(UnknownScopeError, match="no override 99"):
        withdraw_override(studio.session, 99, "Mo", "what")
    again = override_gate(studio.session, EPISODE, ANIMATIC, "Aki", "after all")
    logged = [(one.override.id, one.state) for one in list_overrides(studio.session, SLUG)]
    assert logged == [(again.id, "holds"), (made.id, "withdrawn")]


@pytest.mark.parametrize(
    ("by", "reason", "said"), [("", WHY, "--by"), ("Aki", " ", "--reason"), ("A" * 121, WHY, "120")]
)
def test_nobody_and_no_reason_open_nothing(studio: Studio, by: str, reason: str, said: str) -> None:
    failing_episode(studio)
    with pytest.raises(DecisionError) as refused:
        override_gate(studio.session, EPISODE, ANIMATIC, by, reason)
    assert said in f"{refused.value} {refused.value.remedy}"
    assert list_overrides(studio.session) == []


def test_there_must_be_something_to_override(studio: Studio) -> None:
    jobs = failing_episode(studio)
    with pytest.raises(DecisionError, match="is a cut"):
        override_gate(studio.session, f"{EPISODE}.s001.c0010", ANIMATIC, "Aki", WHY)
    with pytest.raises(UnknownScopeError):
        override_gate(studio.session, EPISODE, "phase_9", "Aki", WHY)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    with pytest.raises(DecisionError, match="the gate is open"):
        override_gate(studio.session, EPISODE, ANIMATIC, "Mo", WHY)
    override_gate(studio.session, EPISODE, ANIMATIC, "Mo", "from now on", standing=True)
    for job in jobs:
        studio.measured(job)
    with pytest.raises(DecisionError, match="nothing to override"):
        override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)


def test_what_was_not_seen_is_not_overridden(studio: Studio) -> None:
    job, *_ = failing_episode(studio)
    seen = explain(studio.session, EPISODE, ANIMATIC).judgement.judged_sha256
    studio.measured(job, {"motion_smoothness": 0.1})
    with pytest.raises(DecisionError, match="has changed since you looked"):
        override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY, judged_sha256=seen)
    seen = explain(studio.session, EPISODE, ANIMATIC).judgement.judged_sha256
    assert override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY, judged_sha256=seen).id


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE studio.gate_overrides SET reason = 'another'",
        "UPDATE studio.gate_overrides SET standing = TRUE",
        "UPDATE studio.gate_overrides SET withdrawn_by = 'x', withdrawn_reason = 'y', withdrawn_at = now(), "
        "phase = 'phase_3_video'",
        "DELETE FROM studio.gate_overrides",
        "TRUNCATE studio.gate_overrides",
    ],
)
def test_the_log_is_only_added_to(studio: Studio, change: str) -> None:
    failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    studio.session.commit()
    with pytest.raises(DBAPIError, match="never changed"):
        studio.session.execute(text(change))


def test_a_withdrawal_is_not_taken_back_in_the_database_either(studio: Studio) -> None:
    failing_episode(studio)
    made = override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    withdraw_override(studio.session, made.id, "Mo", "a mistake")
    studio.session.commit()
    gone = ", ".join(f"withdrawn_{what} = NULL" for what in ("by", "reason", "at"))
    with pytest.raises(DBAPIError, match="never changed"):
        studio.session.execute(text(f"UPDATE studio.gate_overrides SET {gone}"))


def test_the_log_outlives_its_project(studio: Studio) -> None:
    failing_episode(studio)
    override_gate(studio.session, EPISODE, ANIMATIC, "Aki", WHY)
    studio.session.commit()
    studio.session.execute(text("DELETE FROM projects WHERE name = 'Lantern Post'"))
    studio.session.commit()
    assert studio.session.query(GateVerdict).count() == 0
    (logged,) = list_overrides(studio.session)
    assert (logged.state, logged.override.reason) == ("lapsed", WHY)
