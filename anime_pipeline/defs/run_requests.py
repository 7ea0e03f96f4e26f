"""Runs over ranges of partitions: the tags that name a range, and the requests that sensors make of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import dagster as dg

from anime_pipeline.defs.partitions import contiguous_ranges


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Run tags for a contiguous range of partition keys, first to last."""
    return {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}


def batch_requests(
    job_name: str, registered: Sequence[str], revisions: Mapping[str, str], batch_size: int
) -> list[dg.RunRequest]:
    """One run request per batch of neighbouring partitions.

    Args:
        registered: every partition key, in the order of registration.
        revisions: key → what makes this work new; the same work is never requested twice.
        batch_size: partitions in a run, at most.
    """
    known = set(registered)
    batches = contiguous_ranges(registered, [key for key in revisions if key in known], batch_size)
    requests = []
    for batch in batches:
        revision = hashlib.sha256("\n".join(f"{key} {revisions[key]}" for key in batch).encode()).hexdigest()
        requests.append(
            dg.RunRequest(run_key=f"{job_name}:{revision}", job_name=job_name, tags=range_tags(batch))
        )
    return requests
