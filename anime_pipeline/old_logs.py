"""What processes said long ago: logs of Dagster's processes and steps, removed when nobody looks them up."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

KEPT_DAYS = 30
"""As long as Dagster keeps what its sensors and schedules said (dagster.yaml)."""


def remove_old_logs(home: Path, dagster_home: Path) -> int:
    """Remove the logs of processes and steps that wrote nothing for so long; how many files.

    A run in Dagster's UI keeps its events, which are in the database; what its steps printed is gone.
    """
    limit = time.time() - KEPT_DAYS * 86_400
    removed = 0
    for log in (home / "logs").glob("dagster-*.log"):
        removed += _remove([log], limit)
    for folder in (dagster_home / "storage").glob("*/compute_logs"):
        files = [path for path in folder.rglob("*") if path.is_file()]
        count = _remove(files, limit)
        removed += count
        if count == len(files):
            shutil.rmtree(folder, ignore_errors=True)
            _remove_if_empty(folder.parent)
    return removed


def _remove(files: list[Path], limit: float) -> int:
    """Remove the files if all of them are old: the steps of a run are kept together."""
    if any(path.stat().st_mtime >= limit for path in files):
        return 0
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # something else of the run is kept there
