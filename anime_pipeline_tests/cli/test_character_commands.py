"""Defends ``characters`` and ``calibrate``: what is there is listed, and what is absent names its remedy."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from anime_pipeline.settings import Settings
from anime_pipeline_tests.cli.test_commands import run
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
