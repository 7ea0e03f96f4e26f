"""Runs over many cuts: by a range of partitions where neighbours are wanted, by a list where they are not.

Dagster's ranges are contiguous in the order of registration. Sixty scattered cuts would make sixty ranges,
and a run costs seconds to launch: where ranges need more runs than batches would, a job takes the keys as
its config and records their partitions itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from anime_pipeline.story.batches import contiguous_ranges, fewest_batches

UNTIL_TAG = "anime_pipeline/until"
PRIORITY_TAG = "anime_pipeline/priority"
CUTS_TAG = "anime_pipeline/cuts"
BACKFILL_TAG = "anime_pipeline/backfill"
RENDERS_TAG = "anime_pipeline/renders"
"""Of runs that render, which leave others a place: ``tag_concurrency_limits`` of dagster.yaml."""
_RUN_PRIORITY_TAG = "dagster/priority"
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class BatchJob:
    """A job over a range of partitions, and the job and op that do the same for keys in their config."""

    ranged: str
    scattered: str
    op: str


RENDERING = BatchJob("render_cuts", "render_batch", "plan_batch")
MEASURING = BatchJob("measure_cuts", "measure_batch", "measure_batch_takes")
BATCH_JOBS = {job.ranged: job for job in (RENDERING, MEASURING)}


@dataclass(frozen=True)
class PlannedRun:
    """One run: a job with its partitions, which it gets by its ``tags`` or its ``config``."""

    job: str
    keys: tuple[str, ...]
    tags: Mapping[str, str]
    config: Mapping[str, object]


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Run tags for a contiguous range of partition keys, first to last."""
    return {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}


def plan_runs(
    job: BatchJob, registered: Sequence[str], wanted: Sequence[str], size: int, tags: Mapping[str, str]
) -> list[PlannedRun]:
    """The fewest runs over ``wanted`` keys, each of at most ``size`` of them: never more than one per batch.

    Args:
        registered: every partition key, in the order of registration; a wanted key that isn't is left out.
        tags: given to every run.
    """
    ranged, batches = fewest_batches(registered, wanted, size)
    if not ranged:
        return [batch_run(job, batch, {"cut_keys": batch}, tags) for batch in batches]
    return [
        PlannedRun(job.ranged, tuple(batch), {**tags, CUTS_TAG: str(len(batch)), **range_tags(batch)}, {})
        for batch in batches
    ]


def batch_run(
    job: BatchJob, keys: Sequence[str], config: Mapping[str, object], tags: Mapping[str, str]
) -> PlannedRun:
    """A run of the job that takes what it works on as config."""
    told = {**tags, CUTS_TAG: str(len(set(keys)))}
    return PlannedRun(job.scattered, tuple(keys), told, {"ops": {job.op: {"config": dict(config)}}})


def range_runs(
    job_name: str, registered: Sequence[str], wanted: Sequence[str], size: int
) -> list[PlannedRun]:
    """One run per range of at most ``size`` neighbours, where no job takes scattered partitions."""
    known = set(registered)
    ranges = contiguous_ranges(registered, [key for key in wanted if key in known], size)
    return [PlannedRun(job_name, tuple(batch), range_tags(batch), {}) for batch in ranges]


def priority_tags(priority: int) -> dict[str, str]:
    """Tags of a run whose takes go before others, and which itself leaves Dagster's queue before others."""
    return {PRIORITY_TAG: str(priority), _RUN_PRIORITY_TAG: str(priority)} if priority else {}


def until_tags(closes: datetime | None) -> dict[str, str]:
    """Tags of a run that begins no take after ``closes``."""
    return {UNTIL_TAG: closes.astimezone(timezone.utc).isoformat()} if closes else {}


def until_of(tags: Mapping[str, str]) -> datetime | None:
    """When a run with these tags begins no more takes; None: never."""
    return datetime.fromisoformat(tags[UNTIL_TAG]) if UNTIL_TAG in tags else None


def cuts_of_run(run: dg.DagsterRun, registered: Sequence[str]) -> set[str]:
    """The cuts that a run over a range or a list handles."""
    start = run.tags.get("dagster/asset_partition_range_start") or run.tags.get("dagster/partition")
    end = run.tags.get("dagster/asset_partition_range_end") or start
    if start in registered and end in registered:
        return set(registered[registered.index(start) : registered.index(end) + 1])
    return {str(key) for config in _configs(run) for key in config.get("cut_keys", ())}


def takes_of_run(run: dg.DagsterRun) -> set[int]:
    """The takes (job ids) that a run was given by name."""
    return {int(job_id) for config in _configs(run) for job_id in config.get("job_ids", ())}


def _configs(run: dg.DagsterRun) -> list[dict[str, Any]]:
    ops = run.run_config.get("ops")
    return [op.get("config", {}) for op in ops.values()] if isinstance(ops, dict) else []
