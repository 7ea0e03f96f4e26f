"""Defends the shot list on the command line: out as CSV, edited, in again, and what keeps it out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.cli.house import House
from anime_pipeline.cli.story_commands import import_file
from anime_pipeline.rendering import wanted_recipes as room
from anime_pipeline.rendering.staleness import cut_states
from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.in_process import run
from anime_pipeline_tests.cli.test_importing import refused
from anime_pipeline_tests.story.files import import_file as import_production
from anime_pipeline_tests.story.files import small, write


@pytest.fixture(autouse=True)
def story(settings: Settings, tmp_path: Path) -> None:
    """The small production, without the process that tells Dagster of its cuts."""
    import_production(settings, write(tmp_path, small()))


@pytest.fixture
def shots(settings: Settings, tmp_path: Path) -> Path:
    """Its shot list, as the shell writes it to a file."""
    path = tmp_path / "shots.csv"
    path.write_text(run(settings, "shots").stdout, encoding="utf-8", newline="")
    return path


def test_a_shot_list_goes_out_is_edited_and_comes_in(settings: Settings, shots: Path) -> None:
    again = run(settings, "import", str(shots))
    assert (again.returncode, again.stdout.strip()) == (0, "0 changed, 11 unchanged")
    shots.write_bytes(shots.read_bytes().replace(b"rain", "日本の雨".encode(), 1))
    planned = run(settings, "import", str(shots), "--dry-run")
    assert "description: 'rain' → '日本の雨'" in planned.stdout
    assert json.loads(run(settings, "shots", "--json").stdout)[0]["description"] == "rain", "a dry run"
    done = json.loads(run(settings, "import", str(shots), "--project", "small", "--json").stdout)
    assert [(entry["name"], entry["state"]) for entry in done["entries"]] == [
        ("small.e01.s001.c0010", "changed")
    ]
    listed = json.loads(run(settings, "shots", "small.e01.s001.c0010", "--json").stdout)
    assert [shot["description"] for shot in listed] == ["日本の雨"]


def test_a_shot_list_is_what_spreadsheets_open(settings: Settings) -> None:
    told = run(settings, "shots", "small.e01.s002", "--semicolons").stdout
    assert told.startswith("\ufeffepisode;scene;cut;kind;duration_frames;")
    assert told.splitlines()[1].startswith("1;2;10;still;48;")
    unknown = run(settings, "shots", "small.e02")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no active cut in small.e02" in unknown.stderr


def test_mistakes_are_told_with_their_cells_and_nothing_is_written(settings: Settings, shots: Path) -> None:
    before = shots.read_bytes()
    shots.write_bytes(before.replace(b"still", b"stil").replace(b"loop", b"lop"))
    told = run(settings, "import", str(shots))
    assert told.returncode == 1
    assert "3 mistakes in the shot list; nothing was written." in told.stderr
    assert "did you mean 'loop'?" in told.stderr
    listed = json.loads(run(settings, "import", str(shots), "--json").stdout)["errors"]
    assert [(error["line"], error["field"]) for error in listed] == [
        (2, "kind (D2)"), (3, "kind (D3)"), (5, "kind (D5)"),
    ]  # fmt: skip
    assert run(settings, "shots").stdout.encode() == before


def test_cuts_without_a_row_are_omitted_on_request(settings: Settings, shots: Path) -> None:
    shots.write_text(run(settings, "shots", "small.e01.s001.c0010").stdout, encoding="utf-8", newline="")
    assert json.loads(run(settings, "import", str(shots), "--dry-run", "--json").stdout)["entries"] == []
    asked = run(settings, "import", str(shots), "--dry-run", "--omit-missing", "--json").stdout
    assert [entry["name"] for entry in json.loads(asked)["entries"] if entry["state"] == "omitted"] == [
        "small.e01.s001.c0020", "small.e01.s001.c0030",
    ]  # fmt: skip


def test_what_is_no_shot_list_is_refused_with_a_remedy(
    settings: Settings, tmp_path: Path, shots: Path
) -> None:
    workbook = run(settings, "import", str(tmp_path / "shots.xlsx"))
    assert (workbook.returncode, "CSV UTF-8" in workbook.stderr) == (1, True)
    missing = run(settings, "import", str(tmp_path / "none.csv"))
    assert (missing.returncode, "check the path" in missing.stderr) == (1, True)
    production = run(settings, "import", str(write(tmp_path, small())), "--project", "small")
    assert (production.returncode, "of a shot list" in production.stderr) == (1, True)
    other = small()
    other["project"] |= {"slug": "other", "name": "Other"}
    other["characters"], other["episodes"] = [], []
    import_production(settings, write(tmp_path, other))
    unnamed = run(settings, "import", str(shots))
    assert unnamed.returncode == 1
    assert "Which project" in unnamed.stderr
    assert "other, small" in unnamed.stderr
    assert run(settings, "import", str(shots), "--project", "small").returncode == 0


def test_what_a_shot_list_changes_is_composed_by_its_import(
    settings: Settings, session: Session, shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots.write_bytes(shots.read_bytes().replace(b"rain", b"snow", 1))
    assert not import_file(House(settings), shots).is_empty
    monkeypatch.setattr(room, "_composed", refused)
    assert {state.state for state in cut_states(session, settings)} == {"missing"}
