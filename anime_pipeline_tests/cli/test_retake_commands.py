"""Defends the command for retakes: what it asks for, what it shows, and what mistakes cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from anime_pipeline.cli import retake_commands
from anime_pipeline.cli.house import House
from anime_pipeline.errors import UserError
from anime_pipeline_tests.rendering.conftest import artist, server  # noqa: F401
from anime_pipeline_tests.rendering.conftest import studio as _studio  # noqa: F401
from anime_pipeline_tests.rendering.studio import Studio, production
from anime_pipeline_tests.review.failures import answer, judge

MIKA = "tiny.e01.s001.c0010"


@pytest.fixture
def studio(_studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:  # noqa: F811
    """The studio, rendered, which the command opens as its house."""
    monkeypatch.setattr(retake_commands, "open_house", lambda: House(_studio.settings))
    _studio.import_(production())
    _studio.render()
    return _studio


def said(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(retake_commands.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def told(*arguments: str) -> Any:
    """What the command prints as JSON."""
    return json.loads(CliRunner().invoke(retake_commands.app, [*arguments, "--json"]).stdout)


def test_a_cut_is_retaken_with_changes_by_name(studio: Studio) -> None:
    asked = told(
        MIKA, "--note", "closer", "--camera", "low angle", "--variation", "Mika=yukata", "--seed", "7",
        "--by", "Aki", "--no-render",
    )  # fmt: skip
    assert asked["changes"] == {"camera": "low angle", "variation": {"Mika": "yukata"}, "seed": 7}
    assert (asked["asked_by"], asked["note"], asked["answer_status"]) == ("Aki", "closer", "queued")
    studio.drain()
    assert studio.artist.shots[-1].seed == 7
    (listed,) = told("list", "tiny.e01")
    assert (listed["id"], listed["answered_by_take"], listed["answer_status"]) == (
        asked["id"],
        2,
        "completed",
    )
    text = said("list")
    assert "Aki" in text
    assert "low angle" in text
    assert told("withdraw", str(asked["id"]))["withdrawn_at"]


def test_what_is_printed_says_how_long_changes_hold(studio: Studio) -> None:
    assert "hold until anime-pipeline retake withdraw" in said(MIKA, "--action", "waves", "--no-render")
    assert "hold until" not in said(MIKA, "--no-render")


def test_an_automatic_retake_is_listed_with_its_cause(studio: Studio) -> None:
    judge(studio, "aesthetic")
    answer(studio)
    assert {(one["cause"], one["strategy"], one["asked_by"]) for one in told("list")} == {
        ("look", "new_seed", None)
    }
    assert "look: new_seed" in said("list", MIKA)


def test_rendering_goes_on_until_the_retake_is_answered(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def produce(house: House, keys: list[str]) -> list[Any]:
        assert keys == [MIKA]
        studio.drain()
        judge(studio)
        return []

    monkeypatch.setattr(retake_commands, "produce_cuts", produce)
    assert told(MIKA)["answer_verdict"] == "passed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MIKA, "--variation", "yukata"), "names no character"),
        ((MIKA, "--variation", "Mika=kimono"), "has no outfit kimono"),
        (("tiny.e09.s001.c0010",), "There is no active cut"),
        (("withdraw", "12"), "There is no retake 12"),
    ],
)
def test_mistakes_are_told_in_words(studio: Studio, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(retake_commands.app, list(arguments), catch_exceptions=False)
    assert told("list") == []


def test_without_anything_it_shows_its_help() -> None:
    text = CliRunner().invoke(retake_commands.app, ["--help"]).stdout
    assert "withdraw" in text
    assert "list" in text
