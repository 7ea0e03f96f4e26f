"""Defends the budgets where they hold: in the database, against every writer and several at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.further_takes import plan_further_takes
from anime_pipeline.rendering.variants import Further
from anime_pipeline.review.budgets import budgets_of, is_budget_error
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.review.failures import KEY, answer, judge, rendered, retakes, state

ASK = """
    INSERT INTO studio.retakes (cut_id, automatic, cause, strategy, story_hash)
    SELECT cut_id, TRUE, 'look', 'new_seed', story_hash FROM studio.takes WHERE take_number = 1
"""


def refused(studio: Studio, statement: str) -> str:
    """The name of the constraint by which the database refuses this."""
    with pytest.raises(IntegrityError) as caught:
        studio.query_none(statement)
    return str(getattr(caught.value.orig, "diag").constraint_name)  # noqa: B009 - psycopg2's, which has no types


def test_no_statement_adds_an_automatic_retake_beyond_the_budget(studio: Studio) -> None:
    rendered(studio, budget={"retakes": 2})
    studio.query_none(ASK)
    studio.query_none(ASK)
    assert refused(studio, ASK) == "retakes_within_budget"
    assert len(retakes(studio)) == 2


def test_what_was_asked_for_cannot_be_uncounted(studio: Studio) -> None:
    rendered(studio, budget={"retakes": 1})
    studio.query_none(ASK)
    for change in ("automatic = FALSE, cause = NULL, strategy = NULL", "story_hash = repeat('0', 64)"):
        with pytest.raises(IntegrityError, match="is counted as it was asked for"):
            studio.query_none(f"UPDATE studio.retakes SET {change}")


def test_no_statement_adds_a_further_take_that_nobody_asked_for(studio: Studio) -> None:
    rendered(studio)
    with pytest.raises(IntegrityError) as caught, session_scope(studio.settings) as session:
        plan_further_takes(session, studio.settings, {KEY: Further()})
    assert "answers no retake" in str(caught.value)
    assert not is_budget_error(caught.value)
    assert len(studio.query("SELECT 1 FROM studio.takes")) == 1


def test_gpu_seconds_of_this_story_count_and_of_others_do_not(studio: Studio) -> None:
    rendered(studio, budget={"gpu_seconds": 60})
    studio.query_none("UPDATE studio.render_attempts SET gpu_seconds = 59")
    studio.query_none(ASK)
    studio.query_none("UPDATE studio.render_attempts SET gpu_seconds = 60")
    assert refused(studio, ASK) == "retakes_within_gpu_seconds"
    studio.query_none("UPDATE studio.takes SET story_hash = repeat('0', 64)")
    other = ASK.replace("SELECT cut_id, TRUE, 'look', 'new_seed', story_hash", "SELECT cut_id, TRUE, 'look', "
                        "'new_seed', repeat('1', 64)")  # fmt: skip
    studio.query_none(other)


def test_two_who_answer_at_once_stay_within_the_budget(studio: Studio) -> None:
    rendered(studio, 3, budget={"retakes": 1})
    judge(studio, "aesthetic")
    decisions, barrier = [], threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        decisions.extend(answer(studio))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(decision.outcome for decision in decisions) == ["retaken"] * 3
    assert len(retakes(studio)) == 3
    assert {one.state for one in studio.states().values()} == {"queued"}


def test_whoever_comes_second_counts_what_the_first_has_spent(studio: Studio) -> None:
    """The database alone decides, without the locks of the code above it."""
    rendered(studio, budget={"retakes": 3})
    errors: list[BaseException] = []
    barrier = threading.Barrier(8)

    def one() -> None:
        barrier.wait()
        try:
            studio.query_none(ASK)
        except IntegrityError as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(retakes(studio)), len(errors)) == (3, 5)


def test_a_person_goes_beyond_the_budget_and_is_counted(studio: Studio) -> None:
    rendered(studio, budget={"retakes": 0})
    studio.retake(note="again")
    studio.retake(note="and again")
    with session_scope(studio.settings) as session:
        story = str(studio.query("SELECT story_hash FROM studio.takes")[0].story_hash)
        budget = budgets_of(session, [(KEY, story)])[KEY]
    assert (budget.retakes, budget.retakes_spent, budget.asked) == (0, 0, 2)
    assert state(studio).retakes == 2


def test_a_take_has_as_many_attempts_as_its_cut_allows(studio: Studio) -> None:
    studio.server.misbehave("fail_render", times=None)
    rendered(studio, budget={"attempts": 1})
    assert studio.outcomes() == {"failed": 1}
    (row,) = studio.query("SELECT attempts, max_attempts, status FROM render_queue")
    assert (row.attempts, row.max_attempts, row.status) == (1, 1, "failed")
    studio.import_(stills(1, budget={"attempts": 2}))
    studio.plan()
    studio.drain()
    (row,) = studio.query("SELECT attempts, max_attempts, status FROM render_queue")
    assert (row.attempts, row.max_attempts, row.status) == (2, 2, "failed"), "what the budget allows now"


def test_no_attempt_begins_beyond_what_a_take_may_have(studio: Studio) -> None:
    rendered(studio)
    begin = """
        INSERT INTO studio.render_attempts (job_id, queue_id, server_url, server_kind, prompt_id, token)
        SELECT job_id, id, 'http://a', 'preview', gen_random_uuid(), nextval('studio.lease_tokens')
        FROM render_queue ORDER BY id DESC LIMIT 1
    """
    studio.query_none("UPDATE render_queue SET attempts = max_attempts")
    assert refused(studio, begin) == "attempts_within_budget"
    studio.query_none("UPDATE render_queue SET attempts = 0")
    studio.query_none(begin)


def failing_retake(studio: Studio, **budget: Any) -> None:
    """A cut whose automatic retake waits to be rendered."""
    rendered(studio, budget=budget)
    judge(studio, "aesthetic")
    assert answer(studio)[0].outcome == "retaken"


def test_queueing_a_failed_retake_again_gives_it_no_further_attempts(studio: Studio) -> None:
    failing_retake(studio, attempts=1)
    studio.server.misbehave("fail_render", times=None)
    studio.drain()
    studio.server.behave()
    studio.query_none("UPDATE render_queue SET status = 'queued', attempts = 0 WHERE status = 'failed'")
    report = studio.drain()
    (failed,) = report.failed
    assert failed.reason == "retake {} has had its 1 attempts".format(
        studio.query("SELECT max(job_id) AS job_id FROM studio.takes")[0].job_id
    )
    assert studio.outcomes() == {"succeeded": 1, "failed": 1}


def test_a_retake_that_waits_is_not_begun_once_the_seconds_are_spent(studio: Studio) -> None:
    failing_retake(studio, gpu_seconds=60)
    studio.query_none("UPDATE studio.render_attempts SET gpu_seconds = 61")
    report = studio.drain()
    (failed,) = report.failed
    assert "has spent its 60 GPU seconds" in str(failed.reason)
    assert studio.renders == 1
    assert answer(studio)[0].outcome == "in_review"
