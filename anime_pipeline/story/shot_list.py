"""A shot list: cuts as the rows of a spreadsheet, for a project whose story is stored.

A row makes or changes one cut. What the sheet does not hold is left alone: cuts without a row, fields without
a column. Spreadsheets of any country are read: commas, semicolons or tabs between the cells, line breaks in
them, a byte order mark, empty rows and columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE
from anime_pipeline.story.mistakes import ProductionError, ProductionErrors
from anime_pipeline.story.shot_cells import CellError, number_in, tidied, value_of
from anime_pipeline.story.wording import close_match

KEY_COLUMNS = {"episode": MAX_EPISODE, "scene": MAX_SCENE, "cut": MAX_CUT}
CUT_COLUMNS = (
    "kind",
    "duration_frames",
    "camera_angle",
    "description",
    "action_notes",
    "cast",
    "dialogue",
    "repeats",
    "takes",
    "fps",
    "lip_flap",
    "continues",
    "continuous",
    "workflow",
    "seed",
    "seed_policy",
    "budget",
)
SCENE_TEXTS = ("name", "description", "location", "time_of_day", "mood")
SCENE_COLUMNS = (*(f"scene_{name}" for name in SCENE_TEXTS), "scene_cast")
COLUMNS = (*KEY_COLUMNS, *CUT_COLUMNS, *SCENE_COLUMNS)
SUFFIXES = frozenset({".csv", ".tsv"})
WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".ods", ".numbers"})

_LARGEST_FILE = 64 * 1024 * 1024

CutNumbers = tuple[int, int, int]


@dataclass(frozen=True)
class ShotRow:
    """A cut's row, by its number in the spreadsheet; cells and values by column, as far as it is there."""

    row: int
    key: CutNumbers
    cells: dict[str, str]
    values: dict[str, Any]


@dataclass(frozen=True)
class ShotList:
    """The rows of a sheet, in its order; ``letters`` are the spreadsheet's names of the columns.

    ``omits_missing``: cuts of the sheet's scenes that have no row are omitted. ``errors`` are what is wrong
    with single cells, to be told with what only the stored story shows to be wrong.
    """

    file: str
    slug: str
    letters: dict[str, str]
    rows: tuple[ShotRow, ...] = ()
    omits_missing: bool = False
    errors: tuple[ProductionError, ...] = ()

    def error(self, row: int, column: str, field: str, message: str, hint: str | None) -> ProductionError:
        """A mistake in a cell, which is told as the spreadsheet shows it: ``kind (D3)``."""
        letter = self.letters.get(column)
        return ProductionError(self.file, row, f"{field} ({letter}{row})" if letter else field, message, hint)


def read_shot_list(path: Path | str, slug: str, omits_missing: bool = False) -> ShotList:
    """The shot list that a CSV or TSV file holds, for the project ``slug``.

    Raises :class:`ProductionErrors` for a file that is no table of cuts.
    """
    return _Reading(Path(path), slug, omits_missing).shot_list()


def sheet_errors(errors: list[ProductionError]) -> ProductionErrors:
    """All mistakes of a sheet."""
    return ProductionErrors(errors, "shot list")


class _Reading:
    """One file on its way to being a shot list."""

    def __init__(self, path: Path, slug: str, omits_missing: bool) -> None:
        self._path = path
        self._list = ShotList(str(path), slug, {}, omits_missing=omits_missing)
        self._errors: list[ProductionError] = []
        self._seen: dict[CutNumbers, int] = {}

    def shot_list(self) -> ShotList:
        records = self._records()
        columns = self._columns(*next(records, (0, [])))
        rows = [row for number, cells in records if (row := self._row(number, columns, cells))]
        if not (rows or self._errors):
            raise self._stop(0, "there is no cut in the file", "write one in each row below the column names")
        return replace(self._list, rows=tuple(rows), errors=tuple(self._errors))

    def _note(self, row: int, column: str, message: str, hint: str | None = None) -> None:
        self._errors.append(self._list.error(row, column, column, message, hint))

    def _stop(self, row: int, message: str, hint: str) -> ProductionErrors:
        self._note(row, "", message, hint)
        return sheet_errors(self._errors)

    def _text(self) -> str:
        try:
            if self._path.stat().st_size > _LARGEST_FILE:
                raise self._stop(0, "the file is larger than 64 MiB", "split it into episodes")
            data = self._path.read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise self._stop(0, f"the file cannot be read: {reason}", "check the path") from None
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self._stop(0, "the file is not UTF-8 text", "save it as 'CSV UTF-8'") from None
        if "\0" in text:
            raise self._stop(0, "the file is not UTF-8 text", "save it as 'CSV UTF-8'")
        return text

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Rows as the spreadsheet counts them, without the empty ones."""
        text = self._text()
        names = text.lstrip().partition("\n")[0]
        delimiter = "\t" if self._path.suffix.lower() == ".tsv" else max(",;\t", key=names.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        number = 0
        try:
            for number, cells in enumerate(reader, 1):
                if any(map(str.strip, cells)):
                    yield number, [tidied(cell) for cell in cells]
        except csv.Error as error:
            hint = "check the quotes from there on, or save the sheet as CSV again"
            raise self._stop(number + 1, f"the row cannot be read: {error}", hint) from None

    def _columns(self, row: int, header: list[str]) -> list[str | None]:
        """The column of each cell; None for those that are passed over."""
        columns: list[str | None] = []
        for index, title in enumerate(header):
            name = re.sub(r"[\s-]+", "_", title.lower())
            if not name or name.startswith("#"):
                columns.append(None)
                continue
            columns.append(name if name in COLUMNS else None)
            if name in self._list.letters:
                first = self._list.letters[name]
                self._note(
                    row, name, f"there are two columns {name}, {first} and {_letter(index)}", "keep one"
                )
            elif name in COLUMNS:
                self._list.letters[name] = _letter(index)
            else:
                self._refuse_column(row, name, title, index)
        for name in KEY_COLUMNS:
            if name not in self._list.letters:
                self._note(row, name, f"there is no column {name}", "each row names episode, scene and cut")
        if self._errors:
            raise sheet_errors(self._errors)
        return columns

    def _refuse_column(self, row: int, name: str, title: str, index: int) -> None:
        if name in ("first_frame", "last_frame"):
            hint = "production.yaml names pictures; remove the column"
        else:
            hint = close_match(name, COLUMNS) or f"known are: {', '.join(COLUMNS)}"
            hint += f"; a column of your own is passed over where its name begins with #: #{title}"
        self._note(row, name, f"unknown column {_letter(index)}, '{title}'", hint)

    def _row(self, number: int, columns: list[str | None], cells: list[str]) -> ShotRow | None:
        if any(cells[len(columns) :]):
            self._note(
                number, "", "there are more cells than column names", "check the quotes and delimiters"
            )
            return None
        padded = cells + [""] * (len(columns) - len(cells))
        said = {name: cell for name, cell in zip(columns, padded, strict=True) if name}
        if not any(said.values()):
            return None
        key = self._key(number, said)
        fields = {name: cell for name, cell in said.items() if name not in KEY_COLUMNS}
        values: dict[str, Any] = {}
        for name, cell in fields.items():
            try:
                values[name] = value_of(name, cell)
            except CellError as error:
                self._note(number, name, str(error), error.suggestion)
        return ShotRow(number, key, fields, values) if key else None

    def _key(self, row: int, said: dict[str, str]) -> CutNumbers | None:
        numbers = [self._number(row, name, said[name]) for name in KEY_COLUMNS]
        if None in numbers:
            return None
        key: Any = tuple(numbers)
        if key in self._seen:
            self._note(row, "cut", f"the cut is there twice, first in row {self._seen[key]}", "remove one")
            return None
        self._seen[key] = row
        return key  # type: ignore[no-any-return]

    def _number(self, row: int, column: str, cell: str) -> int | None:
        largest = KEY_COLUMNS[column]
        with suppress(CellError):
            number = number_in(column, cell)
            if isinstance(number, int) and number <= largest:
                return number
        wrong = f"{column} must be a whole number from 0 to {largest}, not '{cell}'"
        self._note(row, column, wrong if cell else f"{column} is missing", "each row names its cut")
        return None


def _letter(index: int) -> str:
    """A column's name in a spreadsheet: A, B … Z, AA …"""
    tens, ones = divmod(index, 26)
    return (_letter(tens - 1) if tens else "") + chr(ord("A") + ones)
