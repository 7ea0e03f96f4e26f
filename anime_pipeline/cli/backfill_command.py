"""``anime-pipeline backfill``: renders or measures many cuts in batches, by Dagster's daemon if it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from anime_pipeline.cli.console import JsonOption, err, out, print_json, print_labelled, print_table
from anime_pipeline.cli.dagster_process import JobOutcome, run_jobs
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.cli.progress import production_progress
from anime_pipeline.cli.scopes import cuts_of
from anime_pipeline.database.models import CutProfile
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.quality.phases import load_phases, phase_named
from anime_pipeline.quality.scores import finished_takes, unmeasured_takes
from anime_pipeline.rendering.staleness import TO_RENDER, CutState, states_of
from anime_pipeline.review.forecast import Forecast, counted, duration, forecast
from anime_pipeline.story.batches import fewest_batches
from anime_pipeline.story.listing import active_cut_keys


@dataclass(frozen=True)
class _Wanted:
    """What a backfill is about: cuts with the state that each is in, the batches, the forecast."""

    job: str
    states: dict[str, CutState]
    is_ranged: bool
    batches: list[list[str]]
    forecast: Forecast | None

    @property
    def keys(self) -> list[str]:
        return list(self.states)


def backfill(
    scopes: Annotated[
        list[str] | None,
        typer.Argument(help="Keys of projects, episodes, scenes or cuts; without any, everything."),
    ] = None,
    stale: Annotated[bool, typer.Option("--stale", help="Cuts whose takes show an older story.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Cuts whose render failed.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Cuts that nothing was rendered for.")] = False,
    phase: Annotated[str | None, typer.Option(help="Only cuts of a kind that this phase judges.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many cuts, in story order.")] = None,
    priority: Annotated[
        int, typer.Option(min=-1000, max=1000, help="The higher goes first; 0 is usual.")
    ] = 0,
    measure_only: Annotated[
        bool, typer.Option("--measure-only", help="Render nothing; measure and judge what is rendered.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show cuts, runs and the forecast.")
    ] = False,
    follow: Annotated[bool, typer.Option(help="Wait for the end, with a progress bar.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Render the cuts that lack a take, in batches of ANIME_BATCH_SIZE.

    Without --stale, --failed or --missing: whatever isn't rendered as it should be. Where Dagster's daemon
    runs (`anime-pipeline dev`), it does the work and the UI shows it; else this process does. What is
    rendered is measured when the rendering has ended.
    """
    house = open_house()
    states = {name for name, asked in (("stale", stale), ("failed", failed), ("missing", missing)) if asked}
    if measure_only and states:
        raise UserError("--measure-only renders nothing.", "leave out --stale, --failed and --missing")
    asked: list[str | None] = [*scopes] if scopes else [None]
    keys = sorted({key for scope in asked for key in cuts_of(house, scope)})
    with session_scope(house.settings) as session:
        wanted = _wanted(session, house, _of_phase(session, keys, phase), states, limit, measure_only)
    if not wanted.states:
        _tell_nothing(as_json)
    elif dry_run:
        _show(wanted, as_json)
    else:
        _report(_run(house, wanted, priority, follow), wanted, as_json, follow)


def _of_phase(session: Session, keys: list[str], phase: str | None) -> list[str]:
    """The keys of the cuts that a phase judges."""
    if phase is None:
        return keys
    rows = session.query(CutProfile.cut_key, CutProfile.kind, CutProfile.project_id).filter(
        CutProfile.cut_key.in_(keys)
    )
    found = rows.all()
    phases = load_phases(session, {row.project_id for row in found})
    judged = {
        row.cut_key for row in found if row.kind in phase_named(phases[row.project_id], phase).cut_kinds
    }
    return [key for key in keys if key in judged]


def _wanted(
    session: Session, house: House, keys: list[str], states: set[str], limit: int | None, measure_only: bool
) -> _Wanted:
    if measure_only:
        unmeasured = unmeasured_takes(session)
        rendered = finished_takes(session, keys)
        chosen = [key for key in keys if key in rendered and key in unmeasured] or sorted(rendered)
        told = {key: CutState(key, "current", rendered[key][-1]) for key in chosen[:limit]}
    else:
        asked = states or set(TO_RENDER)
        found = [one for one in states_of(session, house.settings, keys) if one.state in asked]
        told = {one.cut_key: one for one in found[:limit]}
    expected = None if measure_only else forecast(session, house.settings, list(told))
    registered = active_cut_keys(session)
    ranged, batches = fewest_batches(registered, list(told), house.settings.batch_size)
    return _Wanted("measure_cuts" if measure_only else "render_cuts", told, ranged, batches, expected)


def _run(house: House, wanted: _Wanted, priority: int, follow: bool) -> list[JobOutcome]:
    tags: dict[str, str] = {}
    if priority:
        tags = {"anime_pipeline/priority": str(priority), "dagster/priority": str(priority)}
    step: dict[str, Any] = {
        "job": wanted.job, "keys": wanted.keys, "tags": tags, "daemon": True, "follow": follow
    }  # fmt: skip
    if not follow:
        return run_jobs(house, ["sync", step])
    renders = wanted.job == "render_cuts"
    takes = wanted.forecast.takes if wanted.forecast else 0
    stages = {"rendered": takes} if renders else {"measured": len(wanted.keys)}
    with production_progress(house, stages) as update:
        outcomes = run_jobs(house, ["sync", step], update)
    return outcomes + (_measured(house, wanted.keys) if renders else [])


def _measured(house: House, keys: list[str]) -> list[JobOutcome]:
    """Measure what was rendered, as far as no sensor has done so."""
    with session_scope(house.settings) as session:
        left = sorted(set(unmeasured_takes(session)) & set(keys))
    if not left:
        return []
    with production_progress(house, {"measured": len(left)}) as update:
        return run_jobs(house, [{"job": "measure_cuts", "keys": left, "daemon": True}], update)


def _show(wanted: _Wanted, as_json: bool) -> None:
    expected = wanted.forecast
    costs = {cut.cut_key: cut for cut in expected.cuts} if expected else {}
    if as_json:
        cuts = [
            {
                "cut_key": key,
                "state": state.state,
                "takes": costs[key].takes if key in costs else 0,
                "gpu_seconds": costs[key].gpu_seconds if key in costs else 0.0,
            }
            for key, state in wanted.states.items()
        ]
        runs = [{"job": wanted.job, "ranged": wanted.is_ranged, "cuts": batch} for batch in wanted.batches]
        told = expected.as_json() if expected else None
        print_json({"cuts": cuts, "runs": runs, "forecast": told})
        return
    rows = [
        (key, state.state, _cost(costs[key].gpu_seconds) if key in costs else None)
        for key, state in wanted.states.items()
    ]
    print_table("Cuts", ("cut", "state", "GPU time"), rows)
    out.print(f"{counted(len(rows), 'cut')} in {counted(len(wanted.batches), 'run')} of {wanted.job}.")
    if expected:
        out.print(f"Forecast: {expected.said}.")


def _cost(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)


def _tell_nothing(as_json: bool) -> None:
    if as_json:
        print_json({"cuts": [], "runs": [], "forecast": None})
    else:
        out.print("Nothing to do: no cut is in such a state.")


def _report(outcomes: list[JobOutcome], wanted: _Wanted, as_json: bool, follow: bool) -> None:
    if any(outcome.error == "no Dagster daemon runs on this home" for outcome in outcomes):
        raise UserError(
            "No Dagster daemon runs on this home, so there is nobody to hand the work to.",
            "start it with `anime-pipeline dev`, or leave out --no-follow to work in this process",
        )
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    elif not follow:
        handed = outcomes[0].backfill if outcomes else None
        cuts = counted(len(wanted.keys), "cut is", "cuts are")
        out.print(f"{cuts} handed over as backfill {handed}; the UI shows it under Runs.")
    else:
        if any(outcome.by == "process" for outcome in outcomes):
            print_labelled(
                err, "Note:", "no Dagster daemon runs here (`anime-pipeline dev` starts one): this process "
                "did the work.",
            )  # fmt: skip
        rows = [
            (o.job, len(o.partitions), o.by, "failed" if o.error else "passed", o.error) for o in outcomes
        ]
        print_table("Runs", ("job", "cuts", "by", "outcome", "error"), rows)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)
