"""The machine: everything that people, workers and sensors do to a production, in any order, at any time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.engines.protocol import Provenance, Score
from anime_pipeline.quality.gates import explain, require_gate
from anime_pipeline.quality.overrides import override_gate, withdraw_override
from anime_pipeline.quality.phases import load_phases, metrics_asked, phase_of_take
from anime_pipeline.quality.recording import record_scores
from anime_pipeline.quality.scores import judge_takes
from anime_pipeline.quality.thresholds import set_threshold
from anime_pipeline.rendering.comfyui_errors import POLICIES
from anime_pipeline.rendering.planning import plan_cuts
from anime_pipeline.rendering.queue_admin import cancel, close_attempts
from anime_pipeline.rendering.recording import record_stop
from anime_pipeline.rendering.second_takes import queue_second_takes
from anime_pipeline.rendering.wanted_recipes import wanted_recipes
from anime_pipeline.review.answering import answer_failures
from anime_pipeline.review.choices import choose_take, release_choice
from anime_pipeline.review.directions import RetakeRequest
from anime_pipeline.review.pruning import prune, remove_pruned_media
from anime_pipeline.review.rejections import reject_take
from anime_pipeline.review.retakes import ask_retake, list_retakes, withdraw_retake
from anime_pipeline.review.retention import Policy
from anime_pipeline.review.selection import select_best
from anime_pipeline.settings import Settings
from anime_pipeline_tests.studio_loop import renderer
from anime_pipeline_tests.studio_loop.books import Books
from anime_pipeline_tests.studio_loop.oracle import truth
from anime_pipeline_tests.studio_loop.renderer import Begun
from anime_pipeline_tests.studio_loop.story import Story

PHASES = ("phase_0_animatic", "phase_1_still")
ANYTHING = {"at_least": (-10.0, 10.0), "at_most": (-1e9, 1e9), "reported": (0.0, 0.0)}
"""Limits that every measured value, or none, can pass."""
SERVER_KINDS = ("comfyui", "preview")
MEASURED = ("pass", "fail", "part", "unavailable", "not_measurable")
WAITED = """
    SELECT t.job_id, p.cut_key, t.recipe_hash, q.status,
           t.reproduces_job_id IS NOT NULL OR j.metadata ? 'requested_by'
           OR EXISTS (SELECT FROM studio.render_attempts a WHERE a.job_id = t.job_id)
           OR EXISTS (SELECT FROM studio.retakes r WHERE r.answered_by_job_id = t.job_id) AS asked
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    JOIN render_queue q ON q.job_id = t.job_id
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    WHERE p.cut_key LIKE :slug || '.%' AND q.status IN ('queued', 'cancelled')
"""
"""Takes that wait or were taken back, and whether anybody but a plan asked for them or they were begun."""
_numbers = count(1)


class Loop(RuleBasedStateMachine):
    """A small production in a real database. A subclass gives ``settings`` and ``folder``."""

    settings: Settings
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(f"loop{next(_numbers)}")
        self.store = MediaStore.of(self.settings)
        self.begun: list[Begun] = []

    def do(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Do something in a transaction of its own."""
        with session_scope(self.settings) as session:
            return act(session, *arguments)

    def ask(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """As :meth:`do`, for what may be refused to a person in words; None where it is."""
        try:
            return self.do(act, *arguments)
        except UserError:
            return None

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with session_scope(self.settings) as session:
            return list(session.execute(text(sql), {"slug": self.story.slug, **values}).all())

    def jobs(self, *states: str) -> list[int]:
        """Takes of the production in these states of theirs, or all."""
        found = self.rows(
            "SELECT j.id FROM jobs j JOIN studio.takes t ON t.job_id = j.id JOIN studio.cut_profiles p "
            "ON p.cut_id = t.cut_id WHERE p.cut_key LIKE :slug || '.%' "
            "AND (:every OR j.status = ANY(:states)) "
            "ORDER BY j.id",
            every=not states,
            states=list(states),
        )
        return [row.id for row in found]

    @initialize()
    def begin(self) -> None:
        """Import the story; two cuts are enough for a verdict."""
        self.do(self.story.import_, self.settings, self.folder)
        (found,) = self.rows("SELECT project_id FROM studio.project_profiles WHERE slug = :slug")
        self.project_id: int = found.project_id
        self.do(set_threshold, self.story.slug, "phase_cuts_minimum", 2, "Mo")
        self.books = Books(self.story, self.project_id)
        self.plan()

    @rule(data=st.data(), server_kind=st.sampled_from(SERVER_KINDS), odd=st.sampled_from(MEASURED))
    def produce(self, data: st.DataObject, server_kind: str, odd: str) -> None:
        """A night's work, so that a short run of events gets far: all is rendered and passes but for one."""
        self.plan()
        for _ in range(len(self.jobs("queued"))):
            self.lease(server_kind, adopts=True)
            if self.begun and self._holds(self.begun[-1]):
                self.do(renderer.finish, self.store, self.begun[-1], server_kind, 0.5)
        finished = self.jobs("completed")
        one = data.draw(st.integers(0, max(0, len(finished) - 1)))
        for place, job_id in enumerate(finished):
            self.do(self._measure, job_id, data, odd if place == one else "pass")
        self.select()

    # The story and its plan

    @rule(
        data=st.data(),
        what=st.sampled_from(["rain", "snow", "omit or return", "takes"]),
        planned=st.booleans(),
    )
    def edit(self, data: st.DataObject, what: str, planned: bool) -> None:
        cut = data.draw(st.sampled_from(self.story.cuts))
        if what == "takes":
            cut.takes = 3 - cut.takes
        elif what == "omit or return":
            cut.present = not cut.present or len(self.story.keys()) == 1
        else:
            cut.text = what
        self.do(self.story.import_, self.settings, self.folder)
        if planned:
            self.plan()

    @rule()
    def plan(self) -> None:
        """What waits afterwards is wanted, or was asked for; what was withdrawn is neither."""
        waited = self.jobs("queued")
        self.do(plan_cuts, self.settings, self.story.keys())
        wanted = self.do(wanted_recipes, self.settings, self.story.keys())
        for take in self.rows(WAITED):
            cut = wanted.get(take.cut_key)
            is_wanted = cut is None or take.recipe_hash in cut.recipe_hashes or take.asked
            assert is_wanted or take.status != "queued", "a take waits for an earlier story"
            gone = take.status == "cancelled" and take.job_id in waited
            assert not (gone and is_wanted), "a take was withdrawn that somebody wants"

    # Rendering

    @rule(server_kind=st.sampled_from(SERVER_KINDS), adopts=st.booleans())
    def lease(self, server_kind: str, adopts: bool) -> None:
        spent = {row.job_id: row for row in self.rows(self.books.BUDGETS)}
        got = self.do(renderer.begin, self.jobs(), server_kind, adopts)
        if isinstance(got, Begun):
            self.books.attempt_began(spent[got.leased.job_id], got.leased.open_attempt is not None and adopts)
            self.begun.append(got)

    @precondition(lambda self: self.begun)
    @rule(
        data=st.data(),
        server_kind=st.sampled_from(SERVER_KINDS),
        seconds=st.sampled_from([0.5, 3.0]),
    )
    def finish(self, data: st.DataObject, server_kind: str, seconds: float) -> None:
        begun = data.draw(st.sampled_from(self.begun))
        held = self._holds(begun)
        outcome = self.do(renderer.finish, self.store, begun, server_kind, seconds)
        assert (outcome == "finished") == held

    @precondition(lambda self: self.begun)
    @rule(data=st.data(), error_class=st.sampled_from(sorted(POLICIES)))
    def fail(self, data: st.DataObject, error_class: str) -> None:
        begun = data.draw(st.sampled_from(self.begun))
        held = self._holds(begun)
        assert (self.do(renderer.fail, begun, error_class) == "superseded") == (not held)

    @precondition(lambda self: self.begun)
    @rule(data=st.data(), how=st.sampled_from(["stop", "kill", "cancel"]))
    def break_off(self, data: st.DataObject, how: str) -> None:
        begun = data.draw(st.sampled_from(self.begun))
        if how == "stop":
            self.do(record_stop, begun.leased, begun.attempt_id)
        elif how == "kill" and self._holds(begun):
            self.do(renderer.kill, begun.leased.queue_id)
        elif how == "cancel":
            self.ask(lambda session: close_attempts(session, cancel(session, str(begun.leased.job_id))))

    def _holds(self, begun: Begun) -> bool:
        found = self.rows("SELECT 1 FROM studio.render_leases WHERE token = :token", token=begun.leased.token)
        return bool(found)

    # Measuring and selecting

    @rule(
        data=st.data(),
        what=st.sampled_from(MEASURED),
    )
    def measure(self, data: st.DataObject, what: str) -> None:
        finished = self.jobs("completed")
        if finished:
            self.do(self._measure, data.draw(st.sampled_from(finished)), data, what)

    def _measure(self, session: Any, job_id: int, data: st.DataObject, what: str) -> None:
        """Record made scores of all that any phase asks, as measuring does, and judge the take."""
        kind, server_kind = session.execute(
            text(
                "SELECT p.kind, t.server_kind FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id) "
                "WHERE t.job_id = :id"
            ),
            {"id": job_id},
        ).one()
        phases = load_phases(session, [self.project_id])[self.project_id]
        asked = metrics_asked(phases, kind, True)
        comparisons = {rule.metric: rule.comparison for one in phases.values() for rule in one.rules}
        # Every phase asks media_contract of every cut: it decides more often than the others.
        often = ["media_contract"] * len(asked)
        odd = data.draw(st.sampled_from([*often, *asked])) if what != "pass" else None
        scores = {}
        for metric in asked:
            low, high = ANYTHING[comparisons[metric]] if comparisons[metric] != "reported" else (0.0, 0.0)
            best, worst = (high - 1, low + 1) if comparisons[metric] == "at_least" else (low + 1, high - 1)
            state = what if metric == odd and what in ("unavailable", "not_measurable") else "measured"
            value = None if state != "measured" else worst if metric == odd and what == "fail" else best
            if not (metric == odd and what == "part"):
                reason = None if value is not None else "as the test says"
                scores[metric] = Score(metric, state, Provenance("test", "1"), value, reason=reason)  # type: ignore[arg-type]
        record_scores(session, job_id, scores, phase_of_take(phases, kind, server_kind))
        judge_takes(session, [job_id])

    @rule()
    def select(self) -> None:
        self.do(select_best, self.settings, self.story.keys())

    @rule(data=st.data(), what=st.sampled_from(["choose", "release", "reject"]))
    def prefer(self, data: st.DataObject, what: str) -> None:
        if what == "release":
            self.ask(release_choice, data.draw(st.sampled_from(self.story.keys())), "Mo")
        elif jobs := self.jobs():
            act = choose_take if what == "choose" else reject_take
            self.ask(act, data.draw(st.sampled_from(jobs)), "Mo")

    # Retakes

    @rule(data=st.data(), prompt=st.sampled_from([None, "at night"]))
    def ask_again(self, data: st.DataObject, prompt: str | None) -> None:
        key = data.draw(st.sampled_from(self.story.keys()))
        self.ask(ask_retake, self.settings, key, RetakeRequest(by="Mo", prompt=prompt))

    @rule(data=st.data())
    def withdraw_a_retake(self, data: st.DataObject) -> None:
        asked = self.do(list_retakes, self.story.slug)
        if asked:
            self.ask(withdraw_retake, data.draw(st.sampled_from(asked)).id)

    @rule()
    def answer(self) -> None:
        self.do(answer_failures, self.settings, self.story.keys())

    @rule(data=st.data())
    def render_again(self, data: st.DataObject) -> None:
        if finished := self.jobs("completed"):
            self.ask(queue_second_takes, [data.draw(st.sampled_from(finished))])

    # Gates

    @rule(data=st.data(), phase=st.sampled_from(PHASES), standing=st.booleans())
    def override(self, data: st.DataObject, phase: str, standing: bool) -> None:
        scope = data.draw(st.sampled_from(self.story.scopes))
        made = self.ask(override_gate, scope, phase, "Aki", "it is fine", standing)
        if made is not None:
            now = self.do(truth, self.project_id, self.story.slug, phase)
            assert not now.passed, "there was nothing to override"
            self.books.overridden(made, now.judged)

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        if ids := self.books.open_overrides():
            override_id = data.draw(st.sampled_from(ids))
            self.do(withdraw_override, override_id, "Mo", "it is not")
            self.books.withdrawn(override_id)

    @rule(gate=st.sampled_from(["media_contract_minimum", "generation_seconds_maximum"]), least=st.booleans())
    def move_threshold(self, gate: str, least: bool) -> None:
        low, high = ANYTHING["at_least" if gate.endswith("minimum") else "at_most"]
        self.do(set_threshold, self.story.slug, gate, low if least else high, "Mo")

    @rule(rate=st.sampled_from([0.5, 0.8]))
    def move_pass_rate(self, rate: float) -> None:
        self.do(set_threshold, self.story.slug, "phase_pass_rate_minimum", rate, "Mo")

    @rule(data=st.data(), phase=st.sampled_from(PHASES))
    def build(self, data: st.DataObject, phase: str) -> None:
        """Whoever builds asks the gate, and is let through only where it is open."""
        scope = data.draw(st.sampled_from(self.story.scopes))
        verdict = self.ask(require_gate, scope, phase)
        now = self.do(truth, self.project_id, self.story.slug, phase)
        holds = self.books.holds(scope, phase, now.judged)
        assert (verdict is not None) == (now.passed or holds)

    # Room

    @rule()
    def prune(self) -> None:
        self.rows("UPDATE jobs SET completed_at = completed_at - interval '2 hours' RETURNING id")
        prune(self.settings, self.story.slug, Policy(keep=1))
        remove_pruned_media(self.settings, young_seconds=0.0)

    # What must be true

    @invariant()
    def gates_say_what_the_rows_say(self) -> None:
        """The scopes hold the same cuts, so that one gate at a time is looked at, in turn."""
        if not hasattr(self, "books"):
            return
        turn = self.books.turn()
        scope, phase = self.story.scopes[turn % 3], PHASES[turn % 2]
        with session_scope(self.settings) as session:
            now = truth(session, self.project_id, self.story.slug, phase)
            found = explain(session, scope, phase)
        assert (found.judgement.verdict == "passed") == now.passed
        assert found.latest is None or not found.latest.passed or now.passed, "a stale verdict passed"
        holds = not now.passed and self.books.holds(scope, phase, now.judged)
        assert (found.override is not None) == holds
        assert found.state == ("overridden" if holds else found.judgement.verdict)

    @invariant()
    def the_books_agree(self) -> None:
        if hasattr(self, "books"):
            with session_scope(self.settings) as session:
                self.books.check(session, self.store)
