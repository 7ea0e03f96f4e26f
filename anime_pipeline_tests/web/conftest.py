"""A client of the API on a fresh database: from this machine, without a key, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from anime_pipeline.settings import Settings
from anime_pipeline_tests.web.clients import client_of


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Someone on this machine, who is admin."""
    with client_of(settings) as opened:
        yield opened
