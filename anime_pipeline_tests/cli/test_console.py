"""Defends what tables and facts look like: keys stay whole where there is room, nothing is ever cut off."""

from __future__ import annotations

from datetime import datetime
from io import StringIO

import pytest
from rich.console import Console

from anime_pipeline.cli import console
from anime_pipeline.cli.changes import told_change
from anime_pipeline.story.difference import FieldChange

KEY = "lantern-post.e01.s002.c0030"
COLUMNS = ("cut", "motion smoothness", "why")
ROWS = [(KEY, 0.99211, "a sentence that is longer than its column " * 3), (KEY, None, None)]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> StringIO:
    """What is printed on a terminal of as many columns as the test asks."""
    file = StringIO()
    monkeypatch.setattr(console, "out", Console(file=file, width=request.param, markup=False))
    return file


@pytest.mark.parametrize("printed", [100], indirect=True)
def test_a_table_folds_sentences_and_keeps_keys_and_headers_whole(printed: StringIO) -> None:
    console.print_table("Cuts", COLUMNS, ROWS)
    lines = printed.getvalue().splitlines()
    assert sum(KEY in line for line in lines) == 2
    assert "smoothness" in printed.getvalue()
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("printed", [40], indirect=True)
def test_a_narrow_table_breaks_keys_rather_than_cutting_them_off(printed: StringIO) -> None:
    console.print_table("Cuts", COLUMNS, ROWS[1:])
    cells = [line.split("│")[1].strip() for line in printed.getvalue().splitlines() if "│" in line]
    assert "".join(cells) == KEY
    assert max(map(len, printed.getvalue().splitlines())) <= 40


@pytest.mark.parametrize("printed", [100], indirect=True)
def test_a_header_takes_no_more_lines_than_its_column_needs_and_a_time_no_fractions(
    printed: StringIO,
) -> None:
    console.print_table("Retakes", ("came of it", "at"), [("passed", datetime(2026, 3, 1, 12, 0, 0, 123456))])
    assert [line.strip(" ┃").split() for line in printed.getvalue().splitlines()[2:4]] == [
        ["came"],
        ["of", "it", "┃", "at"],
    ]
    assert "2026-03-01 12:00:00 │" in printed.getvalue()


def test_a_change_names_what_differs_in_the_words_of_the_file() -> None:
    old = {"append": ["red obi"], "attributes": {"outfit": "yukata"}}
    new = {"append": ["gold obi", "fan"], "attributes": {"outfit": "yukata"}, "worn": True}
    assert told_change(FieldChange("prompt_modifiers", old, new)).splitlines() == [
        "prompt_modifiers.append: ['red obi'] → ['gold obi', 'fan']",
        "prompt_modifiers.worn: – → yes",
    ]
    line = {"text": "Hi", "speaker": "Kon"}
    assert (
        told_change(FieldChange("dialogue", None, [line])) == "dialogue: – → [{speaker: 'Kon', text: 'Hi'}]"
    )


@pytest.mark.parametrize("printed", [100], indirect=True)
def test_nothing_and_pairs_are_told_in_words_below_each_other(printed: StringIO) -> None:
    console.print_table("Queue", COLUMNS, [])
    console.print_facts({"pending": [], "kept as": None, "done": ("a", {"cuts": 2})})
    assert printed.getvalue() == "Queue: none.\npending  none\nkept as  –\ndone     a, cuts 2\n"
