"""Random weights, two threads, the CPU: a learned engine's test is the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anime_pipeline.quality.engines.model_registry import models
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines.random_weights import Shelf


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyTorch on the CPU with two threads; no model is left loaded."""
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("ANIME_DEVICE", "cpu")
    get_settings.cache_clear()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
    get_settings.cache_clear()
    models.cache_clear()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty models folder for random weights."""
    return Shelf(tmp_path / "models", monkeypatch)
