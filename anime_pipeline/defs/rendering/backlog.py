"""What the sensor ``render_backlog`` decides: which takes and cuts wait, and which runs may begin now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from sqlalchemy.orm import Session

from anime_pipeline.defs.run_requests import (
    RENDERING,
    UNDER_WAY,
    PlannedRun,
    batch_run,
    cuts_of_run,
    plan_runs,
    priority_tags,
    takes_of_run,
    until_tags,
)
from anime_pipeline.defs.watching import Watch, is_lately
from anime_pipeline.rendering.backlog import WaitingTake
from anime_pipeline.rendering.staleness import states_of
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys

MOST_UNDER_WAY = 4
"""Runs that render at once or wait to; more would only begin after the end of the render hours."""
COUNT_AGAIN_SECONDS = 60.0
_RENDERERS = {RENDERING.ranged, RENDERING.scattered, "produce_cuts"}
_MOST_RUNS = 100


@dataclass(frozen=True)
class Held:
    """What runs under way handle already."""

    runs: int
    cut_keys: frozenset[str]
    job_ids: frozenset[int]

    @classmethod
    def by(cls, instance: dg.DagsterInstance, registered: Sequence[str]) -> Held:
        """Whatever a run that renders, of whoever's making, has in hand or is about to have."""
        runs = [
            run
            for run in instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=_MOST_RUNS)
            if run.job_name in _RENDERERS or dg.AssetKey("frames") in (run.asset_selection or ())
        ]
        cuts = frozenset(key for run in runs for key in cuts_of_run(run, registered))
        return cls(len(runs), cuts, frozenset(job_id for run in runs for job_id in takes_of_run(run)))

    @property
    def free_slots(self) -> int:
        """How many runs may be launched."""
        return max(0, MOST_UNDER_WAY - self.runs)


def queue_runs(waiting: Sequence[WaitingTake], size: int, closes: datetime | None) -> list[PlannedRun]:
    """The takes that wait, in batches in the order of their turn."""
    batches = [waiting[first : first + size] for first in range(0, len(waiting), size)]
    return [
        batch_run(
            RENDERING,
            [take.cut_key for take in batch],
            {"job_ids": [take.job_id for take in batch]},
            {**until_tags(closes), **priority_tags(max(take.priority for take in batch))},
        )
        for batch in batches
    ]


def unrendered(
    session: Session, settings: Settings, watch: Watch, registered: Sequence[str]
) -> dict[str, str]:
    """Cuts that are missing or stale, with the recipe that they want.

    All of them, or those among the cuts that were written and the ones that follow them: a cut may begin with
    the last frame of the one before.
    """
    keys = list(registered)
    if not watch.must_look_at_all:
        position = {key: place for place, key in enumerate(registered)}
        written = [position[key] for key in watch.changed_keys(session) if key in position]
        keys = [registered[place] for place in sorted({*written, *(place + 1 for place in written)})
                if place < len(registered)]  # fmt: skip
    active = set(active_cut_keys(session))
    states = states_of(session, settings, [key for key in keys if key in active], check_files=False)
    return {s.cut_key: str(s.recipe_hash) for s in states if s.state in ("missing", "stale")}


def cut_runs(
    wanted: Collection[str], registered: Sequence[str], size: int, closes: datetime | None
) -> list[PlannedRun]:
    """The fewest runs that plan and render these cuts."""
    return plan_runs(RENDERING, registered, sorted(wanted), size, until_tags(closes))


def counted_lately(watch: Watch) -> bool:
    """Whether the count of waiting cuts that the cursor holds is of the last minute."""
    return is_lately(float(watch.memory.get("counted_at", 0.0)), COUNT_AGAIN_SECONDS)
