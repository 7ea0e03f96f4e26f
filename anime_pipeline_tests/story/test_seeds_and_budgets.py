"""Defends seed policies and budgets on their way from the production file, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.story.importer import compare
from anime_pipeline_tests.story.files import mistakes, read, small
from anime_pipeline_tests.story.test_loader import imported

STILL, VIDEO = "small.e01.s001.c0010", "small.e01.s001.c0030"


def with_policies(**project: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A production and its first cut, to be changed."""
    data = small()
    data["project"] |= project
    cut: dict[str, Any] = data["episodes"][0]["scenes"][0]["cuts"][0]
    return data, cut


def test_a_cut_has_the_projects_policy_unless_it_has_its_own(session: Session, tmp_path: Path) -> None:
    data, cut = with_policies(seed_policy="sequential")
    cut["seed_policy"] = "random"
    contexts = imported(session, tmp_path, data)
    assert (contexts[STILL].seed_policy, contexts[STILL].has_own_seed_policy) == ("random", True)
    assert (contexts[VIDEO].seed_policy, contexts[VIDEO].has_own_seed_policy) == ("sequential", False)
    assert compare(session, read(tmp_path, data)).is_empty


def test_what_is_drawn_for_a_cut_is_its_own_and_stays(session: Session, tmp_path: Path) -> None:
    data, cut = with_policies()
    drawn = {key: one.drawn_seed for key, one in imported(session, tmp_path, data).items()}
    assert len(set(drawn.values())) == len(drawn)
    cut |= {"seed_policy": "random", "description": "edited"}
    assert {key: one.drawn_seed for key, one in imported(session, tmp_path, data).items()} == drawn


def budget(session: Session, key: str) -> tuple[int, float, int]:
    row = session.execute(
        text("SELECT (studio.budget_of(cut_id)).* FROM studio.cut_profiles WHERE cut_key = :key"),
        {"key": key},
    ).one()
    return row.attempts, row.gpu_seconds, row.retakes


def test_a_cuts_budget_is_its_own_then_the_projects_then_the_default(
    session: Session, tmp_path: Path
) -> None:
    data, cut = with_policies(budget={"retakes": 5, "gpu_seconds": 90})
    cut["budget"] = {"retakes": 0}
    imported(session, tmp_path, data)
    assert budget(session, STILL) == (3, 90, 0)
    assert budget(session, VIDEO) == (3, 90, 5)
    assert compare(session, read(tmp_path, data)).is_empty
    data["project"].pop("budget")
    changed = {entry.kind: entry for entry in compare(session, read(tmp_path, data)).entries}
    assert [change.field for change in changed["project"].changes] == ["budget"]


@pytest.mark.parametrize(
    ("project", "own", "field", "said"),
    [
        ({"seed_policy": "fixed"}, {"takes": 3}, "takes", "would all be the same picture"),
        ({}, {"seed_policy": "fixed", "takes": 2}, "takes", "would all be the same picture"),
        ({}, {"seed_policy": "random", "seed": 5}, "seed", "none is drawn at random"),
        ({}, {"seed_policy": "dice"}, "seed_policy", "seed_policy"),
        ({}, {"budget": {"retakes": -1}}, "retakes", "at least 0"),
        ({}, {"budget": {"attempts": 0}}, "attempts", "at least 1"),
        ({}, {"budget": {"retries": 1}}, "retries", "retries"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_line(
    tmp_path: Path, project: dict[str, Any], own: dict[str, Any], field: str, said: str
) -> None:
    data, cut = with_policies(**project)
    cut |= own
    (mistake,) = mistakes(tmp_path, data)
    assert said in str(mistake)
    assert field in mistake.field
    assert mistake.line > 1


def test_one_take_with_a_fixed_seed_is_fine(session: Session, tmp_path: Path) -> None:
    data, cut = with_policies(seed_policy="fixed")
    cut["seed"] = 4
    assert imported(session, tmp_path, data)[STILL].seed_policy == "fixed"
