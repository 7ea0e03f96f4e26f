"""``anime-pipeline status``, ``render``, ``measure``, ``takes`` and ``deliver``: the day's work on a production."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Optional

import typer

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.dagster_process import JobOutcome, run_jobs
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.cli.progress import production_progress
from anime_pipeline.database.session import session_scope
from anime_pipeline.delivery.masters import build_master
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.staleness import CutState, cut_states
from anime_pipeline.rendering.takes import list_takes, newest_finished_takes
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys, active_scene_keys

Scope = Annotated[
    Optional[str], typer.Argument(help="A project, episode, scene or cut key; without it, everything.")
]


def cuts_of(house: House, scope: str | None) -> list[str]:
    """The active cut keys of a scope.

    Raises:
        UserError: the scope has no active cut.
    """
    with session_scope(house.settings) as session:
        keys = active_cut_keys(session, scope)
    if not keys:
        raise UserError(
            f"There is no active cut in {scope}." if scope else "There is no cut yet.",
            "anime-pipeline status lists the cuts" if scope else "anime-pipeline import FILE",
        )
    return keys


def status(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Say of each cut whether its take is current, stale (and because of which field), missing or failed."""
    house = open_house()
    cuts_of(house, scope)
    with session_scope(house.settings) as session:
        states = cut_states(session, house.settings, scope)
    if as_json:
        print_json([asdict(state) for state in states])
        return
    print_table("Cuts", ("cut", "state", "why"), [(s.cut_key, s.state, _why(s)) for s in states])
    counted = Counter(state.state for state in states)
    out.print(", ".join(f"{count} {state}" for state, count in counted.most_common()))


def _why(state: CutState) -> str:
    return "\n".join(f"{change.field}: {change.old!r} → {change.new!r}" for change in state.changes)


def render(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Render the cuts that have no current take, then measure and judge them."""
    house = open_house()
    keys = cuts_of(house, scope)
    outcomes = produce(house, keys)
    _report(outcomes, as_json)


def produce(house: House, keys: list[str]) -> list[JobOutcome]:
    """Render what isn't current of the cuts, then measure and judge every one that has a finished take."""
    wanted = set(keys)
    with session_scope(house.settings) as session:
        waiting = [
            state.cut_key
            for state in cut_states(session, house.settings)
            if state.cut_key in wanted and state.state != "current"
        ]
    if not waiting:
        return []
    expected = {"rendered": len(waiting), "measured": len(waiting)}
    with production_progress(house, expected) as update:
        outcomes = run_jobs(house, ["sync", f"render_cuts={','.join(waiting)}"], update)
        with session_scope(house.settings) as session:
            rendered = newest_finished_takes(session, waiting)
        if rendered:
            outcomes += run_jobs(house, [f"measure_cuts={','.join(sorted(rendered))}"], update)
    return outcomes


def measure(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Measure and judge the newest take of each cut; what is measured already isn't measured again."""
    house = open_house()
    with session_scope(house.settings) as session:
        rendered = sorted(newest_finished_takes(session, cuts_of(house, scope)))
    if not rendered:
        raise UserError("None of these cuts has a finished take.", "anime-pipeline render")
    with production_progress(house, {"measured": len(rendered)}) as update:
        outcomes = run_jobs(house, ["sync", f"measure_cuts={','.join(rendered)}"], update)
    _report(outcomes, as_json)


def _report(outcomes: list[JobOutcome], as_json: bool) -> None:
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    elif not outcomes:
        out.print("Nothing to do: every cut is current.")
    else:
        rows = [(o.job, len(o.partitions), "failed" if o.error else "passed", o.error) for o in outcomes]
        print_table("Runs", ("job", "cuts", "outcome", "error"), rows)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


def takes(cut: Annotated[str, typer.Argument(help="A cut key.")], as_json: JsonOption = False) -> None:
    """List a cut's takes: which is selected, what each was rendered from, where its media is."""
    house = open_house()
    cuts_of(house, cut)
    with session_scope(house.settings) as session:
        listed = list_takes(session, house.settings, cut)
    if as_json:
        print_json([asdict(take) for take in listed])
        return
    rows = [
        (t.take_number, "selected" if t.selected else "", t.status, t.server_kind, t.seed, t.media_path or "")
        for t in listed
    ]
    print_table(f"Takes of {cut}", ("take", "", "status", "renderer", "seed", "media"), rows)


def deliver(
    episode: Annotated[Optional[str], typer.Argument(help="An episode key; without it, every episode.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Build past a gate, as a draft beside the master.")] = False,
    subtitles: Annotated[bool, typer.Option("--subtitles", help="Burn the dialogue into the picture.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the scenes' reels and the episode's master; a master waits for its gates, a draft doesn't."""
    house = open_house()
    with session_scope(house.settings) as session:
        episodes = active_episode_keys(session, episode)
        scenes = [scene for key in episodes for scene in active_scene_keys(session, key)]
    if not episodes:
        raise UserError(f"There is no active episode {episode}.", "anime-pipeline status lists the cuts")
    if draft or subtitles:
        raise NotImplementedError
    with production_progress(house, {"assembled": len(scenes) + len(episodes)}) as update:
        steps = ["sync", f"assemble_scenes={','.join(scenes)}", f"assemble_episodes={','.join(episodes)}"]
        outcomes = run_jobs(house, steps, update)
    _report(outcomes, as_json)
