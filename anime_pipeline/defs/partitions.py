"""Partitions: one per active episode, scene and cut, listed in story order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from sqlalchemy.orm import Session

from anime_pipeline.settings import get_settings
from anime_pipeline.story import listing

CUTS = dg.DynamicPartitionsDefinition(name="cuts")
SCENES = dg.DynamicPartitionsDefinition(name="scenes")
EPISODES = dg.DynamicPartitionsDefinition(name="episodes")

# One policy for everything that is partitioned by cut: Dagster splits a backfill where policies differ.
CUT_BATCHES = dg.BackfillPolicy.multi_run(get_settings().batch_size)


@dataclass(frozen=True)
class PartitionChange:
    """What a synchronisation did to one partitions definition."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def sync_story_partitions(instance: dg.DagsterInstance, session: Session) -> dict[str, PartitionChange]:
    """Make Dagster's partitions those of the story; history of a key that leaves stays in the event log."""
    wanted = {
        "episodes": listing.active_episode_keys(session),
        "scenes": listing.active_scene_keys(session),
        "cuts": listing.active_cut_keys(session),
    }
    return {name: _sync(instance, name, keys) for name, keys in wanted.items()}


def _sync(instance: dg.DagsterInstance, name: str, wanted: Sequence[str]) -> PartitionChange:
    present = list(instance.get_dynamic_partitions(name))
    kept = 0
    while kept < min(len(present), len(wanted)) and present[kept] == wanted[kept]:
        kept += 1
    # Ranges are contiguous in the order of registration: a key that belongs in the middle moves all after it.
    for key in present[kept:]:
        instance.delete_dynamic_partition(name, key)
    if wanted[kept:]:
        instance.add_dynamic_partitions(name, list(wanted[kept:]))
    return PartitionChange(
        added=tuple(sorted(set(wanted) - set(present))), removed=tuple(sorted(set(present) - set(wanted)))
    )


def contiguous_ranges(registered: Sequence[str], wanted: Sequence[str], size: int) -> list[list[str]]:
    """``wanted`` keys in runs of neighbours of at most ``size``: what one Dagster range run can name."""
    position = {key: index for index, key in enumerate(registered)}
    ranges: list[list[str]] = []
    for key in sorted(wanted, key=position.__getitem__):
        last = ranges[-1] if ranges else None
        if last and len(last) < size and position[key] == position[last[-1]] + 1:
            last.append(key)
        else:
            ranges.append([key])
    return ranges
