"""Defends that an environment with empty variables is one without them."""

from __future__ import annotations

import pytest

from anime_pipeline.settings import Settings


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_variable_is_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = getattr(Settings(), name)
    monkeypatch.setenv(f"ANIME_{name.upper()}", "")
    assert getattr(Settings(), name) == unset
