"""``anime-pipeline render``, ``measure``, ``deliver``: the day's work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_error, print_json, print_table
from anime_pipeline.cli.dagster_process import JobOutcome
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.cli.production import assemble, measure_cuts, produce_cuts
from anime_pipeline.cli.scopes import Scope, cuts_of, films_of
from anime_pipeline.database.session import session_scope
from anime_pipeline.delivery.masters import build_master
from anime_pipeline.delivery.reels import build_reel
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.sheets import build_contact_sheet
from anime_pipeline.quality.errors import GateNotPassedError
from anime_pipeline.quality.scores import require_binding_gates, require_same_gates
from anime_pipeline.quality.verdicts import overrides_of
from anime_pipeline.story.keys import SceneKey, parse_scope


def render(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Render the cuts that have no current take, then measure and judge them."""
    house = open_house()
    _report(produce_cuts(house, cuts_of(house, scope)), as_json)


def measure(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Measure and judge the takes of the cuts; what is measured already isn't measured again."""
    house = open_house()
    _report(measure_cuts(house, cuts_of(house, scope)), as_json)


def deliver(
    scope: Annotated[
        str | None, typer.Argument(help="A project, episode or scene key; without it, everything.")
    ] = None,
    draft: Annotated[
        bool,
        typer.Option("--draft", help="Build the film now, past its gates, with slates for what is missing."),
    ] = False,
    subtitles: Annotated[
        bool, typer.Option("--subtitles", help="Burn the dialogue into the picture.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build reels and masters, with subtitles and contact sheets. A master waits for its gates.

    Of a scene only its reel is built, which asks no gate.
    """
    house = open_house()
    scenes, episodes = films_of(house, scope)
    if not draft:
        outcomes = assemble(house, scenes, episodes)
        if any(outcome.error for outcome in outcomes):
            _report(outcomes, as_json)
    films: list[DeliveryResult] = []
    if not episodes:
        films += [_reel(house, key, draft, subtitles) for key in scenes]
    shut: list[GateNotPassedError] = []
    for key in episodes:
        try:
            films.append(_film(house, key, draft, subtitles))
        except GateNotPassedError as error:
            shut.append(error)
    _print_films(films, draft, as_json)
    for why in shut:
        print_error(why)
    if shut:
        err.print("Until then, a film without gates: anime-pipeline deliver --draft")
        raise typer.Exit(1)


def _film(house: House, key: str, draft: bool, subtitles: bool) -> DeliveryResult:
    with session_scope(house.settings) as session:
        verdicts = [] if draft else require_binding_gates(session, key)
        overrides = overrides_of(verdicts)
        film = build_master(session, house.settings, key, subtitles, draft, overrides)
        build_contact_sheet(session, house.settings, key, overrides=overrides)
        require_same_gates(session, verdicts)
    return film


def _reel(house: House, key: str, draft: bool, subtitles: bool) -> DeliveryResult:
    with session_scope(house.settings) as session:
        return build_reel(session, house.settings, key, subtitles, draft)


def _print_films(films: list[DeliveryResult], draft: bool, as_json: bool) -> None:
    if as_json:
        print_json([asdict(film) for film in films])
        return
    rows = [
        (
            film.scope_key,
            film.frame_count,
            film.duration_seconds,
            len(film.slates),
            _gates(film, draft),
            film.path,
        )
        for film in films
    ]
    print_table("Films", ("film", "frames", "seconds", "slates", "gates", "file"), rows)


def _gates(film: DeliveryResult, draft: bool) -> str:
    if isinstance(parse_scope(film.scope_key), SceneKey):
        return "a reel asks none"
    return "past its gates: a draft" if draft else "\n".join(film.overrides) or "passed"


def _report(outcomes: list[JobOutcome], as_json: bool) -> None:
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    elif not outcomes:
        out.print("Nothing to do: everything is current.")
    else:
        rows = [(o.job, len(o.partitions), "failed" if o.error else "passed", o.error) for o in outcomes]
        print_table("Runs", ("job", "partitions", "outcome", "error"), rows)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)
