"""``anime-pipeline report``: what a day brought."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.review.daily_report import daily_report, reported_day, write_report


def report(
    date: Annotated[
        str | None, typer.Option(help="A day such as 2026-11-22, or today; default: yesterday.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a day brought: rendered, passed, failed, retakes, gates, decisions, GPU time, queue, servers.

    The report is kept as markdown under `reports/` in the home. Days are those of ANIME_TIME_ZONE.
    """
    house = open_house()
    day = reported_day(house.settings, date, dt.datetime.now(dt.timezone.utc))
    with session_scope(house.settings) as session:
        found = daily_report(session, house.settings, day)
    path = write_report(house.settings, found)
    if as_json:
        print_json({**found.as_json(), "file": path})
        return
    out.print(found.markdown(), soft_wrap=True)
    err.print(f"Kept as {path}", soft_wrap=True)
