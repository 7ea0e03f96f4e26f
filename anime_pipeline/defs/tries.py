"""How often a piece of work may be launched: again after a failure, ever later, and not for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import dagster as dg

from anime_pipeline.defs.run_requests import PlannedRun
from anime_pipeline.defs.watching import now

WORK_TAG = "anime_pipeline/work"
MOST_TRIES = 10
_MOST_RECORDS = 1000
_LONGEST = timedelta(hours=1)


@dataclass(frozen=True)
class Launch:
    """What is launched now, and why the rest is not; ``is_later`` where some of it will be, unasked."""

    requests: list[dg.RunRequest]
    reasons: list[str]
    is_later: bool


def launch(instance: dg.DagsterInstance, runs: Sequence[PlannedRun], revisions: Mapping[str, str]) -> Launch:
    """Requests for the runs that may be launched now.

    The same work (job, keys, revisions) is launched once. If that run has ended and the work is still there,
    it is launched again after 1, 2, 4 … minutes, at most an hour, and after ``MOST_TRIES`` only by a person.
    """
    named = {work_of(run, revisions): run for run in runs}
    known: dict[str, list[dg.RunRecord]] = {work: [] for work in named}
    if named:
        records = instance.get_run_records(dg.RunsFilter(tags={WORK_TAG: list(named)}), limit=_MOST_RECORDS)
        for record in records:
            known[record.dagster_run.tags[WORK_TAG]].append(record)
    requests: list[dg.RunRequest] = []
    reasons: list[str] = []
    is_later = False
    for work, run in named.items():
        tries = known[work]
        again = _may_start_at(tries)
        if len(tries) >= MOST_TRIES:
            reasons.append(f"{_shown(run)} were tried {len(tries)} times in vain; see their runs")
        elif again is not None and again > now():
            is_later = True
            reasons.append(f"{_shown(run)} are tried again at {again:%H:%M} UTC")
        else:
            requests.append(
                dg.RunRequest(
                    run_key=f"{run.job}:{work}:{len(tries)}",
                    job_name=run.job,
                    tags={**run.tags, WORK_TAG: work},
                    run_config=dict(run.config) if run.config else None,
                )
            )
    return Launch(requests, reasons, is_later)


def work_of(run: PlannedRun, revisions: Mapping[str, str]) -> str:
    """The name of a piece of work: a hash of the job, its keys and what makes each of them new."""
    named = "\n".join([run.job, *(f"{key} {revisions.get(key, '')}" for key in run.keys)])
    return hashlib.sha256(named.encode()).hexdigest()


def _may_start_at(tries: Sequence[dg.RunRecord]) -> datetime | None:
    """When work that was launched before may be again; None: at once."""
    if not tries:
        return None
    if any(not record.dagster_run.is_finished for record in tries):
        return now() + _LONGEST
    ends = [record.end_time or record.update_timestamp.timestamp() for record in tries]
    past = [end for end in ends if end <= now().timestamp()]  # one to come is of a clock that was wrong
    pause = min(timedelta(minutes=2 ** (len(tries) - 1)), _LONGEST)
    return datetime.fromtimestamp(max(past), timezone.utc) + pause if past else None


def _shown(run: PlannedRun) -> str:
    return f"{len(run.keys)} ({run.keys[0]} …)" if len(run.keys) > 1 else run.keys[0]
