"""Defends ``characters`` and ``calibrate``: what is there is listed, and what is absent names its remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from anime_pipeline.cli import app
from anime_pipeline.settings import Settings, get_settings
from anime_pipeline_tests.cli.test_commands import run
from anime_pipeline_tests.quality.casting import BLUE, RED, TWO_FACES, lay_ccip, picture_file
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.story.files import small, write


def test_characters_are_listed_and_shown_and_absent_weights_name_their_fetch(
    settings: Settings, tmp_path: Path
) -> None:
    Image.new("RGB", (32, 32), "teal").save(tmp_path / "mika.png")
    data = small()
    data["characters"][0]["anchors"] = [{"name": "front", "type": "pose_reference", "image": "mika.png"}]
    name = data["characters"][0]["name"]
    assert run(settings, "import", str(write(tmp_path, data))).returncode == 0

    listed = json.loads(run(settings, "characters", "list", "small", "--json").stdout)
    assert {"name": name, "anchors": 1, "enrolled": 0} in listed
    shown = json.loads(run(settings, "characters", "show", "small", name.lower(), "--json").stdout)
    assert [(anchor["name"], anchor["faces"]) for anchor in shown["anchors"]] == [("front", {})]

    refused = run(settings, "characters", "enroll", "small", name)
    assert refused.returncode == 1
    assert "ccip is unavailable" in refused.stderr
    assert "anime-pipeline models fetch" in refused.stderr
    assert "Traceback" not in refused.stderr

    failed = run(settings, "calibrate", "small", "--json")
    assert failed.returncode == 1
    told = json.loads(failed.stdout)
    assert told["calibrations"] == []
    assert [failure["subject"] for failure in told["failures"]] == ["identity", "style"]
    assert all("unavailable" in failure["message"] and failure["remedy"] for failure in told["failures"])


def test_enrol_and_calibrate_from_pictures_to_plot(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("scipy")
    monkeypatch.setenv("ANIME_HOME", str(settings.home))
    monkeypatch.setenv("ANIME_DATABASE_URL", str(settings.database_url))
    get_settings.cache_clear()
    shelf = Shelf(settings.models_path, monkeypatch)
    lay_ccip(shelf)

    def command(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == status, done.output
        return done.stdout

    data = small()
    names = [character["name"] for character in data["characters"]]
    command("import", str(write(tmp_path, data)), "--json")
    for name, colour in zip(names, (RED, BLUE), strict=False):
        files = [str(picture_file(tmp_path, f"{name}{n}", colour, n)) for n in range(3)]
        images = [part for file in files for part in ("--image", file)]
        told = json.loads(command("characters", "enroll", "small", name, *images, "--json"))
        assert [picture["state"] for picture in told] == ["enrolled"] * 3
        assert told[0]["face"]["confidence"] == pytest.approx(0.9)
    assert "3" in command("characters", "list", "small")
    assert "ccip" in command("characters", "show", "small", names[0])

    (found,) = json.loads(command("calibrate", "small", "--subject", "identity", "--json"))["calibrations"]
    assert (found["separation"]["auc"], found["separates"], found["same_passing"]) == (1.0, True, 1.0)
    assert Path(found["plot"]).is_file()
    assert "face_similarity" in command("calibrate", "small", "--subject", "identity")

    lay_ccip(shelf, TWO_FACES)
    more = str(picture_file(tmp_path, "crowd", RED, 50))
    assert "2 faces" in command("characters", "enroll", "small", names[0], "--image", more, status=1)
    get_settings.cache_clear()
