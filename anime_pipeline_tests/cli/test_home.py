"""Defends that a home that can't be made is told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from anime_pipeline.cli.house import open_house
from anime_pipeline.errors import UserError


def test_a_home_that_cannot_be_made_is_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ANIME_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(UserError, match="can't be made: not a directory") as refused:
        open_house()
    assert "ANIME_HOME" in str(refused.value.remedy)
