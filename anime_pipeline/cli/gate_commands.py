"""``anime-pipeline gates``: where each phase stands and why, who overrode it, and what decides."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from anime_pipeline.cli import threshold_commands
from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.gate_views import explanation_as_json, print_explanation, shown_as_json, shown_row
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError
from anime_pipeline.quality.gates import explain as explain_gate
from anime_pipeline.quality.overrides import list_overrides, override_gate, withdraw_override
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.quality.scores import binding_phases
from anime_pipeline.quality.worst_frames import write_worst_frames
from anime_pipeline.story.keys import EpisodeKey, parse_scope
from anime_pipeline.story.listing import active_episode_keys

app = typer.Typer(no_args_is_help=True)
app.command("thresholds")(threshold_commands.thresholds)
app.add_typer(threshold_commands.app, name="threshold")

PhaseArgument = Annotated[str | None, typer.Argument(help=f"One of {', '.join(PHASES)}.")]


@app.command()
def show(
    scope: Annotated[
        str | None, typer.Argument(help="A project, episode or scene; without it, every episode.")
    ] = None,
    only_stale: Annotated[
        bool, typer.Option("--stale", help="Only gates whose kept verdict is not about what is there now.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """How every phase stands now, beside the verdict that was kept last; exit status 0 whatever it is.

    A kept verdict is never changed: where cuts or thresholds have changed since, it is stale, and `explain`
    says which.
    """
    house = open_house()
    with session_scope(house.settings) as session:
        scopes = [scope] if scope else active_episode_keys(session)
        found = [explain_gate(session, key, phase) for key in scopes for phase in PHASES]
    shown = [one for one in found if not only_stale or (one.latest is not None and one.latest.stale)]
    if as_json:
        print_json([shown_as_json(one) for one in shown])
        return
    columns = ("scope", "phase", "now", "cuts", "why", "kept verdict")
    print_table("Gates", columns, [shown_row(one) for one in shown])
    if any(one.remedies for one in shown):
        out.print("What mends them: anime-pipeline gates explain SCOPE PHASE")


@app.command()
def explain(
    scope: Annotated[str, typer.Argument(help="A project, episode, scene or cut key.")],
    phase: PhaseArgument = None,
    pictures: Annotated[
        bool,
        typer.Option("--pictures/--no-pictures", help="Write a picture of each failing cut's worst frame."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """What the gate asks, which cuts fail by what, and what is missing with what mends it.

    Without a phase: of an episode the phases that its film answers to, of anything else all.
    """
    house = open_house()
    with session_scope(house.settings) as session:
        phases = [phase] if phase else _phases_of(session, scope)
        explanations = [explain_gate(session, scope, name) for name in phases]
        failing = [entry for one in explanations for entry in one.judgement.failing]
        worst = write_worst_frames(session, house.settings, failing) if pictures else {}
    if as_json:
        documents = [explanation_as_json(one, worst) for one in explanations]
        print_json(documents[0] if phase else documents)
        return
    for one in explanations:
        print_explanation(one, worst)


def _phases_of(session: Any, scope: str) -> tuple[str, ...]:
    return binding_phases(session, scope) if isinstance(parse_scope(scope), EpisodeKey) else PHASES


@app.command()
def override(
    scope: Annotated[str | None, typer.Argument(help="A project, episode or scene.")] = None,
    phase: PhaseArgument = None,
    by: Annotated[str, typer.Option("--by", help="Who answers for it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    standing: Annotated[
        bool,
        typer.Option("--standing", help="Hold until withdrawn, whatever changes."),
    ] = False,
    judged: Annotated[
        str | None,
        typer.Option("--judged", help="The judged_sha256 you have seen; refuses where it is another by now."),
    ] = None,
    withdraw: Annotated[
        int | None, typer.Option("--withdraw", metavar="ID", help="Take this override back.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Open a gate that has not passed, by name and with a reason; or take that back.

    It is logged for good and shown with all that is built under it. It lapses when a take, a measurement or a
    threshold changes, unless it is --standing.
    """
    house = open_house()
    with session_scope(house.settings) as session:
        if withdraw is not None:
            if scope or phase:
                raise UserError(
                    "an override is withdrawn by its id alone", "leave the scope and the phase out"
                )
            done = withdraw_override(session, withdraw, by, reason)
            told = f"Override {done.id} of {done.scope_key} in {done.phase} is withdrawn."
        else:
            if not scope or not phase:
                raise UserError(
                    "which gate?", "anime-pipeline gates override SCOPE PHASE --by NAME --reason TEXT"
                )
            done = override_gate(session, scope, phase, by, reason, standing, judged)
            told = (
                f"Override {done.id}: {done.scope_key} is overridden in {done.phase} by {done.overridden_by}."
            )
    if as_json:
        print_json(asdict(done))
    else:
        out.print(told, soft_wrap=True)


@app.command()
def overrides(
    scope: Annotated[str | None, typer.Argument(help="A scope and all below it; without it, all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Every override ever made, the newest first: which hold, which have lapsed, which were withdrawn."""
    house = open_house()
    with session_scope(house.settings) as session:
        logged = list_overrides(session, scope)
    if as_json:
        print_json([{**asdict(one.override), "state": one.state} for one in logged])
        return
    rows = [
        (
            one.override.id,
            one.override.scope_key,
            one.override.phase,
            one.state + (" (standing)" if one.override.standing else ""),
            f"{one.override.verdict}: {one.override.verdict_reason}",
            f"{one.override.overridden_by}, {one.override.created_at:%Y-%m-%d %H:%M}: {one.override.reason}",
            _withdrawn(one.override),
        )
        for one in logged
    ]
    columns = ("id", "scope", "phase", "state", "overrode", "by", "withdrawn")
    print_table("Overrides", columns, rows)


def _withdrawn(override: Any) -> str | None:
    if not override.withdrawn:
        return None
    return f"{override.withdrawn_by}, {override.withdrawn_at:%Y-%m-%d %H:%M}: {override.withdrawn_reason}"
