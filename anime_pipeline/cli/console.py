"""How commands speak: tables for people, one JSON document for scripts, errors that say what to do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anime_pipeline.errors import UserError

PIPED_WIDTH = 160
COLUMN_FRAME = 3
NARROW_TEXT = 16
"""Columns of a table: what its frame adds to a column, and the least for one of sentences."""


def _width(piped: bool) -> int | None:
    return PIPED_WIDTH if piped and "COLUMNS" not in os.environ else None


# Without markup: what studios name and what errors quote may hold brackets.
out = Console(markup=False, width=_width(not sys.stdout.isatty()))
err = Console(stderr=True, markup=False, width=_width(not sys.stderr.isatty()))

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

STATE_STYLES = {
    "passed": "green",
    "current": "green",
    "measured": "green",
    "failed": "red",
    "stale": "yellow",
    "incomplete": "yellow",
    "missing": "yellow",
    "queued": "cyan",
    "unavailable": "yellow",
}


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table with coloured states and right-aligned numbers; without rows, a line that says so."""
    if not rows:
        out.print(f"{title}: none.")
        return
    out.print(Text(title, style="italic"), soft_wrap=True)
    table = Table(header_style="bold")
    told = [[row[index] for row in rows if row[index] is not None] for index in range(len(columns))]
    words = [_width_of_words(name, cells) for name, cells in zip(columns, told, strict=True)]
    # Where keys and states fit whole, only sentences are wrapped; where they don't, nothing may be cut off.
    whole = sum(width + COLUMN_FRAME if width else NARROW_TEXT for width in words) < out.width
    for name, cells, width in zip(columns, told, words, strict=True):
        numeric = bool(cells) and all(isinstance(value, int | float) for value in cells)
        no_wrap = whole and bool(width)
        header = fill(name, width, break_long_words=False) if no_wrap else name
        table.add_column(header, justify="right" if numeric else "left", overflow="fold", no_wrap=no_wrap)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _width_of_words(name: str, cells: Sequence[object]) -> int:
    """The width of a column whose cells are one word each; 0 for a column of sentences."""
    told = [_cell(value).plain for value in cells]
    if any(" " in text for text in told):
        return 0
    return max(map(len, (*name.split(), *told)), default=0)


def _cell(value: object) -> Text:
    if value is None:
        return Text("–")
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    if isinstance(value, datetime):
        return Text(_moment(value))
    return Text(str(value), style=STATE_STYLES.get(str(value), ""))


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"


def print_facts(facts: Mapping[str, object]) -> None:
    """Name and value pairs, one a line, the values below each other."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print_labelled(out, name.ljust(width), f" {_fact(value)}")


def _fact(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_fact(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(_fact(part)) for part in value) or "none"
    if isinstance(value, datetime):
        return _moment(value)
    return "–" if value is None else value


def print_labelled(console: Console, label: str, text: str, style: str = "bold") -> None:
    """A line that begins with a label; the text is told as it is, brackets and all."""
    console.print(Text.assemble((label, style), f" {text}"), soft_wrap=True)


def print_error(error: UserError, label: str = "Error:") -> None:
    """A mistake of the user's with what mends it, on standard error."""
    print_labelled(err, label, str(error), "bold red")
    if error.remedy:
        print_labelled(err, "To mend it:", error.remedy)
