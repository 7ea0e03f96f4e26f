"""Defends the house: rooms import only what lies below them, and loading the definitions stays cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from anime_pipeline.settings import Settings

REPOSITORY = Path(__file__).parents[1]
HEAVY = ("torch", "onnxruntime", "cv2", "insightface", "open_clip", "lpips")
EVERY_COMMAND = "from anime_pipeline.cli.commands import COMMANDS, load\nfor name in COMMANDS: load(name)"


def test_rooms_import_only_rooms_below_them() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("load", ["import anime_pipeline.definitions", EVERY_COMMAND])
def test_loading_imports_no_heavy_library(load: str, tmp_path: Path) -> None:
    code = f"{load}\nimport sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"ANIME_HOME": str(tmp_path), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_command_line_does_not_load_dagster(tmp_path: Path) -> None:
    code = f"{EVERY_COMMAND}\nimport sys; print('dagster' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    assert done.stdout.strip() == "False"


def test_workspace_and_pyproject_name_the_same_code_location() -> None:
    workspace = (REPOSITORY / "workspace.yaml").read_text()
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert "module_name: anime_pipeline.definitions" in workspace
    assert 'module_name = "anime_pipeline.definitions"' in project
    assert "location_name: anime_pipeline" in workspace
    assert 'code_location_name = "anime_pipeline"' in project


def test_every_setting_is_in_the_manual() -> None:
    manual = (REPOSITORY / "docs" / "OPERATIONS.md").read_text()
    assert [name for name in Settings.model_fields if f"`ANIME_{name.upper()}`" not in manual] == []
