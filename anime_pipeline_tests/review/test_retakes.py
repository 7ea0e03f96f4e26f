"""Defends a person's retakes: what they change holds until withdrawn, and each is linked to its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.review.retakes import RetakeInfo, list_retakes, withdraw_retake
from anime_pipeline_tests.rendering.studio import Studio, production, stills
from anime_pipeline_tests.review.failures import judge, state

MIKA, TORU, LOOP = "tiny.e01.s001.c0010", "tiny.e01.s001.c0020", "tiny.e01.s001.c0030"


@pytest.fixture
def shot(studio: Studio) -> Studio:
    """A studio whose cuts are all rendered."""
    studio.import_(production())
    studio.render()
    return studio


def ask(studio: Studio, key: str = MIKA, **asked: Any) -> RetakeInfo:
    (one,) = studio.retake([key], **asked)
    return one


def withdraw(studio: Studio, one: RetakeInfo) -> RetakeInfo:
    with session_scope(studio.settings) as session:
        return withdraw_retake(session, one.id)


def listed(studio: Studio, scope: str | None = None) -> list[RetakeInfo]:
    with session_scope(studio.settings) as session:
        return list_retakes(session, scope)


def test_without_changes_it_is_one_further_take_with_another_seed(shot: Studio) -> None:
    one = ask(shot, note=" too stiff ", by="Aki")
    assert (one.note, one.asked_by) == ("too stiff", "Aki")
    assert (one.retaken_take, one.answered_by_take, one.answer_status) == (1, 2, "queued")
    assert (state(shot).state, state(shot).retakes) == ("queued", 1)
    shot.drain()
    judge(shot)
    (answered,) = listed(shot, MIKA)
    assert (answered.answer_status, answered.answer_verdict) == ("completed", "passed")
    seeds = [drawn.seed for drawn in shot.artist.shots if not drawn.action and drawn.kind == "still"]
    assert len(seeds) == len(set(seeds))
    assert listed(shot, TORU) == []


def test_a_change_makes_the_cut_stale_by_name_and_its_take_answers(shot: Studio) -> None:
    one = ask(shot, camera="low angle", action="waves", note="closer")
    assert one.changes == {"camera": "low angle", "action": "waves"}
    assert (one.retaken_take, one.answered_by_take) == (1, 2)
    shot.query_none("UPDATE render_queue SET status = 'cancelled' WHERE status = 'queued'")
    shot.query_none(f"DELETE FROM jobs WHERE id = {one.answered_by_job_id}")
    found = state(shot)
    assert found.state == "stale"
    assert {change.field: change.new for change in found.changes} == {
        "cut.camera_angle": "low angle", "cut.action_notes": "waves",
        f"direction.{one.id}.camera": "low angle", f"direction.{one.id}.action": "waves",
    }  # fmt: skip
    shot.render()
    assert shot.states()["c0010"].state == "current"
    assert (shot.artist.shots[-1].camera_angle, shot.artist.shots[-1].action) == ("low angle", "waves")


def test_changes_hold_through_edits_of_the_story_until_they_are_withdrawn(shot: Studio) -> None:
    one = ask(shot, camera="low angle", variation={"Mika": "yukata"})
    shot.render()
    data = production()
    data["episodes"][0]["scenes"][0]["mood"] = "stormy"
    data["episodes"][0]["scenes"][0]["cuts"][0]["camera_angle"] = "wide"
    shot.import_(data)
    found = state(shot)
    assert [change.field for change in found.changes] == ["scene.mood"], "the camera is directed"
    shot.render()
    last = next(
        drawn for drawn in reversed(shot.artist.shots) if drawn.kind == "still" and drawn.camera_angle
    )
    assert (last.camera_angle, last.mood) == ("low angle", "stormy")
    assert [figure.outfit for figure in last.figures] == ["yukata"]
    withdrawn = withdraw(shot, one)
    assert withdrawn.withdrawn_at is not None
    fields = {change.field for change in state(shot).changes}
    assert {"cut.camera_angle", f"direction.{one.id}.camera", f"direction.{one.id}.variation.mika"} <= fields
    shot.render()
    assert any(drawn.camera_angle == "wide" and drawn.mood == "stormy" for drawn in shot.artist.shots)


def test_withdrawing_shows_the_take_of_before_again(shot: Studio) -> None:
    before = shot.renders
    one = ask(shot, expression={"Mika": "furious"})
    shot.render()
    assert shot.renders == before + 1
    withdraw(shot, one)
    assert state(shot).state == "current"
    shot.render()
    assert shot.renders == before + 1
    again = ask(shot, expression={"Mika": "furious"})
    assert (again.answered_by_take, again.answer_status) == (2, "completed"), "it was rendered so already"


def test_of_two_changes_the_later_holds_and_withdrawing_it_gives_the_earlier_back(shot: Studio) -> None:
    ask(shot, TORU, camera="low angle")
    later = ask(shot, TORU, camera="high angle", note="other way")
    shot.render()
    assert shot.artist.shots[-1].camera_angle == "high angle"
    withdraw(shot, later)
    shot.render()
    assert {drawn.camera_angle for drawn in shot.artist.shots[4:]} == {"low angle", "high angle"}
    assert shot.states()["c0020"].state == "current"


def test_a_seed_holds_for_all_takes_that_follow(studio: Studio) -> None:
    studio.import_(stills(1, takes=2))
    studio.render()
    ask(studio, seed=2**64 - 1, by="Aki")
    asked_for = studio.query("SELECT metadata ->> 'requested_by' AS who FROM jobs WHERE status = 'queued'")
    assert [row.who for row in asked_for] == ["Aki", "Aki"], "so that the sensor renders both"
    studio.render()
    # Two prompts are on the server at once, and may be drawn in either order.
    assert 2**64 - 1 in {drawn.seed for drawn in studio.artist.shots[2:]}
    assert len({drawn.seed for drawn in studio.artist.shots}) == 4
    assert studio.states()["c0010"].state == "current"


def test_a_prompt_is_added_where_the_workflow_reads_one(studio: Studio) -> None:
    studio.import_(stills(1, workflow="sdxl-still"))
    studio.plan()
    one = ask(studio, prompt="teal hair, bright eyes", negative="hats")
    (row,) = studio.query(f"SELECT prompt, negative_prompt FROM jobs WHERE id = {one.answered_by_job_id}")
    assert row.prompt.endswith("teal hair, bright eyes")
    assert row.negative_prompt.endswith("hats")
    ingredients = studio.query(
        f"SELECT ingredients FROM studio.takes WHERE job_id = {one.answered_by_job_id}"
    )
    assert ingredients[0].ingredients[f"direction.{one.id}.prompt"] == "teal hair, bright eyes"


def outfit_gone(data: dict[str, Any]) -> None:
    data["characters"][0]["variations"] = data["characters"][0]["variations"][:1]


def character_gone(data: dict[str, Any]) -> None:
    cut = data["episodes"][0]["scenes"][0]["cuts"][0]
    cut |= {"cast": ["Toru"], "dialogue": []}


@pytest.mark.parametrize(
    ("edit", "said"),
    [(outfit_gone, "Mika's yukata, which is gone"), (character_gone, "who is not in the cut")],
)
def test_a_change_that_the_story_makes_impossible_is_said_and_not_ignored(
    shot: Studio, edit: Callable[[dict[str, Any]], None], said: str
) -> None:
    one = ask(shot, variation={"Mika": "yukata"})
    data = production()
    edit(data)
    shot.import_(data)
    found = state(shot)
    assert found.state == "failed"
    assert said in str(found.reason)
    withdraw(shot, one)
    assert state(shot).state in ("current", "stale")


@pytest.mark.parametrize(
    ("asked", "message", "remedy"),
    [
        ({"variation": {"Mikka": "yukata"}}, "Mikka is not in tiny.e01.s001.c0010", "did you mean 'Mika'"),
        ({"variation": {"Toru": "yukata"}}, "Toru is not in", "known are: Mika"),
        ({"variation": {"Mika": "yukatta"}}, "Mika has no outfit yukatta", "did you mean 'yukata'"),
        ({"expression": {"Mika": " "}}, "The expression is empty", "leave expression out"),
        ({"camera": ""}, "The camera is empty", "leave camera out"),
        ({"camera": "x" * 101}, "at most 100 fit", ""),
        ({"seed": 2**64}, "not from 0 to 2^64-1", ""),
        ({"seed": -1}, "not from 0 to 2^64-1", ""),
        ({"prompt": "rain"}, "renders tiny.e01.s001.c0010 without its prompt", "leave prompt out"),
        ({"variation": {"Mika": "raincoat"}}, "is so already", "ask without them"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_kept(
    shot: Studio, asked: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises(UserError) as caught:
        ask(shot, **asked)
    assert message in str(caught.value)
    assert remedy in (caught.value.remedy or "")
    assert listed(shot) == []
    assert {one.state for one in shot.states().values()} == {"current"}
    assert len(shot.query("SELECT 1 FROM studio.takes")) == 4


@pytest.mark.parametrize("key", ["tiny.e01.s001.c9999", "tiny.e01.s001", "tiny"])
def test_only_an_active_cut_is_retaken(shot: Studio, key: str) -> None:
    with pytest.raises(UserError, match="There is no active cut"):
        ask(shot, key)


def test_a_fixed_seed_allows_no_other_take_of_the_same(studio: Studio) -> None:
    studio.import_(stills(1, seed_policy="fixed"))
    studio.render()
    with pytest.raises(UserError, match="seed policy fixed"):
        ask(studio)
    ask(studio, seed=77)
    studio.render()
    assert studio.artist.shots[-1].seed == 77


def test_a_further_take_that_waits_is_withdrawn_and_not_rendered(shot: Studio) -> None:
    one = ask(shot)
    assert withdraw(shot, one).answer_status == "cancelled"
    with pytest.raises(UserError, match="is withdrawn already"):
        withdraw(shot, one)
    shot.drain()
    assert shot.renders == 4
    assert state(shot).state == "current"
    other = ask(shot)
    shot.drain()
    with pytest.raises(UserError, match="is rendered or being rendered"):
        withdraw(shot, other)
    assert len(listed(shot)) == 2


def test_a_retake_that_does_not_exist_cannot_be_withdrawn(shot: Studio) -> None:
    with session_scope(shot.settings) as session, pytest.raises(UserError, match="There is no retake 99"):
        withdraw_retake(session, 99)
