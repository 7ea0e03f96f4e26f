"""Defends the choice of takes: the best by score of those that passed, unless a person has chosen."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.takes import TakeError
from anime_pipeline.review.choices import choices_of, holding_choice
from anime_pipeline.review.selection import choose_take, release_choice
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.review.studio import (
    best,
    choose,
    judge,
    measure,
    passed,
    release,
    scores,
    selected,
    takes_of,
    videos,
)

KEY = "tiny.e01.s001.c0010"


@pytest.fixture
def jobs(studio: Studio) -> list[int]:
    """Three finished takes of one video; none is judged."""
    studio.import_(videos(1))
    return sorted(take.job_id for take in studio.render().finished)


def test_the_best_by_score_is_selected(studio: Studio, jobs: list[int]) -> None:
    for job_id, flicker in zip(jobs, (0.93, 0.99, 0.96), strict=True):
        passed(studio, job_id, temporal_flicker=flicker)
    assert best(studio) == [jobs[1]] == selected(studio)
    found = scores(studio)
    assert found[jobs[1]].score > found[jobs[2]].score > found[jobs[0]].score  # type: ignore[operator]
    assert [term.metric for term in found[jobs[1]].counted] == [
        "media_contract", "motion_smoothness", "temporal_flicker",
    ]  # fmt: skip
    (row,) = studio.query(
        "SELECT c.output_path, j.output_path AS taken FROM cuts c, jobs j WHERE j.id = :id", id=jobs[1]
    )
    assert row.output_path == row.taken


def test_one_that_did_not_pass_is_never_the_best(studio: Studio, jobs: list[int]) -> None:
    passed(studio, jobs[0])
    measure(studio, jobs[1], temporal_flicker=1.0, motion_smoothness=1.0)
    judge(studio, jobs[1], "failed")
    assert best(studio) == [jobs[0]]
    assert scores(studio)[jobs[1]].score == 1.0, "it is scored all the same"


def test_of_equal_scores_the_newest(studio: Studio, jobs: list[int]) -> None:
    for job_id in jobs:
        passed(studio, job_id)
    assert best(studio) == [jobs[2]]


def test_without_a_passed_take_none_is_selected(studio: Studio, jobs: list[int]) -> None:
    judge(studio, jobs[0], "failed")
    judge(studio, jobs[1], "incomplete")
    assert best(studio) == [None]
    assert selected(studio) == []


def test_only_the_newest_verdict_counts(studio: Studio, jobs: list[int]) -> None:
    judge(studio, jobs[0])
    assert best(studio) == [jobs[0]]
    judge(studio, jobs[0], "failed")
    assert best(studio) == [None]
    assert selected(studio) == []


def test_a_better_take_that_comes_later_is_selected(studio: Studio, jobs: list[int]) -> None:
    passed(studio, jobs[0])
    assert best(studio) == [jobs[0]]
    passed(studio, jobs[1], temporal_flicker=0.99)
    assert best(studio) == [jobs[1]]


def test_weights_decide_without_measuring_again(studio: Studio, jobs: list[int]) -> None:
    passed(studio, jobs[0], temporal_flicker=0.99, motion_smoothness=0.955)
    passed(studio, jobs[1], temporal_flicker=0.91, motion_smoothness=0.975)
    assert best(studio) == [jobs[0]]
    before = studio.query("SELECT * FROM studio.measurements ORDER BY job_id, metric_name")

    data = videos(1)
    data["project"]["selection"] = {"weights": {"motion_smoothness": 20}}
    studio.import_(data)
    assert all(score.outdated for score in scores(studio).values())
    assert best(studio) == [jobs[1]]
    assert not any(score.outdated for score in scores(studio).values())
    assert studio.query("SELECT * FROM studio.measurements ORDER BY job_id, metric_name") == before


def test_a_moved_threshold_makes_scores_outdated(studio: Studio, jobs: list[int]) -> None:
    passed(studio, jobs[0])
    best(studio)
    before = scores(studio)[jobs[0]]
    studio.query_none(
        "UPDATE quality_gates SET threshold_value = 0.8 WHERE gate_name = 'animatic_flicker_minimum'"
    )
    assert scores(studio)[jobs[0]].outdated
    best(studio)
    after = scores(studio)[jobs[0]]
    assert after.score is not None
    assert before.score is not None
    assert after.score > before.score
    assert not after.outdated


def test_a_score_that_stays_keeps_its_date(studio: Studio, jobs: list[int]) -> None:
    passed(studio, jobs[0])
    best(studio)
    before = scores(studio)[jobs[0]]
    best(studio)
    assert scores(studio)[jobs[0]] == before


def test_unmeasured_and_reported_metrics_are_named_and_count_for_nothing(
    studio: Studio, jobs: list[int]
) -> None:
    passed(studio, jobs[0], dynamic_degree=None, palette_adherence=0.4)
    best(studio)
    score = scores(studio)[jobs[0]]
    left_out = {term.metric: term.left_out for term in score.terms if term.quality is None}
    assert left_out == {
        "dynamic_degree": "its weight is 0",
        "palette_adherence": "its weight is 0",
        "shot_changes": "its weight is 0",
    }
    measure(studio, jobs[0], temporal_flicker=None)
    best(studio)
    lacking = scores(studio)[jobs[0]]
    assert {t.metric: t.left_out for t in lacking.terms}["temporal_flicker"] == "not measurable: too short"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from([0.91, 0.93, 0.95, 0.97]), min_size=3, max_size=3), st.data())
def test_the_order_in_which_takes_are_judged_decides_nothing(
    studio: Studio, jobs: list[int], flickers: list[float], data: st.DataObject
) -> None:
    studio.query_none("DELETE FROM studio.measurements")
    for job_id in jobs:
        judge(studio, job_id, "incomplete")
    best(studio)
    expected = max(zip(flickers, jobs, strict=True))[1]
    pairs = list(zip(jobs, flickers, strict=True))
    for job_id, flicker in data.draw(st.sampled_from(list(itertools.permutations(pairs)))):
        passed(studio, job_id, temporal_flicker=flicker)
        if data.draw(st.booleans()):
            best(studio)
    assert best(studio) == [expected]


def test_a_take_of_an_older_story_makes_way_when_a_new_one_is_finished(studio: Studio) -> None:
    data = stills(1)
    studio.import_(data)
    (old,) = studio.render().finished
    judge(studio, old.job_id)
    assert best(studio) == [old.job_id]
    data["episodes"][0]["scenes"][0]["mood"] = "tense"
    studio.import_(data)
    assert best(studio) == [old.job_id]  # nothing newer is finished
    (new,) = studio.render().finished
    assert best(studio) == [None]
    judge(studio, new.job_id)
    assert best(studio) == [new.job_id] == selected(studio)


def test_a_retake_is_of_todays_story_too(studio: Studio, jobs: list[int]) -> None:
    studio.retake()
    (retake,) = studio.drain().finished
    judge(studio, retake.job_id)
    assert best(studio) == [retake.job_id]


def test_a_persons_choice_stands_above_the_score(studio: Studio, jobs: list[int]) -> None:
    for job_id, flicker in zip(jobs, (0.93, 0.99, 0.96), strict=True):
        passed(studio, job_id, temporal_flicker=flicker)
    best(studio)
    choose(studio, jobs[0], "Aiko", "her eyes")
    assert selected(studio) == [jobs[0]]
    studio.retake()
    (retake,) = studio.drain().finished
    passed(studio, retake.job_id, temporal_flicker=1.0)
    assert best(studio) == [jobs[0]] == selected(studio)
    with session_scope(studio.settings) as session:
        choice = holding_choice(choices_of(session, [jobs[0]])[jobs[0]])
    assert choice is not None
    assert (choice.chosen_by, choice.note) == ("Aiko", "her eyes")

    assert release(studio, KEY)
    assert selected(studio) == [jobs[0]], "until the score is asked"
    assert best(studio) == [retake.job_id]
    assert not release(studio, KEY)


def test_a_choice_stands_when_its_take_fails_or_the_story_moves_on(studio: Studio) -> None:
    data = stills(1)
    studio.import_(data)
    (old,) = studio.render().finished
    judge(studio, old.job_id, "failed")
    choose(studio, old.job_id)
    assert best(studio) == [old.job_id]
    data["episodes"][0]["scenes"][0]["mood"] = "tense"
    studio.import_(data)
    (new,) = studio.render().finished
    judge(studio, new.job_id)
    assert best(studio) == [old.job_id] == selected(studio)


def test_another_choice_takes_the_place_of_the_first_and_both_are_known(
    studio: Studio, jobs: list[int]
) -> None:
    choose(studio, jobs[0], "Aiko")
    choose(studio, jobs[1], "Ren", "the light")
    assert selected(studio) == [jobs[1]]
    with session_scope(studio.settings) as session:
        made = choices_of(session, jobs)
    assert made[jobs[0]][0].released_by == "Ren"
    assert holding_choice(made[jobs[0]]) is None
    assert holding_choice(made[jobs[1]]) is not None


def test_what_cannot_be_chosen_is_said(studio: Studio) -> None:
    studio.import_(stills(1))
    (planned,) = studio.plan()
    assert planned.job_id is not None
    with session_scope(studio.settings) as session:
        with pytest.raises(TakeError, match="not finished"):
            choose_take(session, planned.job_id, "Aiko")
        with pytest.raises(TakeError, match="no take"):
            choose_take(session, 9999, "Aiko")
        with pytest.raises(UserError, match="name"):
            choose_take(session, planned.job_id, "  ")
        with pytest.raises(UserError, match="no cut"):
            release_choice(session, "tiny.e01.s001.c9999")
    assert studio.query("SELECT 1 FROM studio.take_choices") == []


def test_a_listing_says_all_of_a_take(studio: Studio) -> None:
    studio.import_(stills(1))
    studio.render()
    (first,) = takes_of(studio)
    assert (first.take_number, first.status, first.template_name) == (1, "completed", "animatic-still")
    assert (first.server_kind, first.attempts, first.verdict) == ("preview", 1, None)
    assert first.film is not None
    assert (first.film.kind, first.film.frame_count, first.film.width) == ("image", 1, 64)
