"""``anime-pipeline report``: what a day brought."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.review.daily_report import daily_report, day_before, write_report
from anime_pipeline.settings import Settings


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
    with session_scope(house.settings) as session:
        found = daily_report(session, house.settings, _day(date, house.settings))
    path = write_report(house.settings, found)
    if as_json:
        print_json({**found.as_json(), "file": path})
        return
    out.print(found.markdown(), soft_wrap=True)
    err.print(f"Kept as {path}", soft_wrap=True)


def _day(told: str | None, settings: Settings) -> dt.date:
    if told is None:
        return day_before(settings, dt.datetime.now(dt.timezone.utc))
    if told == "today":
        return dt.datetime.now(ZoneInfo(settings.time_zone)).date()
    try:
        return dt.date.fromisoformat(told)
    except ValueError:
        raise UserError(f"{told!r} is no day.", "write it as 2026-11-22, or today") from None
