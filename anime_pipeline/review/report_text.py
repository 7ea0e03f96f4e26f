"""The daily report as markdown: a heading for each kind of thing that happened, nothing for what did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from anime_pipeline.review.forecast import counted, duration

MOST_ROWS = 50
"""Rows of one table; the rest is counted."""

_HEADINGS = {
    "rendered": "Rendered",
    "not_rendered": "Not rendered",
    "judged": "Takes judged",
    "retakes": "Retakes",
    "to_review": "For a person to look at",
    "gates": "Gates",
    "overrides": "Gates overridden",
    "withdrawn": "Overrides withdrawn",
    "thresholds": "Thresholds moved",
    "films": "Films built",
    "cost": "GPU time",
    "queue": "Waiting now",
    "servers": "Servers now",
}


def markdown(
    day: date,
    time_zone: str,
    totals: Mapping[str, int | float],
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
) -> str:
    """The report for people; the same rows give the same text."""
    lines = [f"# {day.isoformat()} ({time_zone})", "", _summary(totals), ""]
    for name, heading in _HEADINGS.items():
        if rows[name]:
            lines += [f"## {heading}", "", *_table(rows[name]), ""]
    return "\n".join(lines)


def _summary(totals: Mapping[str, int | float]) -> str:
    if not any(totals.values()):
        return "Nothing happened."
    judged = [
        f"{totals[f'takes_{verdict}']} {verdict}"
        for verdict in ("passed", "failed", "incomplete")
        if totals[f"takes_{verdict}"]
    ]
    rendered = counted(totals["takes_rendered"], "take")
    told = [f"{rendered} rendered in {duration(totals['gpu_seconds'])} of GPU time"]
    if totals["takes_not_rendered"]:
        told.append(f"{totals['takes_not_rendered']} not rendered")
    told += judged
    for name, one, several in (
        ("retakes", "retake", "retakes"),
        ("cuts_to_review", "cut for a person to look at", "cuts for a person to look at"),
        ("overrides", "gate overridden", "gates overridden"),
        ("takes_waiting", "take waiting", "takes waiting"),
    ):
        if totals[name]:
            told.append(counted(totals[name], one, several))
    return ", ".join(told) + "."


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = list(rows[0])
    lines = [_row([column.replace("_", " ") for column in columns]), _row(["---"] * len(columns))]
    lines += [_row([_cell(column, row[column]) for column in columns]) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines += ["", f"and {len(rows) - MOST_ROWS} more"]
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "gpu_seconds":
        return duration(float(value))
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(str(value).replace("|", "\\|").split())
