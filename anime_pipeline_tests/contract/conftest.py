"""The target of the suite: ``ANIME_COMFYUI_URL`` where it is set, else a preview server per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from anime_pipeline.rendering.progress import ProgressListener
from anime_pipeline_tests.contract.target import Target
from anime_pipeline_tests.preview.running import running_preview_server


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """A server; parametrize it indirectly with options of PreviewServer, which skips the test elsewhere."""
    options = getattr(request, "param", None)
    url = os.environ.get("ANIME_COMFYUI_URL", "").rstrip("/")
    if url and options:
        pytest.skip("a real server is as it is")
    with ExitStack() as stack:
        preview = None
        if not url:
            preview = stack.enter_context(
                running_preview_server(tmp_path / "server", allow_misbehaviour=True, **(options or {}))
            )
            url = preview.url
        client_id = uuid.uuid4().hex
        listener = stack.enter_context(ProgressListener(url, client_id))
        yield Target(url, preview, listener, client_id)
