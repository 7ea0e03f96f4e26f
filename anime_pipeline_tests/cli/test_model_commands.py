"""Defends ``models``: what each set of weights is, where it lies and comes from, and whether it is intact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from anime_pipeline.cli import app
from anime_pipeline.quality.engines.weights import catalogue, weights_named
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines.random_weights import Shelf


def models(*arguments: str) -> Result:
    """Run ``anime-pipeline models`` with these arguments."""
    return CliRunner().invoke(app, ["models", *arguments])


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """An offline copy of the models folder, empty."""
    monkeypatch.setenv("ANIME_MODELS_DIR", str(tmp_path / "copy"))
    get_settings.cache_clear()
    (tmp_path / "copy").mkdir()
    yield Shelf(tmp_path / "copy", monkeypatch)
    monkeypatch.undo()
    get_settings.cache_clear()


def test_all_weights_are_listed_with_what_is_known_of_them(shelf: Shelf) -> None:
    shelf.lay("st-lpips-alex", b"weights")
    listed = {entry["name"]: entry for entry in json.loads(models("list", "--json").stdout)}
    assert listed.keys() == {entry.name for entry in catalogue()}
    assert [name for name, entry in listed.items() if entry["present"]] == ["st-lpips-alex"]
    for entry in listed.values():
        assert entry["licence"]
        assert entry["used_by"]
        assert entry["megabytes"]
        assert all(file["source"] and "sha256" in file for file in entry["files"])
    table = models("list").stdout
    assert all(word in table for word in ("buffalo_l", "non-commercial", "OpenRAIL", "no"))


def test_one_set_is_shown_with_places_sources_and_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIME_MODELS_DIR", "/nowhere")
    get_settings.cache_clear()
    shown = models("show", "lpips-vgg").stdout
    get_settings.cache_clear()
    for file in weights_named("lpips-vgg").files:
        assert f"/nowhere/{file.file} (absent)" in shown
        assert f"from {file.source}" in shown
        assert f"sha256 {file.sha256}" in shown
    assert "anime-pipeline models fetch lpips-vgg" in shown


def test_places_are_told_whether_the_files_are_there_or_not(shelf: Shelf) -> None:
    assert models("where", "lpips-alex").stdout.splitlines() == [
        str(shelf.folder / "lpips-alex/alexnet-owt-7be5be79.pth"),
        str(shelf.folder / "lpips-alex/alex.pth"),
    ]


def test_verifying_tells_the_right_file_from_another_and_from_none(shelf: Shelf) -> None:
    (path,) = shelf.lay("st-lpips-alex", b"weights")
    good = models("verify", "--json")
    assert (good.exit_code, json.loads(good.stdout)) == (
        0,
        [{"name": "st-lpips-alex", "file": str(path), "state": "verified"}],
    )
    path.write_bytes(b"weigh")
    bad = models("verify", "--json")
    assert (bad.exit_code, json.loads(bad.stdout)[0]["state"]) == (1, "damaged")
    (shelf.folder / "manifest.json").unlink()
    unknown = models("verify", "--json")
    assert (unknown.exit_code, json.loads(unknown.stdout)[0]["state"]) == (1, "unverified")
    path.unlink()
    assert models("verify").exit_code == 0, "what is not there is not wrong"
    absent = models("verify", "st-lpips-alex", "--json")
    assert (absent.exit_code, json.loads(absent.stdout)[0]["state"]) == (1, "absent")
