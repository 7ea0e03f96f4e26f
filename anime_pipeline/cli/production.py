"""Brings a production up to date through Dagster's jobs: render what isn't current, measure, assemble."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from anime_pipeline.cli.dagster_process import JobOutcome, run_jobs
from anime_pipeline.cli.house import House
from anime_pipeline.cli.progress import production_progress
from anime_pipeline.database.session import session_scope
from anime_pipeline.delivery.readiness import outdated_films
from anime_pipeline.quality.scores import finished_takes, judge_takes, shut_gates, unmeasured_takes
from anime_pipeline.rendering.staleness import FAILING, TO_RENDER, states_of
from anime_pipeline.review.answering import answer_failures
from anime_pipeline.review.selection import select_best
from anime_pipeline.settings import Settings


def produce_cuts(house: House, keys: Sequence[str]) -> list[JobOutcome]:
    """Render the cuts that lack a take, then measure and judge every cut that has something unmeasured.

    Goes on with the retakes that failed takes are answered with, until they pass or their budgets end.
    """
    outcomes: list[JobOutcome] = []
    begun: set[int | None] = set()
    while True:
        with session_scope(house.settings) as session:
            _answer_failures(session, house.settings, keys)
            states = [s for s in states_of(session, house.settings, keys) if s.state in TO_RENDER]
            unmeasured = set(unmeasured_takes(session)) & set(keys) if not outcomes else set()
        if outcomes:  # what was tried already and still waits would wait for ever
            states = [s for s in states if s.state == "queued" and s.job_id not in begun]
        begun |= {state.job_id for state in states}
        waiting = [state.cut_key for state in states]
        to_measure = sorted({*waiting, *unmeasured})
        if not to_measure:
            return outcomes
        with production_progress(house, {"rendered": len(waiting), "measured": len(to_measure)}) as update:
            steps = [_step("render_cuts", waiting)] if waiting else []
            outcomes += run_jobs(house, ["sync", *steps, _step("measure_cuts", to_measure)], update)


def _answer_failures(session: Session, settings: Settings, keys: Sequence[str]) -> None:
    """Answer cuts that fail by what is asked now: a threshold may have been moved since they were judged."""
    failing = [s.cut_key for s in states_of(session, settings, keys, False) if s.state in FAILING]
    if failing:
        takes = finished_takes(session, failing)
        judge_takes(session, [job_id for job_ids in takes.values() for job_id in job_ids])
        select_best(session, settings, failing)
        answer_failures(session, settings, failing)


def measure_cuts(house: House, keys: Sequence[str]) -> list[JobOutcome]:
    """Measure and judge the finished takes of the cuts."""
    with session_scope(house.settings) as session:
        rendered = sorted(finished_takes(session, keys))
    if not rendered:
        return []
    with production_progress(house, {"measured": len(rendered)}) as update:
        return run_jobs(house, ["sync", _step("measure_cuts", rendered)], update)


def assemble(house: House, scene_keys: Sequence[str], episode_keys: Sequence[str]) -> list[JobOutcome]:
    """Build the reels of these scenes and the masters of these episodes that aren't built for what they show.

    A master whose gates are shut is passed over, so that it costs no other one.
    """
    with session_scope(house.settings) as session:
        scenes = list(outdated_films(session, house.settings, "reel", scene_keys))
        masters = outdated_films(session, house.settings, "master", episode_keys)
        shut = shut_gates(session, masters)
    episodes = [key for key in masters if key not in shut]
    steps = [_step("assemble_scenes", scenes)] if scenes else []
    steps += [_step("assemble_episodes", episodes)] if episodes else []
    if not steps:
        return []
    with production_progress(house, {"assembled": len(scenes) + len(episodes)}) as update:
        return run_jobs(house, ["sync", *steps], update)


def _step(job: str, keys: Sequence[str]) -> str:
    return f"{job}={','.join(keys)}"
