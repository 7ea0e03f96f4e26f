"""``anime-pipeline demo``: the whole line on the example episode, from its file to a gated film."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from anime_pipeline.cli.console import JsonOption, err, print_facts, print_json, print_labelled, print_table
from anime_pipeline.cli.dagster_process import JobOutcome, run_jobs
from anime_pipeline.cli.house import REPOSITORY, House, open_house
from anime_pipeline.cli.production import assemble, produce_cuts
from anime_pipeline.cli.scopes import films_of
from anime_pipeline.cli.story_commands import import_file
from anime_pipeline.database.session import session_scope
from anime_pipeline.delivery.masters import build_master
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.sheets import build_contact_sheet
from anime_pipeline.quality.gates import Verdict, judge_scope
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.quality.scores import TakeScores, binding_phases, standing_takes, take_scores
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys

EXAMPLE = REPOSITORY / "examples" / "lantern-post" / "production.yaml"
PROJECT = "lantern-post"
SHOWN_METRICS = (
    "media_contract",
    "temporal_flicker",
    "motion_smoothness",
    "dynamic_degree",
    "palette_adherence",
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo made."""

    takes: list[TakeScores | None]
    cut_keys: list[str]
    verdicts: list[Verdict]
    film: DeliveryResult | None
    sheet: DeliveryResult
    failures: list[JobOutcome]

    @property
    def succeeded(self) -> bool:
        """Whether every run succeeded and the film is there."""
        return self.film is not None and not self.failures


def demo(as_json: JsonOption = False) -> None:
    """Import the example episode, render, measure, gate and assemble it; run again, only what changed."""
    err.print("Opening the database …")
    house = open_house()
    difference = import_file(house, EXAMPLE)
    err.print(f"Imported {EXAMPLE.relative_to(REPOSITORY)}: {len(difference.entries)} changes")
    with session_scope(house.settings) as session:
        keys = active_cut_keys(session, PROJECT)
    outcomes = produce_cuts(house, keys)
    if not difference.is_empty:
        outcomes += run_jobs(house, ["sync", "describe_characters"])
    outcomes += assemble(house, *films_of(house, PROJECT))
    result = _result(house, keys, [outcome for outcome in outcomes if outcome.error])
    print_json(_as_json(result)) if as_json else _print_result(result)
    if not result.succeeded:
        raise typer.Exit(1)


def _result(house: House, keys: list[str], failures: list[JobOutcome]) -> DemoResult:
    with session_scope(house.settings) as session:
        (episode,) = active_episode_keys(session, PROJECT)
        scores = {take.cut_key: take for take in _scores(session, keys)}
        verdicts = [judge_scope(session, episode, phase) for phase in PHASES]
        binding = binding_phases(session, episode)
        passed = all(verdict.passed for verdict in verdicts if verdict.phase in binding)
        film = build_master(session, house.settings, episode) if passed else None
        sheet = build_contact_sheet(session, house.settings, episode)
    return DemoResult([scores.get(key) for key in keys], keys, verdicts, film, sheet, failures)


def _scores(session: Any, keys: list[str]) -> list[TakeScores]:
    return list(take_scores(session, list(standing_takes(session, keys).values())).values())


def _print_result(result: DemoResult) -> None:
    rows = [_row(key, take) for key, take in zip(result.cut_keys, result.takes, strict=True)]
    print_table("Cuts", ("cut", "take", *(name.replace("_", " ") for name in SHOWN_METRICS), "verdict"), rows)
    print_table(
        "Gates",
        ("phase", "verdict", "why"),
        [(verdict.phase, verdict.verdict, verdict.reason) for verdict in result.verdicts],
    )
    for failure in result.failures:
        print_labelled(err, f"{failure.job}:", str(failure.error), "red")
    film: Path | str = result.film.path if result.film else "not built: its gate is not passed"
    print_facts(
        {
            "Film": film,
            "Contact sheet": result.sheet.path,
            "Review room": ".venv/bin/anime-pipeline api",
            "Dagster UI": "make dev",
        }
    )


def _row(key: str, take: TakeScores | None) -> tuple[object, ...]:
    cut = key.partition(".")[2]
    if take is None:
        return (cut, None, *(None for _ in SHOWN_METRICS), "missing")
    values = [score.value if (score := take.score(name)) else None for name in SHOWN_METRICS]
    return (cut, take.take_number, *values, take.verdict.verdict)


def _as_json(result: DemoResult) -> dict[str, Any]:
    return {
        "cuts": [
            {
                "cut": key,
                "take": take.take_number if take else None,
                "verdict": take.verdict.verdict if take else "missing",
                "metrics": {
                    score.metric: {"state": score.state, "value": score.value, "reason": score.reason}
                    for score in (take.scores if take else ())
                },
            }
            for key, take in zip(result.cut_keys, result.takes, strict=True)
        ],
        "gates": {
            verdict.phase: {"verdict": verdict.verdict, "why": verdict.reason} for verdict in result.verdicts
        },
        "film": result.film.path if result.film else None,
        "contact_sheet": result.sheet.path,
        "failures": [{"job": failure.job, "error": failure.error} for failure in result.failures],
    }
