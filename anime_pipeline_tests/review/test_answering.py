"""Defends automatic retakes: what failed decides what is tried, until it passes or the budget ends."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from anime_pipeline.rendering.templates import SHIPPED
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.review.failures import KEY, answer, judge, rendered, retakes, state


def test_a_failed_take_is_answered_once_and_the_answer_stands(studio: Studio) -> None:
    rendered(studio)
    judge(studio, "aesthetic")
    assert state(studio).state == "failing"
    (decision,) = answer(studio)
    assert (decision.cut_key, decision.outcome, decision.strategy) == (KEY, "retaken", "new_seed")
    assert (state(studio).state, state(studio).job_id) == ("queued", decision.job_id)
    assert answer(studio) == [], "its answer still waits"
    assert [plan.job_id for plan in studio.plan() if plan.state == "queued"] == [decision.job_id]
    studio.drain()
    assert answer(studio) == [], "not judged yet"
    judge(studio)
    assert (state(studio).state, state(studio).retakes) == ("current", 1)
    assert answer(studio) == []
    first, second = studio.query("SELECT seed FROM generation_params ORDER BY job_id")
    assert first.seed != second.seed


def test_what_is_not_measured_or_has_passed_once_is_never_retaken(studio: Studio) -> None:
    rendered(studio, takes=2)
    judge(studio, verdict="incomplete")
    assert answer(studio) == []
    assert state(studio).state == "current"
    judge(studio, "aesthetic", take=2, again=True)
    assert answer(studio) == [], "the first is not measured, and may be better"
    judge(studio, take=1, again=True)
    assert answer(studio) == []
    assert state(studio).state == "current"


def test_nothing_is_answered_where_retakes_are_off(studio: Studio) -> None:
    rendered(studio)
    judge(studio, "aesthetic")
    assert answer(studio, retakes="off") == []
    assert state(studio).state == "failing"
    assert len(answer(studio)) == 1


def test_after_everything_was_tried_a_person_looks(studio: Studio) -> None:
    rendered(studio)
    for _ in range(2):
        judge(studio, "aesthetic")
        assert [decision.outcome for decision in answer(studio)] == ["retaken"]
        studio.drain()
    judge(studio, "aesthetic")
    (decision,) = answer(studio)
    assert decision.outcome == "in_review"
    found = state(studio)
    assert (found.state, found.retakes) == ("in_review", 2)
    assert found.reason == (
        "fails aesthetic; tried new seed, then new seed; everything was tried that helps against look"
    )
    (review,) = studio.query("SELECT tried FROM studio.cut_reviews")
    assert [(one["take_number"], one["verdict"], one["fails"]) for one in review.tried] == [
        (2, "failed", ["aesthetic"]), (3, "failed", ["aesthetic"]),
    ]  # fmt: skip
    assert answer(studio)[0].outcome == "in_review", "asked again, nothing else happens"
    assert len(retakes(studio)) == 2


def test_a_cut_in_review_comes_back_by_an_edit_of_its_story(studio: Studio) -> None:
    rendered(studio, budget={"retakes": 0})
    judge(studio, "aesthetic")
    assert answer(studio)[0].outcome == "in_review"
    assert "0 of 0 retakes are spent" in str(state(studio).reason)
    data = stills(1, camera_angle="low angle")
    studio.import_(data)
    assert state(studio).state == "stale"
    studio.render()
    judge(studio, "aesthetic")
    assert state(studio).state == "failing", "what was said of the old story is not said of this one"
    assert answer(studio)[0].outcome == "retaken"


def test_a_cut_in_review_comes_back_by_a_larger_budget_or_a_persons_retake(studio: Studio) -> None:
    rendered(studio, budget={"retakes": 0})
    judge(studio, "aesthetic")
    answer(studio)
    studio.import_(stills(1, budget={"retakes": 1}))
    assert state(studio).state == "in_review"
    assert answer(studio)[0].outcome == "retaken"
    assert studio.query("SELECT 1 FROM studio.cut_reviews") == []
    studio.drain()
    judge(studio, "aesthetic")
    assert answer(studio)[0].outcome == "in_review"
    studio.retake(note="the lamp is wrong")
    assert state(studio).state == "queued"
    studio.drain()
    judge(studio)
    assert (state(studio).state, state(studio).retakes) == ("current", 2)


def test_a_broken_file_is_rendered_once_more_by_the_same_recipe(studio: Studio) -> None:
    rendered(studio)
    judge(studio, "media_contract", "temporal_flicker")
    (decision,) = answer(studio)
    assert (decision.cause, decision.strategy) == ("contract", "same_seed")
    studio.drain()
    assert studio.renders == 2, "rendered, not taken from the server's cache"
    first, again = studio.query("SELECT recipe_hash, variant FROM studio.takes ORDER BY take_number")
    assert first.recipe_hash == again.recipe_hash
    assert again.variant == {"again": 1}
    judge(studio, "media_contract")
    assert answer(studio)[0].outcome == "in_review", "once, and no more"


def test_without_a_place_for_the_anchor_or_smoothness_a_new_seed_stands_in_and_says_so(
    studio: Studio,
) -> None:
    rendered(studio)
    reasons = []
    for _ in range(3):
        judge(studio, "face_similarity")
        (decision,) = answer(studio)
        reasons.append((decision.strategy, decision.reason))
        studio.drain()
    lacking = "workflow animatic-still has no anchor weight to strengthen for this cut, so a new seed"
    assert reasons == [("new_seed", "a new seed"), ("new_seed", lacking), ("new_seed", lacking)]
    judge(studio, "face_similarity")
    assert "3 of 3 retakes are spent" in str(answer(studio)[0].reason)


def smoother_workflow(studio: Studio, folder: Path) -> None:
    """The animatic still under a name of its own, with a smoother setting."""
    folder.mkdir()
    shutil.copy(SHIPPED / "animatic-still.json", folder / "ours.json")
    sidecar: dict[str, Any] = yaml.safe_load((SHIPPED / "animatic-still.yaml").read_text())
    sidecar["smoother"] = [{"node": "Shot", "input": "action", "value": "hold"}]
    (folder / "ours.yaml").write_text(yaml.safe_dump(sidecar))
    studio.settings = studio.settings.model_copy(update={"workflows": folder})


def test_flicker_gets_a_new_seed_then_the_smoother_settings(studio: Studio, tmp_path: Path) -> None:
    smoother_workflow(studio, tmp_path / "workflows")
    rendered(studio, workflow="ours")
    tried = []
    for _ in range(3):
        judge(studio, "temporal_flicker")
        tried.append(answer(studio)[0].strategy)
        studio.drain()
    assert tried == ["new_seed", "smoother", "smoother"]
    assert [shot.action for shot in studio.artist.shots] == ["", "", "hold", "hold"]
    assert len({shot.seed for shot in studio.artist.shots}) == 4
    judge(studio)
    assert state(studio).state == "current"


def test_under_a_fixed_seed_only_what_changes_the_recipe_is_tried(studio: Studio, tmp_path: Path) -> None:
    smoother_workflow(studio, tmp_path / "workflows")
    rendered(studio, 2, workflow="ours", seed_policy="fixed", seed=9)
    judge(studio, "loop_closure")
    assert [decision.strategy for decision in answer(studio)] == ["smoother", "smoother"]
    studio.drain()
    assert {shot.seed for shot in studio.artist.shots} == {9}
    judge(studio, "aesthetic")
    assert [decision.outcome for decision in answer(studio)] == ["in_review", "in_review"]


def test_gpu_seconds_end_a_cuts_retakes(studio: Studio) -> None:
    rendered(studio, budget={"gpu_seconds": 10})
    studio.query_none("UPDATE studio.render_attempts SET gpu_seconds = 10.5")
    judge(studio, "aesthetic")
    (decision,) = answer(studio)
    assert decision.outcome == "in_review"
    assert "10.5 of 10 GPU seconds are spent" in decision.reason


@pytest.mark.parametrize("metric", ["generation_seconds", "reproducible"])
def test_what_another_take_cannot_mend_goes_to_a_person_at_once(studio: Studio, metric: str) -> None:
    rendered(studio)
    judge(studio, metric)
    (decision,) = answer(studio)
    assert (decision.outcome, decision.cause) == ("in_review", "cost")
    assert "another take would not mend cost" in decision.reason


def test_a_retake_whose_render_fails_counts_as_tried(studio: Studio) -> None:
    rendered(studio)
    judge(studio, "aesthetic")
    answer(studio)
    studio.server.misbehave("fail_render", times=None)
    studio.drain(stall_seconds=5.0)
    studio.server.behave()
    assert state(studio).state == "failing"
    assert answer(studio)[0].outcome == "retaken"
    studio.drain()
    judge(studio, "aesthetic")
    assert answer(studio)[0].outcome == "in_review"
    assert len(retakes(studio)) == 2


def test_one_cuts_failure_costs_no_other_cut(studio: Studio) -> None:
    rendered(studio, 3)
    judge(studio, cuts="%c0020")
    judge(studio, "aesthetic")
    assert [decision.cut_key[-5:] for decision in answer(studio)] == ["c0010", "c0030"]
    assert {cut: one.state for cut, one in studio.states().items()} == {
        "c0010": "queued", "c0020": "current", "c0030": "queued",
    }  # fmt: skip
