"""Defends the commands for recipes and workflows: what they print, what they write, their exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from anime_pipeline.cli import app, recipe_commands, reproduce_command, workflow_commands
from anime_pipeline.cli.house import House
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.recipe_files import RecipeFileError
from anime_pipeline.rendering.templates import SHIPPED, TemplateError
from anime_pipeline_tests.rendering.conftest import artist, server  # noqa: F401
from anime_pipeline_tests.rendering.conftest import studio as _studio  # noqa: F401
from anime_pipeline_tests.rendering.studio import Studio, stills
from anime_pipeline_tests.rendering.test_templates import written


@pytest.fixture
def studio(_studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:  # noqa: F811
    """The studio, which the commands open as their house."""
    for module in (recipe_commands, reproduce_command):
        monkeypatch.setattr(module, "open_house", lambda: House(_studio.settings))
    monkeypatch.setattr(workflow_commands, "get_settings", lambda: _studio.settings)
    return _studio


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def told(*arguments: str) -> Any:
    return json.loads(ran(*arguments, "--json").stdout)


def rendered(studio: Studio) -> str:
    studio.import_(stills(1))
    (take,) = studio.render().finished
    return str(take.job_id)


def test_a_file_needs_no_house_to_be_shown() -> None:
    shown = told("recipe", "show", str(SHIPPED / "wan-i2v.json"))
    assert [one["class_type"] for one in shown["samplers"]] == ["KSamplerAdvanced"] * 2
    assert shown["main"] == 0
    words = ran("recipe", "show", str(SHIPPED / "sdxl-still-faceid.json")).stdout
    assert "FACEID PLUS V2" in words
    assert "character.safetensors" in words


def test_a_take_is_shown_reproduced_exported_and_imported(studio: Studio, tmp_path: Path) -> None:
    job = rendered(studio)
    (sampler,) = told("recipe", "show", job)["samplers"]
    assert (sampler["class_type"], sampler["width"]) == ("AnimaticShot", 64)
    (report,) = told("reproduce", job)
    assert (report["verdict"], report["job_id"]) == ("identical", int(job))
    assert "identical" in ran("reproduce", job).stdout
    file = tmp_path / "take.recipe"
    assert told("recipe", "export", job, str(file))["cut_key"] == "tiny.e01.s001.c0010"
    imported = told("recipe", "import", str(file))["job_id"]
    assert imported != int(job)
    assert told("reproduce", str(imported))[0]["verdict"] == "identical"
    with pytest.raises(RecipeFileError):
        ran("recipe", "import", str(tmp_path / "nowhere"))


def test_a_different_picture_ends_with_status_1_and_names_its_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rendered(studio)
    monkeypatch.setattr(
        "anime_pipeline.preview.drawing.draw_shot",
        lambda shot: (255 - one for one in studio.artist.draw(shot)),
    )
    done = ran("reproduce", job, "--json")
    assert done.exit_code == 1
    (report,) = json.loads(done.stdout)
    assert report["verdict"] == "different"
    assert Path(report["difference_picture"]).is_file()
    assert "Nothing that the servers tell has changed" in ran("reproduce", job).stdout


def test_workflows_are_checked_added_and_listed(studio: Studio, tmp_path: Path) -> None:
    path = written(tmp_path)
    assert "mine: 0 mistakes, 4 slots" in ran("workflow", "check", str(path)).stdout
    assert ran("workflow", "check", "animatic-still", "--server", studio.server.url).exit_code == 0
    with pytest.raises(TemplateError, match="no workflow named animatik"):
        ran("workflow", "check", "animatik")
    with pytest.raises(ComfyError, match="gpu is no URL"):
        ran("workflow", "check", str(path), "--server", "gpu")
    done = ran("workflow", "check", str(path), "--server", studio.server.url)
    assert done.exit_code == 1
    assert "strength" in done.stdout
    assert "mine: 3 mistakes on http" in done.stdout
    assert told("workflow", "add", str(path), "--server", studio.server.url)[0]["severity"] == "mistake"
    assert told("workflow", "add", str(path))["name"] == "mine"
    shutil.copy(SHIPPED / "animatic-still.json", tmp_path / "other.json")
    shutil.copy(SHIPPED / "animatic-still.yaml", tmp_path / "other.yaml")
    added = told("workflow", "add", str(tmp_path / "other.json"), "--server", studio.server.url)
    assert (added["name"], added["findings"]) == ("other", []), "one document"
    listed = {row["name"]: row for row in told("workflow", "list")}
    assert listed["mine"]["origin"] == "own"
    assert listed["animatediff-loop"]["origin"] == "shipped"
    assert all(row["mistake"] is None for row in listed.values())
    with pytest.raises(TemplateError, match="already"):
        ran("workflow", "add", str(path))


def test_ui_format_is_refused_with_the_way_to_export_it(tmp_path: Path) -> None:
    path = written(tmp_path, {"nodes": [], "links": []})
    for command in (("workflow", "check"), ("workflow", "add"), ("recipe", "show")):
        with pytest.raises(TemplateError, match="UI format") as refused:
            ran(*command, str(path))
        assert "Export (API)" in str(refused.value.remedy)
