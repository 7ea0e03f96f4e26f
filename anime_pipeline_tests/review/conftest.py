"""A studio whose takes are reviewed."""

from __future__ import annotations

from anime_pipeline_tests.rendering.conftest import artist, server, studio  # noqa: F401
