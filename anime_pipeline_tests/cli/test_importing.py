"""After an import nobody waits for recipes to be composed: what its cuts want is known by then."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.cli.house import House
from anime_pipeline.cli.story_commands import import_file
from anime_pipeline.errors import UserError
from anime_pipeline.rendering import wanted_recipes as room
from anime_pipeline.rendering.staleness import cut_states
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline_tests.story.files import small, write


def refused(*_asked: object) -> object:
    """Nothing may be composed any more."""
    raise AssertionError("composed again")


def test_what_an_import_changes_is_composed_by_it(
    settings: Settings, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first question after it composes nothing, and is answered as one that composes everything."""
    data = small()
    import_file(House(settings), write(tmp_path, data))
    data["episodes"][0]["scenes"][0]["location"] = "roof"
    import_file(House(settings), write(tmp_path, data))
    composed = room._composed
    monkeypatch.setattr(room, "_composed", refused)
    told = cut_states(session, settings)
    monkeypatch.setattr(room, "_composed", composed)
    monkeypatch.setattr(room, "_remembered", lambda *_asked: {})
    assert cut_states(session, settings) == told
    assert {state.state for state in told} == {"missing"}


def test_a_cut_that_cannot_be_composed_keeps_nothing_from_being_imported(
    settings: Settings, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The story is written by then; an import that failed would be a lie."""

    def broken(*_asked: object) -> object:
        raise UserError("a film is gone")

    monkeypatch.setattr(room, "first_frames", broken)
    assert not import_file(House(settings), write(tmp_path, small())).is_empty
    assert active_cut_keys(session)
