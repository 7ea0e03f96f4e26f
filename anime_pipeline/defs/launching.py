"""Hands runs to Dagster's daemon, as a backfill where they are ranges, and waits for them if asked to."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, PartitionBackfill
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import make_new_backfill_id

from anime_pipeline.definitions import defs
from anime_pipeline.defs.run_requests import BACKFILL_TAG, MEASURING, RENDERS_TAG, PlannedRun

MODULE = "anime_pipeline.definitions"
LOCATION = "anime_pipeline"
REPOSITORY = "__repository__"
DAEMONS = ("BACKFILL", "QUEUED_RUN_COORDINATOR")
HEARTBEAT_SECONDS = 90.0
POLL_SECONDS = 1.0
_MOST_RUNS = 10_000
_DAGSTER_BACKFILL_TAG = "dagster/backfill"


@dataclass(frozen=True)
class Launched:
    """What the daemon was given: a backfill of Dagster's, or runs in its queue, under one name."""

    backfill_id: str
    is_backfill: bool

    @property
    def filter(self) -> dg.RunsFilter:
        """Finds the runs."""
        tag = _DAGSTER_BACKFILL_TAG if self.is_backfill else BACKFILL_TAG
        return dg.RunsFilter(tags={tag: self.backfill_id})


def daemon_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon that launches backfills and queued runs has shown itself lately."""
    beats = instance.get_daemon_heartbeats()
    return all(name in beats and time.time() - beats[name].timestamp < HEARTBEAT_SECONDS for name in DAEMONS)


def launch(instance: dg.DagsterInstance, runs: Sequence[PlannedRun]) -> Launched:
    """Give runs of one job to the daemon.

    Ranges become one of Dagster's backfills, which makes the same runs of them by its batch size. Runs over
    cuts that lie apart have no place in a backfill, which would make a run for each: they go to the queue.
    """
    launched = Launched(make_new_backfill_id(), is_backfill=not any(run.config for run in runs))
    if launched.is_backfill:
        instance.add_backfill(_backfill(instance, launched.backfill_id, runs))
    else:
        for run in runs:
            _enqueue(instance, run, launched.backfill_id)
    return launched


def follow(instance: dg.DagsterInstance, launched: Launched) -> list[dg.DagsterRun]:
    """Wait until everything has ended; the runs, oldest first."""
    while not _has_ended(instance, launched):
        time.sleep(POLL_SECONDS)
    return list(reversed(instance.get_runs(launched.filter, limit=_MOST_RUNS)))


def _has_ended(instance: dg.DagsterInstance, launched: Launched) -> bool:
    if launched.is_backfill:
        backfill = instance.get_backfill(launched.backfill_id)
        return backfill is None or backfill.status in BULK_ACTION_TERMINAL_STATUSES
    return all(run.is_finished for run in instance.get_runs(launched.filter, limit=_MOST_RUNS))


def _backfill(
    instance: dg.DagsterInstance, backfill_id: str, runs: Sequence[PlannedRun]
) -> PartitionBackfill:
    measures = runs[0].job == MEASURING.ranged
    tags = {name: value for name, value in runs[0].tags.items() if _is_common(name)}
    return PartitionBackfill.from_asset_partitions(
        backfill_id=backfill_id,
        asset_graph=defs.resolve_asset_graph(),
        partition_names=[key for run in runs for key in run.keys],
        asset_selection=[
            dg.AssetKey(name) for name in (("quality_metrics",) if measures else ("cuts", "frames"))
        ],
        backfill_timestamp=time.time(),
        tags={**tags, BACKFILL_TAG: backfill_id, **({} if measures else {RENDERS_TAG: "yes"})},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=f"{'measure' if measures else 'render'} {sum(len(run.keys) for run in runs)} cuts",
        description=None,
        run_config=None,
    )


def _is_common(tag: str) -> bool:
    """Whether a tag is of every run of the backfill, and not of one range."""
    return not tag.startswith("dagster/asset_partition_range") and tag != "anime_pipeline/cuts"


def _enqueue(instance: dg.DagsterInstance, planned: PlannedRun, backfill_id: str) -> None:
    job = defs.resolve_job_def(planned.job)
    run = instance.create_run_for_job(
        job,
        run_config=dict(planned.config),
        tags={**job.tags, **planned.tags, BACKFILL_TAG: backfill_id},
        status=dg.DagsterRunStatus.NOT_STARTED,
        remote_job_origin=_remote_origin(planned.job),
        job_code_origin=_code_origin(planned.job),
    )
    # The queue asks nothing of the workspace, which only a code server could give.
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]


def _remote_origin(job: str) -> RemoteJobOrigin:
    """Where the daemon finds the job: by the name of the code location in workspace.yaml."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(loadable_target_origin=target, location_name=LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job)


def _code_origin(job: str) -> JobPythonOrigin:
    pointer = ModuleCodePointer(module=MODULE, fn_name="defs")
    repository = RepositoryPythonOrigin(
        executable_path=sys.executable, code_pointer=pointer, entry_point=DEFAULT_DAGSTER_ENTRY_POINT
    )
    return JobPythonOrigin(job_name=job, repository_origin=repository)
