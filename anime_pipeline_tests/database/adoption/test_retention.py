"""Defends that seven days and four weeks of nightly backups stay, and all that a person relies on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.database.adoption.fingerprints import Fingerprint
from anime_pipeline.database.adoption.manifest import MANIFEST, NAME_FORMAT, Manifest, list_backups
from anime_pipeline.database.adoption.retention import kept_times, prune
from anime_pipeline.settings import Settings

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=timezone.utc)
TIMES = st.lists(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 12, 31)), max_size=60)
SAMPLE = Manifest(
    NOW, "nightly", "anime", "18", "18", "2", None, {"public.cuts": Fingerprint(1, "0")}, {}, {}, "here"
)


def test_a_year_of_nights_leaves_seven_days_and_four_weeks() -> None:
    nights = [NOW - timedelta(days=number) for number in range(365)]
    kept = kept_times(nights)
    assert {NOW - timedelta(days=number) for number in range(7)} <= kept
    assert len(kept) == 7 + 3, "the newest of this week and of the one before are among the days"
    assert min(kept) > NOW - timedelta(days=28)


@given(TIMES)
def test_pruning_twice_removes_nothing_more_and_never_the_newest(times: list[datetime]) -> None:
    kept = kept_times(times)
    assert kept <= set(times)
    assert kept_times(kept) == kept
    assert not times or max(times) in kept
    assert len(kept) <= 11


def test_only_nightly_ones_are_removed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for number in range(40):
        for purpose, hour in (("nightly", 3), ("migration", 4), ("manual", 5)):
            taken = NOW.replace(hour=hour) - timedelta(days=number)
            folder = tmp_path / "backups" / taken.strftime(NAME_FORMAT)
            folder.mkdir(parents=True)
            held = replace(SAMPLE, taken_at=taken, purpose=purpose)
            (folder / MANIFEST).write_text(json.dumps(held.as_json()))
    prune(settings)
    left = [backup.manifest.purpose for backup in list_backups(settings)]
    assert left.count("migration") == left.count("manual") == 40
    assert left.count("nightly") == 10
    assert prune(settings) == []
