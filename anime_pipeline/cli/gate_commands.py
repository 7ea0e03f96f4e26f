"""``anime-pipeline gates``: where each phase stands, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.gates import Explanation, judge_scope
from anime_pipeline.quality.gates import explain as explain_gate
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.story.listing import active_episode_keys

app = typer.Typer(help="Show and explain the gates of each phase.", no_args_is_help=True)


@app.command()
def show(
    scope: Annotated[
        str | None, typer.Argument(help="A project, episode or scene; without it, every episode.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The verdict of every phase; exit status 0 whatever it is."""
    house = open_house()
    with session_scope(house.settings) as session:
        scopes = [scope] if scope else active_episode_keys(session)
        verdicts = [judge_scope(session, key, phase) for key in scopes for phase in PHASES]
    if as_json:
        print_json([asdict(verdict) for verdict in verdicts])
        return
    rows = [
        (v.scope_key, v.phase, v.verdict, f"{v.cuts_passed} of {v.cuts_total}", _interval(v), v.reason)
        for v in verdicts
    ]
    print_table("Gates", ("scope", "phase", "verdict", "cuts", "95 % interval", "why"), rows)


def _interval(verdict: Any) -> str:
    if verdict.wilson_low is None or verdict.wilson_high is None:
        return "–"
    return f"{verdict.wilson_low:.0%} to {verdict.wilson_high:.0%}"


@app.command()
def explain(
    scope: Annotated[str, typer.Argument(help="A project, episode, scene or cut key.")],
    phase: Annotated[str, typer.Argument(help=f"One of {', '.join(PHASES)}.")],
    as_json: JsonOption = False,
) -> None:
    """What the gate asks, which cuts fail by what, and what is missing with what mends it."""
    house = open_house()
    with session_scope(house.settings) as session:
        explanation = explain_gate(session, scope, phase)
    if as_json:
        print_json(_as_json(explanation))
        return
    judgement = explanation.judgement
    out.print(f"{scope} {phase}: {judgement.verdict}: {judgement.reason}", soft_wrap=True)
    rules = [(r.metric, r.comparison.replace("_", " "), r.threshold) for r in explanation.phase.rules]
    print_table("Asked", ("metric", "", "threshold"), rows=rules)
    if judgement.failing:
        print_table(
            "Failing",
            ("cut", "take", "metric", "value", "threshold", "worst frame"),
            [
                (f.cut_key, f.take_number, f.metric, f.value, f.threshold, f.worst_frame)
                for f in judgement.failing
            ],
        )
    if judgement.missing:
        print_table(
            "Missing",
            ("metric", "why", "to mend it", "cuts"),
            [(m.metric or "take", m.reason, m.remedy, len(m.cut_keys)) for m in judgement.missing],
        )


def _as_json(explanation: Explanation) -> dict[str, Any]:
    judgement = explanation.judgement
    return {
        "scope": explanation.scope_key,
        "phase": explanation.phase.name,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "rules": [
            {"metric": r.metric, "comparison": r.comparison, "threshold": r.threshold}
            for r in explanation.phase.rules
        ],
        "failing": [asdict(failing) for failing in judgement.failing],
        "missing": [asdict(missing) for missing in judgement.missing],
    }
