"""Runs jobs of this code location, in this process or by Dagster's daemon: what the command line does.

``python -m anime_pipeline.defs.runner STEP...`` with the steps ``sync``, ``JOB`` (unpartitioned),
``JOB=KEY,KEY,…`` or ``end-runs`` (:func:`end_restored_runs`); ``-`` reads a JSON list of steps from standard
input, where a step may be an object with ``job``, ``keys``, ``tags``, ``daemon`` and ``follow`` too. Runs
that an earlier runner left behind when it was killed are ended first. The last line of standard output is a
JSON list with the outcome of each run; the exit status is 1 when one failed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg

from anime_pipeline.definitions import defs
from anime_pipeline.defs import launching
from anime_pipeline.defs.partitions import sync_story_partitions
from anime_pipeline.defs.run_requests import BATCH_JOBS, PlannedRun, cuts_of_run, plan_runs, range_runs
from anime_pipeline.defs.studio import Studio
from anime_pipeline.rendering.worker_identity import is_dead, new_worker_id
from anime_pipeline.settings import get_settings

POOLS = ("comfyui", "gpu")
RUNNER_TAG = "anime_pipeline/runner"
UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
NO_DAEMON = "no Dagster daemon runs on this home"


@dataclass(frozen=True)
class Step:
    """A job with its partitions. With ``daemon`` it is handed over where a daemon runs, else done here.

    Without ``follow`` it is only handed over.
    """

    job: str
    keys: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    daemon: bool = False
    follow: bool = True

    @classmethod
    def parse(cls, told: str | dict[str, Any]) -> Step:
        """A step as it is written on the command line, or an object of its fields."""
        if isinstance(told, dict):
            return cls(**told)
        job, _, keys = told.partition("=")
        return cls(job, keys.split(",") if keys else ())


@dataclass(frozen=True)
class StepOutcome:
    """What became of one run: ``error`` is None when it succeeded.

    ``by`` says who ran it: this process, or the daemon as a part of ``backfill``.
    """

    job: str
    partitions: list[str]
    run_id: str
    error: str | None
    by: str = "process"
    backfill: str | None = None


def end_abandoned_runs(instance: dg.DagsterInstance) -> int:
    """Fail the runs whose runner was killed, and free the pool slots that they hold."""
    abandoned = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        if RUNNER_TAG in run.tags and is_dead(run.tags[RUNNER_TAG])
    ]
    _end(instance, abandoned, "The process that executed this run was killed.")
    return len(abandoned)


def end_restored_runs(instance: dg.DagsterInstance) -> int:
    """Fail every run that is told to be under way in a database that was just restored, where none can be.

    The run that made the backup is always one of them. Each would hold one of the places of runs for ever,
    since nobody asks whether the process of a run that the daemon launched still lives. Runs that wait in
    the queue are left there.
    """
    restored = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    _end(instance, restored, "This run was under way when the backup was made that was restored.")
    return len(restored)


def _end(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], why: str) -> None:
    for run in runs:
        instance.report_run_failed(run, why)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def know_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool its limit before a run asks for it.

    Two runs that meet a pool for the first time at once fail on PostgreSQL: the second insert of the limit
    aborts its transaction.
    """
    known = {limit.name for limit in instance.event_log_storage.get_pool_limits()}
    for pool in POOLS:
        if pool not in known:
            instance.event_log_storage.initialize_concurrency_limit_to_default(pool)


def run_job(instance: dg.DagsterInstance, run: PlannedRun) -> StepOutcome:
    """Execute a run in this process."""
    result = defs.resolve_job_def(run.job).execute_in_process(
        instance=instance,
        tags={RUNNER_TAG: new_worker_id(), **run.tags},
        run_config=dict(run.config),
        raise_on_error=False,
    )
    error = None if result.success else _first_failure(result.all_events)
    return StepOutcome(run.job, list(run.keys), result.run_id, error)


def _first_failure(events: Sequence[dg.DagsterEvent]) -> str:
    for event in events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data and failure.user_failure_data.description:
                return failure.user_failure_data.description
            cause = failure.error.cause or failure.error if failure.error else None
            if cause is not None:
                return cause.message.strip()
    return "the run failed before its first step"


def planned_runs(instance: dg.DagsterInstance, step: Step, batch_size: int) -> list[PlannedRun]:
    """The runs of a step: one, or one for each batch of its partitions."""
    if not step.keys:
        return [PlannedRun(step.job, (), dict(step.tags), {})]
    partitions = defs.resolve_job_def(step.job).partitions_def
    assert isinstance(partitions, dg.DynamicPartitionsDefinition)
    registered = partitions.get_partition_keys(dynamic_partitions_store=instance)
    if step.job in BATCH_JOBS:
        return plan_runs(BATCH_JOBS[step.job], registered, step.keys, batch_size, step.tags)
    return range_runs(step.job, registered, step.keys, batch_size)


def run_steps(instance: dg.DagsterInstance, studio: Studio, steps: Sequence[Step]) -> list[StepOutcome]:
    """Run each step in order; a failed step doesn't keep the next from running."""
    outcomes: list[StepOutcome] = []
    for step in steps:
        if step.job == "sync":
            with studio.session() as session:
                sync_story_partitions(instance, session)
            continue
        if step.job == "end-runs":
            end_restored_runs(instance)
            continue
        runs = planned_runs(instance, step, studio.settings.batch_size)
        if step.daemon and runs and launching.daemon_runs(instance):
            outcomes += _handed_over(instance, step, runs)
        elif not step.follow:
            outcomes.append(StepOutcome(step.job, list(step.keys), "", NO_DAEMON))
        else:
            outcomes += [run_job(instance, run) for run in runs]
    return outcomes


def _handed_over(
    instance: dg.DagsterInstance, step: Step, runs: Sequence[PlannedRun]
) -> Iterator[StepOutcome]:
    launched = launching.launch(instance, runs)
    if not step.follow:
        yield StepOutcome(step.job, list(step.keys), "", None, "daemon", launched.backfill_id)
        return
    registered = instance.get_dynamic_partitions("cuts")
    ended = launching.follow(instance, launched)
    for run in ended:
        error = None if run.is_success else _why(instance, run)
        keys = sorted(cuts_of_run(run, registered))
        job = step.job if launched.is_backfill else run.job_name
        yield StepOutcome(job, keys, run.run_id, error, "daemon", launched.backfill_id)
    if not ended:
        error = "the daemon ended the backfill before its first run; its page in the UI says why"
        yield StepOutcome(step.job, list(step.keys), "", error, "daemon", launched.backfill_id)


def _why(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "the run was cancelled"
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return _first_failure([entry.dagster_event for entry in entries if entry.dagster_event])


def main(steps: Sequence[Step]) -> int:
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
    written: list[str | dict[str, Any]] = (
        json.load(sys.stdin) if sys.argv[1:] == ["-"] else list(sys.argv[1:])
    )
    sys.exit(main([Step.parse(one) for one in written]))
