"""Defends backfill, forecast and report on the command line: what they show, and what mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy.orm import Session

from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.test_commands import run
from anime_pipeline_tests.story.files import small, write


def test_a_dry_run_shows_cuts_runs_and_forecast_and_does_nothing(
    settings: Settings, session: Session, tmp_path: Path
) -> None:
    assert run(settings, "import", str(write(tmp_path, small()))).returncode == 0
    cuts = [f"small.e01.s001.c00{number}" for number in (10, 20, 30)]
    shown = json.loads(run(settings, "backfill", "small.e01.s001", "--dry-run", "--json").stdout)
    assert [cut["cut_key"] for cut in shown["cuts"]] == cuts
    assert {cut["state"] for cut in shown["cuts"]} == {"missing"}
    assert shown["runs"] == [{"job": "render_cuts", "ranged": True, "cuts": cuts}]
    takes = sum(cut["takes"] for cut in shown["cuts"])
    assert shown["forecast"] == {
        "takes": takes, "gpu_seconds": None, "unknown_takes": takes, "history_takes": 0
    }  # fmt: skip

    limited = json.loads(run(settings, "backfill", "--missing", "--limit", "2", "--dry-run", "--json").stdout)
    assert [cut["cut_key"] for cut in limited["cuts"]] == cuts[:2]
    nothing = json.loads(run(settings, "backfill", "--stale", "--dry-run", "--json").stdout)
    assert nothing["cuts"] == []
    told = json.loads(run(settings, "status", "--json").stdout)
    assert told["forecast"]["gpu_seconds"] is None
    assert told["counts"] == {"missing": 4}, "nothing was rendered"

    for arguments, said in (
        (("backfill", "--phase", "phase_9"), "is no phase"),
        (("backfill", "nowhere.e01"), "no active cut"),
        (("backfill", "--measure-only", "--stale"), "renders nothing"),
        (("report", "--date", "2026-13-01"), "is no day"),
    ):
        refused = run(settings, *arguments)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_report_is_printed_and_kept(settings: Settings, session: Session, tmp_path: Path) -> None:
    assert run(settings, "import", str(write(tmp_path, small()))).returncode == 0
    found = json.loads(run(settings, "report", "--date", "2026-11-21", "--json").stdout)
    assert found["totals"]["takes_rendered"] == 0
    kept = Path(found["file"])
    assert kept == settings.home / "reports" / "2026-11-21.md"
    assert kept.read_text().startswith("# 2026-11-21 (UTC)")
