"""A studio per test: fresh database, fresh home, a real preview server over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_pipeline.settings import Settings
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server
from anime_pipeline_tests.rendering.studio import QuickArtist, Studio


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> QuickArtist:
    """Draws quickly in place of the animatic's own drawing: these tests are about what happens around it."""
    one = QuickArtist()
    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", one.draw)
    return one


@pytest.fixture
def server(tmp_path: Path, artist: QuickArtist) -> Iterator[RunningServer]:
    """A preview server that can be told to misbehave."""
    with running_preview_server(tmp_path / "server", allow_misbehaviour=True) as running:
        yield running


@pytest.fixture
def studio(settings: Settings, server: RunningServer, artist: QuickArtist, tmp_path: Path) -> Studio:
    """A studio whose only server is ``server``."""
    return Studio(settings.model_copy(update={"comfyui_urls": server.url}), server, artist, tmp_path)
