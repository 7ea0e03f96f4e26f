"""A client of the API on a fresh database: from this machine, without a key, unless a test says otherwise.

What begins with ``shared_`` is one for all tests of a module: for those that read, or are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

from anime_pipeline.settings import Settings
from anime_pipeline_tests.conftest import _fresh_database
from anime_pipeline_tests.preview.running import running_preview_server
from anime_pipeline_tests.rendering.conftest import artist, server, studio
from anime_pipeline_tests.rendering.studio import QuickArtist, Studio, production
from anime_pipeline_tests.web.clients import client_of
from anime_pipeline_tests.web.running import running_api

__all__ = ["artist", "server", "studio"]


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Someone on this machine, who is admin."""
    with client_of(settings) as opened:
        yield opened


@pytest.fixture
def tiny(studio: Studio) -> Studio:
    """A studio with a small production, whose takes a real preview server renders."""
    studio.import_(production())
    return studio


@pytest.fixture
def api(tiny: Studio) -> Iterator[httpx.Client]:
    """Someone on this machine who talks to the API of ``tiny`` over a socket."""
    with running_api(tiny.settings) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared_settings(
    postgres: Settings, tmp_path_factory: pytest.TempPathFactory, _entrance: None
) -> Iterator[Settings]:
    """As ``settings``."""
    folder = tmp_path_factory.mktemp("shared")
    folder.chmod(0o711)
    yield from _fresh_database(postgres, folder / "home", "TEMPLATE anime")


@pytest.fixture(scope="module")
def shared_client(shared_settings: Settings) -> Iterator[TestClient]:
    """As ``client``."""
    with client_of(shared_settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_tiny(shared_settings: Settings) -> Iterator[Studio]:
    """As ``tiny``."""
    folder, quick = shared_settings.home.parent, QuickArtist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anime_pipeline.preview.drawing.draw_shot", quick.draw)
        with running_preview_server(folder / "server") as running:
            settings = shared_settings.model_copy(update={"comfyui_urls": running.url})
            opened = Studio(settings, running, quick, folder)
            opened.import_(production())
            yield opened


@pytest.fixture(scope="module")
def shared_api(shared_tiny: Studio) -> Iterator[httpx.Client]:
    """As ``api``."""
    with (
        running_api(shared_tiny.settings) as url,
        httpx.Client(base_url=url, timeout=30, trust_env=False) as client,
    ):
        yield client
