"""``anime-pipeline gates thresholds`` and ``threshold``: what decides, and moving it under a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.thresholds import (
    ThresholdEdit,
    list_thresholds,
    set_threshold,
    threshold_log,
    unset_threshold,
)

app = typer.Typer(help="Move a threshold; verdicts follow at once, nothing is measured again.")

By = Annotated[str, typer.Option("--by", help="Who moves it.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.")]
Gate = Annotated[str, typer.Argument(help="A gate's name: anime-pipeline gates thresholds lists them.")]


def thresholds(
    project: Annotated[str | None, typer.Argument(help="A project; without it, the defaults.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What every gate asks: the default of all projects, and a project's own where it has one."""
    house = open_house()
    with session_scope(house.settings) as session:
        settings = list_thresholds(session, project)
    if as_json:
        print_json([{**asdict(one), "value": one.value} for one in settings])
        return
    rows = [
        (
            one.gate_name,
            one.default,
            one.own,
            "\n".join(dict.fromkeys(phase for phase, _ in one.asked)) if one.active else "switched off",
            one.description,
        )
        for one in settings
    ]
    print_table("Thresholds", ("gate", "default", project or "own", "decides", "what it is"), rows)


@app.command("set")
def set_(
    project: Annotated[str, typer.Argument(help="A project's slug.")],
    gate: Gate,
    value: Annotated[float, typer.Argument(help="The threshold; after --, where it is negative.")],
    by: By = "",
    reason: Reason = None,
    as_json: JsonOption = False,
) -> None:
    """Give a project a threshold of its own."""
    _move(lambda session: set_threshold(session, project, gate, value, by, reason), as_json)


@app.command()
def unset(
    project: Annotated[str, typer.Argument(help="A project's slug.")],
    gate: Gate,
    by: By = "",
    reason: Reason = None,
    as_json: JsonOption = False,
) -> None:
    """Take a project's own threshold away: the default decides again."""
    _move(lambda session: unset_threshold(session, project, gate, by, reason), as_json)


@app.command("default")
def default(
    gate: Gate,
    value: Annotated[float, typer.Argument(help="The threshold; after --, where it is negative.")],
    by: By = "",
    reason: Reason = None,
    as_json: JsonOption = False,
) -> None:
    """Set the threshold of all projects that have none of their own."""
    _move(lambda session: set_threshold(session, None, gate, value, by, reason), as_json)


@app.command()
def log(
    project: Annotated[str | None, typer.Argument(help="A project; without it, all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Who moved which threshold when, the newest first."""
    house = open_house()
    with session_scope(house.settings) as session:
        changes = threshold_log(session, project)
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    rows = [
        (
            f"{c.created_at:%Y-%m-%d %H:%M}",
            c.project or "all",
            c.gate_name,
            c.old_value,
            c.new_value,
            c.changed_by,
            c.reason,
        )
        for c in changes
    ]
    print_table("Moved thresholds", ("when", "project", "gate", "from", "to", "by", "why"), rows)


def _move(move: Callable[[Session], ThresholdEdit], as_json: bool) -> None:
    house = open_house()
    with session_scope(house.settings) as session:
        edit = move(session)
    if as_json:
        print_json(asdict(edit))
        return
    whose = edit.project or "all projects"
    was = "the default" if edit.old is None else f"{edit.old:g}"
    is_ = "the default" if edit.new is None else f"{edit.new:g}"
    again = f"{edit.takes} {'take' if edit.takes == 1 else 'takes'} judged again"
    out.print(f"{edit.gate_name} of {whose}: {was} → {is_}; {again}, anime-pipeline gates show judges by it.")
