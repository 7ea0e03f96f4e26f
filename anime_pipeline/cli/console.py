"""How commands speak: tables for people, one JSON document for scripts, errors that say what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anime_pipeline.errors import UserError

PIPED_WIDTH = 160

# Without markup: what studios name and what errors quote may hold brackets.
out = Console(markup=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, markup=False, width=None if sys.stderr.isatty() else PIPED_WIDTH)

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
    """A table whose states are coloured; numbers are right-aligned."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: object) -> Text:
    if value is None:
        return Text("–")
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    return Text(str(value), style=STATE_STYLES.get(str(value), ""))


def print_facts(facts: Mapping[str, object]) -> None:
    """Name and value pairs, one a line."""
    for name, value in facts.items():
        print_labelled(out, name, f" {value}")


def print_labelled(console: Console, label: str, text: str, style: str = "bold") -> None:
    """A line that begins with a label; the text is told as it is, brackets and all."""
    console.print(Text.assemble((label, style), f" {text}"), soft_wrap=True)


def print_error(error: UserError, label: str = "Error:") -> None:
    """A mistake of the user's with what mends it, on standard error."""
    print_labelled(err, label, str(error), "bold red")
    if error.remedy:
        print_labelled(err, "To mend it:", error.remedy)
