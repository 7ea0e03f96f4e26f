"""Defends cells: whatever production.yaml says of a cut goes through a spreadsheet's file and comes back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.story.production import CutEntry, LineEntry, SceneEntry
from anime_pipeline.story.shot_cells import CellError, cell_of, guarded, tidied, value_of
from anime_pipeline.story.shot_list import CUT_COLUMNS, KEY_COLUMNS, SCENE_COLUMNS
from anime_pipeline_tests.story.generated import words

# Line breaks, commas, braces, quotes and what begins formulas, more often than any text has them.
_odd = st.text(st.sampled_from("=+-@＝'\"{}[],:;#\n\r\t 0189eaMé\u2028\x85") | st.characters(codec="utf-8"))
odd = _odd.map(lambda text: text.replace("\0", "").strip()).filter(bool)
names = words | odd


def through_a_file(text: str, delimiter: str) -> str:
    """The cell as it is read again from a CSV file."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerow([guarded(text), "."])
    [[cell, _]] = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter, strict=True)
    return tidied(cell)


def comes_back(column: str, value: Any, delimiter: str = ",") -> Any:
    """The value after its way out and in."""
    return value_of(column, through_a_file(cell_of(column, value), delimiter))


@given(odd, st.sampled_from(",;\t"))
def test_any_text_comes_back(text: str, delimiter: str) -> None:
    assert comes_back("description", text, delimiter) == text.replace("\r\n", "\n").replace("\r", "\n")


@given(odd)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert guarded(text)[0] not in "=+-@＝＋－＠"


@given(
    st.lists(
        st.fixed_dictionaries({"character": names}, optional={"variation": names, "position": names}),
        max_size=3,
    )
)
def test_any_cast_comes_back(cast: list[dict[str, Any]]) -> None:
    assert comes_back("cast", cast) == cast
    worn = [{("costume_variant" if key == "variation" else key): who[key] for key in who} for who in cast]
    assert comes_back("scene_cast", worn) == worn


@given(
    st.lists(
        st.fixed_dictionaries(
            {"speaker": names, "text": names},
            optional={"start": st.integers(0, 99), "off_screen": st.just(True)},
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_dialogue_comes_back(dialogue: list[dict[str, Any]]) -> None:
    assert [LineEntry.written_out(line) for line in comes_back("dialogue", dialogue)] == dialogue


@given(st.integers(0, 2**64 - 1))
def test_any_seed_comes_back_and_no_spreadsheet_rounds_it(seed: int) -> None:
    assert comes_back("seed", seed) == seed
    assert len(guarded(cell_of("seed", seed))) < 16 or guarded(str(seed)).startswith("'")


def test_cells_are_what_a_director_would_write() -> None:
    assert cell_of("cast", [{"character": "Mika"}, {"character": "Toru", "expression": "so sad"}]) == (
        "Mika\n{character: Toru, expression: so sad}"
    )
    assert cell_of("dialogue", [{"speaker": "Mika", "text": "well, hello"}]) == "Mika: well, hello"
    assert cell_of("dialogue", [{"speaker": "Mika", "text": "no: 1", "start": 8}]) == (
        '{speaker: Mika, text: "no: 1", start: 8}'
    )
    assert cell_of("cast", [{"position": "left", "character": "Mika"}]) == "{character: Mika, position: left}"
    assert (cell_of("lip_flap", True), cell_of("budget", {"retakes": 2})) == ("yes", "{retakes: 2}")
    assert value_of("cast", "Mika, Toru\nKon") == [{"character": name} for name in ("Mika", "Toru", "Kon")]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("duration_frames", "48.0", 48),
        ("duration_frames", "48,00", 48),
        ("duration_frames", "1.000", "1.000"),
        ("duration_frames", "48 f", "48 f"),
        ("lip_flap", "TRUE", True),
        ("lip_flap", "No", False),
        ("lip_flap", "maybe", "maybe"),
        ("cast", "[]", []),
        ("cast", "", None),
    ],
)
def test_what_spreadsheets_make_of_numbers_and_truth(column: str, cell: str, value: object) -> None:
    assert value_of(column, cell) == value


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("seed", "1.84467E+19", "rounded"),
        ("cast", "{character: Mika", "cannot be read"),
        ("cast", "{character: Mika, character: Toru}", "given twice"),
        ("dialogue", "{speaker: Mika]", "cannot be read"),
        ("budget", "two", "no budget"),
        ("budget", "{retakes: 1}, {attempts: 2}", "no budget"),
    ],
)
def test_a_cell_that_cannot_be_read_says_how_it_is_written(column: str, cell: str, told: str) -> None:
    with pytest.raises(CellError, match=told) as caught:
        value_of(column, cell)
    assert caught.value.suggestion


def test_no_field_of_a_cut_is_forgotten() -> None:
    """A new field of a cut needs a column, or a reason here: pictures lie beside the production file."""
    assert set(CutEntry.model_fields) - {"number", "first_frame", "last_frame"} == set(CUT_COLUMNS)
    scene = {column.removeprefix("scene_") for column in SCENE_COLUMNS}
    assert set(SceneEntry.model_fields) - scene == {
        "number", "style_overrides", "background_image", "continuous", "cuts",
    }  # fmt: skip
    assert list(KEY_COLUMNS) == ["episode", "scene", "cut"]
