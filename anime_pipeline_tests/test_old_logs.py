"""Defends that logs go when nobody wrote to them for a month, and the logs of a run together."""

from __future__ import annotations

import os
import time
from pathlib import Path

from anime_pipeline.old_logs import KEPT_DAYS, remove_old_logs


def log(path: Path, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("said")
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


def test_old_logs_go_and_the_rest_stays(tmp_path: Path) -> None:
    old, young = KEPT_DAYS + 1, KEPT_DAYS - 1
    storage = tmp_path / "dagster" / "storage"
    log(tmp_path / "logs" / "dagster-1.log", old)
    kept = [log(tmp_path / "logs" / "dagster-2.log", young), log(tmp_path / "logs" / "preview.log", old)]
    log(storage / "run-1" / "compute_logs" / "a.out", old)
    log(storage / "run-1" / "compute_logs" / "a.err", old)
    log(storage / "run-1" / "plan" / "result", old)
    log(storage / "__repository__" / "story_sync" / "7.err", old)
    kept += [
        log(storage / "run-2" / "compute_logs" / "a.out", old),
        log(storage / "run-2" / "compute_logs" / "b.out", young),
        log(storage / "run-3" / "plan" / "result", young),
        log(storage / "run-3" / "compute_logs" / "a.out", old),
        log(storage / "__repository__" / "story_sync" / "8.err", young),
    ]
    assert remove_old_logs(tmp_path, tmp_path / "dagster") == 5
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert not (storage / "run-1").exists()
    assert remove_old_logs(tmp_path, tmp_path / "dagster") == 0
    assert remove_old_logs(tmp_path / "nowhere", tmp_path / "nowhere") == 0
