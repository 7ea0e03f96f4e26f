"""What processes said and steps handed on long ago, removed when nobody looks it up."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

KEPT_DAYS = 30
"""As long as Dagster keeps what its sensors and schedules said (dagster.yaml)."""


def remove_old_logs(home: Path, dagster_home: Path) -> int:
    """Remove what processes and the steps of runs wrote, where nothing was added for so long; how many files.

    A run in Dagster's UI keeps its events, which are in the database. What its steps printed is gone, and
    what they handed on, so that it can be repeated only as a whole.
    """
    limit = time.time() - KEPT_DAYS * 86_400
    removed = 0
    storage = dagster_home / "storage"
    # Dagster forgets its ticks by itself, but not what sensors and schedules logged at them.
    for log in (*(home / "logs").glob("dagster-*.log"), *storage.glob("__repository__/*/*")):
        removed += _remove([log], limit)
    for logs in storage.glob("*/compute_logs"):
        files = [path for path in logs.parent.rglob("*") if path.is_file()]
        count = _remove(files, limit)
        removed += count
        if count == len(files):
            shutil.rmtree(logs.parent, ignore_errors=True)
    return removed


def _remove(files: list[Path], limit: float) -> int:
    """Remove the files if all of them are old: the steps of a run are kept together."""
    if any(path.stat().st_mtime >= limit for path in files):
        return 0
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)
