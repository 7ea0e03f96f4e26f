"""A client of the API on a fresh database: from this machine, without a key, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

from anime_pipeline.settings import Settings
from anime_pipeline_tests.rendering.conftest import artist, server, studio
from anime_pipeline_tests.rendering.studio import Studio, production
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
