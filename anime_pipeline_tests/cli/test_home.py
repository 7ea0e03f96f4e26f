"""Defends that a home that can't be made and a setting that is wrong are told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from anime_pipeline.cli import main
from anime_pipeline.cli.house import open_house
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings


def test_a_home_that_cannot_be_made_is_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(
        "anime_pipeline.cli.house.get_settings", lambda: Settings(home=tmp_path / "file" / "home")
    )
    with pytest.raises(UserError, match="can't be made: not a directory") as refused:
        open_house()
    assert "ANIME_HOME" in str(refused.value.remedy)


def test_a_setting_of_another_form_is_told_with_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("anime_pipeline.cli.house.get_settings", Settings)
    monkeypatch.setenv("ANIME_HOME", str(tmp_path))
    monkeypatch.setenv("ANIME_RENDER_HOURS", "25-99")
    monkeypatch.setattr("sys.argv", ["anime-pipeline", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "22:00-07:00" in told
    assert r"\d" not in told
