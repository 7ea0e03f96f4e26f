"""Clients of the API: from this machine or elsewhere, with a key or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi.testclient import TestClient

from anime_pipeline.database.api_keys import create_key
from anime_pipeline.database.session import session_scope
from anime_pipeline.settings import Settings
from anime_pipeline.web.app import create_app


@contextmanager
def client_of(settings: Settings, address: str = "127.0.0.1", key: str | None = None) -> Iterator[TestClient]:
    """A client of an application of its own; ``address`` is where it calls from."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    app = create_app(settings)
    with TestClient(app, base_url="http://localhost", client=(address, 50_000), headers=headers) as client:
        yield client


def key_for(settings: Settings, role: str, name: str | None = None) -> str:
    """A new key of a role."""
    with session_scope(settings) as session:
        return create_key(session, name or f"the {role}", role)[1]
