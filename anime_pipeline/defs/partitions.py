"""Partitions: one per active project, episode, scene and cut, listed in story order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.event_log.schema import DynamicPartitionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy.orm import Session

from anime_pipeline.settings import get_settings
from anime_pipeline.story import listing

CUTS = dg.DynamicPartitionsDefinition(name="cuts")
SCENES = dg.DynamicPartitionsDefinition(name="scenes")
EPISODES = dg.DynamicPartitionsDefinition(name="episodes")
PROJECTS = dg.DynamicPartitionsDefinition(name="projects")

# One policy for everything that is partitioned by cut: Dagster splits a backfill where policies differ.
CUT_BATCHES = dg.BackfillPolicy.multi_run(get_settings().batch_size)


_MOST_KEYS = 1000


@dataclass(frozen=True)
class PartitionChange:
    """What a synchronisation did to one partitions definition."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def sync_story_partitions(instance: dg.DagsterInstance, session: Session) -> dict[str, PartitionChange]:
    """Make Dagster's partitions those of the story; history of a key that leaves stays in the event log."""
    cuts = listing.active_cut_keys(session)
    scenes = sorted({key.rpartition(".")[0] for key in cuts})
    episodes = sorted({key.rpartition(".")[0] for key in scenes})
    projects = sorted({key.partition(".")[0] for key in episodes})
    wanted = {"projects": projects, "episodes": episodes, "scenes": scenes, "cuts": cuts}
    return {name: _sync(instance, name, keys) for name, keys in wanted.items()}


def _sync(instance: dg.DagsterInstance, name: str, wanted: Sequence[str]) -> PartitionChange:
    present = list(instance.get_dynamic_partitions(name))
    kept = 0
    while kept < min(len(present), len(wanted)) and present[kept] == wanted[kept]:
        kept += 1
    # Ranges are contiguous in the order of registration: a key that belongs in the middle moves all after it.
    _register(instance, name, present[kept:], wanted[kept:])
    return PartitionChange(
        added=tuple(sorted(set(wanted) - set(present))), removed=tuple(sorted(set(present) - set(wanted)))
    )


def _register(instance: dg.DagsterInstance, name: str, leaving: Sequence[str], coming: Sequence[str]) -> None:
    """Put ``coming`` keys in the place of ``leaving`` ones at once, so that nobody sees a list without both.

    Dagster itself deletes them one by one, each over a connection of its own.
    """
    if not leaving and not coming:
        return
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)  # as every storage that Dagster has
    table = DynamicPartitionsTable
    with storage.index_transaction() as connection:
        for first in range(0, len(leaving), _MOST_KEYS):
            gone = leaving[first : first + _MOST_KEYS]
            connection.execute(
                table.delete().where(table.c.partitions_def_name == name, table.c.partition.in_(gone))
            )
        if coming:
            connection.execute(
                table.insert(), [{"partitions_def_name": name, "partition": key} for key in coming]
            )
