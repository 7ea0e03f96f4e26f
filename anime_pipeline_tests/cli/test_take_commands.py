"""Defends `anime-pipeline takes`: lists, a person's choice and its release, a prune that asks first."""

# ruff: noqa: F811 - fixtures are imported under the names that tests ask for

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from anime_pipeline.cli import app
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.takes import TakeError
from anime_pipeline.review.rejections import reject_take
from anime_pipeline.settings import Settings, get_settings
from anime_pipeline_tests.cli.test_commands import run
from anime_pipeline_tests.rendering.conftest import artist, server, studio  # noqa: F401
from anime_pipeline_tests.rendering.studio import Studio
from anime_pipeline_tests.review.studio import best, passed, selected, videos

KEY = "tiny.e01.s001.c0010"


@pytest.fixture
def jobs(studio: Studio) -> list[int]:
    """Three finished, passed takes of one video, the second the best and selected."""
    studio.import_(videos(1))
    found = sorted(take.job_id for take in studio.render().finished)
    for job_id, flicker in zip(found, (0.93, 0.99, 0.96), strict=True):
        passed(studio, job_id, temporal_flicker=flicker)
    assert best(studio) == [found[1]]
    return found


@dataclass
class Command:
    """The command, run in this process on a studio's home."""

    capsys: pytest.CaptureFixture[str]

    def said(self, *arguments: str) -> str:
        """What it prints."""
        self.capsys.readouterr()
        app(["takes", *arguments], standalone_mode=False)
        return self.capsys.readouterr().out

    def told(self, *arguments: str) -> Any:
        """What it prints as JSON."""
        return json.loads(self.said(*arguments, "--json"))


@pytest.fixture
def takes(
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Command]:
    monkeypatch.setenv("ANIME_HOME", str(studio.settings.home))
    monkeypatch.setenv("ANIME_DATABASE_URL", str(studio.settings.database_url))
    get_settings.cache_clear()
    yield Command(capsys)
    get_settings.cache_clear()


def test_a_list_says_which_take_stands_and_why(takes: Command, studio: Studio, jobs: list[int]) -> None:
    listed = takes.told("list", KEY)
    assert [one["standing"] for one in listed] == ["", "selected", ""]
    assert listed[1]["score"]["score"] > listed[2]["score"]["score"]
    assert listed[1]["media"].endswith(".mp4")
    shown = takes.said("list", KEY)
    assert "take 2, selected because 0.8833 vs 0.8333 of take 3, 0.7833 of take 1; terms" in shown
    assert "temporal_flicker 0.950 × 1" in shown


def test_why_a_take_was_not_rendered_is_told(takes: Command, studio: Studio) -> None:
    studio.import_(videos(1, takes=1, mood="calm"))
    studio.plan()
    studio.import_(videos(1, takes=1, mood="tense"))
    studio.plan()
    why = "cancelled: superseded by a change of scene.mood"
    assert f"take 1, {why}" in takes.said("list", KEY)
    assert why in takes.said("show", "1")


def test_a_take_that_was_turned_down_is_told_and_competes_no_more(
    takes: Command, studio: Studio, jobs: list[int]
) -> None:
    with session_scope(studio.settings) as session:
        reject_take(session, jobs[1], "echo brain")
    takes.said("score", KEY)
    assert [one["standing"] for one in takes.told("list", KEY)] == ["", "rejected", "selected"]
    assert "take 3, selected because 0.8333 vs 0.7833 of take 1; terms" in takes.said("list", KEY)
    with session_scope(studio.settings) as session:
        for job in (jobs[0], jobs[2]):
            reject_take(session, job, "echo brain")
    assert "that passed was turned down" in takes.said("score", KEY)


def test_a_take_is_shown_with_what_its_score_is_made_of(
    takes: Command, studio: Studio, jobs: list[int]
) -> None:
    takes.told("select", str(jobs[0]), "--by", "Aiko", "--note", "her [eyes]")
    shown = takes.said("show", str(jobs[0]))
    for words in ("Score 0.783333", "temporal_flicker", "its weight is 0", "Aiko", "her [eyes]", "chosen"):
        assert words in shown
    as_json = takes.told("show", str(jobs[0]))
    assert as_json["choices"][0]["note"] == "her [eyes]"
    left_out = [t["metric"] for t in as_json["score"]["terms"] if t.get("left_out")]
    assert left_out == ["dynamic_degree", "palette_adherence", "shot_changes"]


def test_a_choice_is_made_kept_and_given_back(takes: Command, studio: Studio, jobs: list[int]) -> None:
    (chosen,) = takes.told("select", str(jobs[0]), "--by", "Aiko", "--note", "her eyes")
    assert chosen == {"cut_key": KEY, "job_id": jobs[0], "reason": "take 1, chosen by Aiko: her eyes"}
    (scored,) = takes.told("score")
    assert scored["job_id"] == jobs[0]
    (released,) = takes.told("release", KEY)
    assert released["job_id"] == jobs[1]
    assert selected(studio) == [jobs[1]]


def test_a_stale_choice_stays_and_is_shown_as_stale(takes: Command, studio: Studio, jobs: list[int]) -> None:
    takes.told("select", str(jobs[0]), "--by", "Aiko")
    data = videos(1)
    data["episodes"][0]["scenes"][0]["mood"] = "tense"
    studio.import_(data)
    listed = takes.told("list", KEY)
    assert [one["standing"] for one in listed] == ["chosen, stale", "", ""]
    assert "it shows an earlier story" in takes.said("list", KEY)


def test_weights_of_the_file_are_taken_up_by_scoring_again(
    takes: Command, studio: Studio, jobs: list[int]
) -> None:
    data = videos(1)
    data["project"]["selection"] = {"weights": {"temporal_flicker": 0}}
    studio.import_(data)
    assert "takes score" in takes.said("list", KEY)
    (scored,) = takes.told("score", "tiny")
    assert scored["job_id"] == jobs[2], "all equal now, and the newest of equals stands"


def test_a_prune_asks_first_and_then_frees_what_loses(
    takes: Command, studio: Studio, jobs: list[int]
) -> None:
    studio.query_none("UPDATE jobs SET completed_at = completed_at - interval '2 days'")
    then = time.time() - 2 * 86_400
    for path in (studio.settings.home / "media").rglob("*.*"):
        if path.is_file():
            os.utime(path, (then, then))
    assert [take["kept"] for take in takes.told("prune")["takes"]] == [
        "no policy: nothing is pruned unless asked",
        "selected",
        "the newest of its cut",
    ]
    dry = takes.told("prune", "tiny", "--keep", "1")
    assert dry["applied"] is False
    assert [take["job_id"] for take in dry["takes"] if take["kept"] is None] == [jobs[0]]
    assert "Nothing was changed." in takes.said("prune", "--older-than", "1")

    done = takes.told("prune", "tiny", "--keep", "1", "--apply")
    assert (done["applied"], done["files"]) == (True, 1)
    assert done["bytes"] == dry["plan"]["bytes"] > 0
    listed = takes.told("list", KEY)
    assert [one["standing"] for one in listed] == ["pruned", "selected", ""]
    assert [bool(one["media"]) for one in listed] == [False, True, True]
    with pytest.raises(TakeError, match="were pruned") as refused:
        takes.said("select", str(jobs[0]))
    assert f"anime-pipeline reproduce {jobs[0]}" in str(refused.value.remedy)


def test_mistakes_say_what_to_do(takes: Command, studio: Studio, jobs: list[int]) -> None:
    for arguments, words in (
        (("show", "999"), "anime-pipeline takes list CUT"),
        (("select", "999"), "anime-pipeline takes list CUT"),
        (("list", "tiny.e01.s009"), "anime-pipeline status"),
        (("release", "tiny.e01.s001.c0099"), "anime-pipeline status"),
        (("prune", "Not A Scope"), "lantern-post"),
    ):
        with pytest.raises(UserError) as failed:
            takes.said(*arguments)
        assert words in str(failed.value.remedy)


def test_a_mistake_ends_with_status_1_and_no_traceback(settings: Settings) -> None:
    failed = run(settings, "takes", "show", "999")
    assert failed.returncode == 1
    assert "anime-pipeline takes list CUT" in failed.stderr
    assert "Traceback" not in failed.stderr
