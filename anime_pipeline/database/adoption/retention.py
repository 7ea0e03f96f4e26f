"""Which backups are kept: seven days, four weeks, and every one that a migration rests on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime

from anime_pipeline.database.adoption.connections import Which
from anime_pipeline.database.adoption.manifest import Backup, list_backups
from anime_pipeline.settings import Settings

DAILY = 7
WEEKLY = 4


def kept_times(times: Iterable[datetime]) -> set[datetime]:
    """The newest of each of the last ``DAILY`` days and ``WEEKLY`` ISO weeks that have any."""
    newest_first = sorted(times, reverse=True)
    days: dict[object, datetime] = {}
    weeks: dict[object, datetime] = {}
    for time in newest_first:
        days.setdefault(time.date(), time)
        weeks.setdefault(time.isocalendar()[:2], time)
    return {*list(days.values())[:DAILY], *list(weeks.values())[:WEEKLY]}


def prune(settings: Settings, which: Which = "studio") -> list[str]:
    """Remove nightly backups that neither a day nor a week keeps; returns their names.

    Backups made by hand or before a migration stay until somebody removes them.
    """
    nightly = [backup for backup in list_backups(settings, which) if backup.manifest.purpose == "nightly"]
    kept = kept_times(backup.manifest.taken_at for backup in nightly)
    doomed: list[Backup] = [backup for backup in nightly if backup.manifest.taken_at not in kept]
    for backup in doomed:
        # Renamed first: a half-removed folder must not look like a backup.
        leaving = backup.folder.rename(backup.folder.with_name(f".partial-{backup.name}-removed"))
        shutil.rmtree(leaving)
    return [backup.name for backup in doomed]
