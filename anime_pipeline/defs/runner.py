"""Runs jobs of this code location in this process: what the command line does where the UI would launch runs.

``python -m anime_pipeline.defs.runner STEP...`` with the steps ``sync``, ``JOB`` (unpartitioned) or
``JOB=KEY,KEY,…``; runs that an earlier runner left behind when it was killed are ended first. The last line
of standard output is a JSON list with the outcome of each run; the exit status is 1 when one failed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import dagster as dg

from anime_pipeline.definitions import defs
from anime_pipeline.defs.partitions import contiguous_ranges, sync_story_partitions
from anime_pipeline.defs.run_requests import range_tags
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.worker_identity import is_dead, new_worker_id
from anime_pipeline.settings import get_settings

POOLS = ("comfyui", "gpu")
RUNNER_TAG = "anime_pipeline/runner"
UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class StepOutcome:
    """What became of one run: ``error`` is None when it succeeded."""

    job: str
    partitions: list[str]
    run_id: str
    error: str | None


def end_abandoned_runs(instance: dg.DagsterInstance) -> int:
    """Fail the runs whose runner was killed, and free the pool slots that they hold."""
    abandoned = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        if RUNNER_TAG in run.tags and is_dead(run.tags[RUNNER_TAG])
    ]
    for run in abandoned:
        instance.report_run_failed(run, "The process that executed this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(abandoned)


def know_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool its limit before a run asks for it.

    Two runs that meet a pool for the first time at once fail on PostgreSQL: the second insert of the limit
    aborts its transaction.
    """
    known = {limit.name for limit in instance.event_log_storage.get_pool_limits()}
    for pool in POOLS:
        if pool not in known:
            instance.event_log_storage.initialize_concurrency_limit_to_default(pool)


def run_job(instance: dg.DagsterInstance, job_name: str, keys: Sequence[str] = ()) -> StepOutcome:
    """Execute a job over a contiguous range of partitions, or over none."""
    tags = {RUNNER_TAG: new_worker_id(), **(range_tags(keys) if keys else {})}
    result = defs.resolve_job_def(job_name).execute_in_process(
        instance=instance, tags=tags, raise_on_error=False
    )
    error = None if result.success else _first_failure(result)
    return StepOutcome(job_name, list(keys), result.run_id, error)


def _first_failure(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return failure.user_failure_data.description
            cause = failure.error.cause or failure.error if failure.error else None
            if cause is not None:
                return cause.message.strip()
    return "the run failed before its first step"


def run_steps(instance: dg.DagsterInstance, studio: Studio, steps: Sequence[str]) -> list[StepOutcome]:
    """Run each step in order; a failed step doesn't keep the next from running."""
    outcomes: list[StepOutcome] = []
    for step in steps:
        name, _, keys = step.partition("=")
        if name == "sync":
            with studio.session() as session:
                sync_story_partitions(instance, session)
            continue
        if not keys:
            outcomes.append(run_job(instance, name))
            continue
        partitions = defs.resolve_job_def(name).partitions_def
        assert isinstance(partitions, dg.DynamicPartitionsDefinition)
        registered = partitions.get_partition_keys(dynamic_partitions_store=instance)
        for batch in contiguous_ranges(registered, keys.split(","), studio.settings.batch_size):
            outcomes.append(run_job(instance, name, batch))
    return outcomes


def main(steps: Sequence[str]) -> int:
    """Run the steps on the instance of ``$DAGSTER_HOME``."""
    studio = Studio(get_settings())
    with dg.DagsterInstance.get() as instance:
        end_abandoned_runs(instance)
        know_pools(instance)
        outcomes = run_steps(instance, studio, steps)
    print(json.dumps([asdict(outcome) for outcome in outcomes]))
    return 1 if any(outcome.error for outcome in outcomes) else 0


if __name__ == "__main__":
    if not os.environ.get("DAGSTER_HOME"):
        sys.exit('DAGSTER_HOME is not set; run `eval "$(anime-pipeline env)"` first.')
    sys.exit(main(sys.argv[1:]))
