"""Defends honesty about what cannot be measured: every metric is measured or says which file, package or code
is missing and what mends it; no backend is swapped for another in silence.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from anime_pipeline.quality.engines import registry
from anime_pipeline.quality.engines.protocol import TakeFacts
from anime_pipeline.quality.engines.registry import Backend, Metric, metrics, resolve
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker
from anime_pipeline.quality.engines.weights import weights_named

STILL = TakeFacts("still", identity_backend="ccip")
FREE = {
    "media_contract", "temporal_flicker", "motion_smoothness", "dynamic_degree", "palette_adherence",
    "generation_seconds",
}  # fmt: skip


def declare(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    """Make ``toy`` a metric with one backend."""
    monkeypatch.setitem(registry._BY_NAME, "toy", Metric("toy", (backend,)))


def test_every_metric_is_measured_or_says_why_not(tmp_path: Path) -> None:
    asked = {metric.name for metric in metrics()} | {"reproducible", "unheard_of"}
    resolved = resolve(asked, STILL, tmp_path)
    found = {engine.metric for engine in resolved.engines}
    assert found >= FREE
    assert found | set(resolved.unavailable) == asked
    assert not found & set(resolved.unavailable)
    assert all(score.reason and score.value is None for score in resolved.unavailable.values())


def test_every_backend_requires_weights_that_the_catalogue_has() -> None:
    for metric in metrics():
        for backend in metric.backends:
            assert [weights_named(name).name for name in backend.weights] == list(backend.weights)


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declare(monkeypatch, Backend("toy", lambda _: TemporalFlicker(), packages=("no_such_package",)))
    assert "no_such_package is not installed" in (
        resolve(["toy"], STILL, tmp_path).unavailable["toy"].reason or ""
    )


def test_absent_weights_are_named_with_their_path_and_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    declare(monkeypatch, Backend("toy", lambda _: TemporalFlicker(), ("dino-vit-b-16",)))
    score = resolve(["toy"], STILL, tmp_path).unavailable["toy"]
    assert str(tmp_path / "dino-vit-b-16/dino_vitbase16_pretrain.pth") in (score.reason or "")
    assert score.remedy == "anime-pipeline models fetch dino-vit-b-16"
    weights = tmp_path / "dino-vit-b-16/dino_vitbase16_pretrain.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"")
    assert "toy" not in resolve(["toy"], STILL, tmp_path).unavailable


def test_identity_is_measured_by_the_backend_that_the_project_declares(tmp_path: Path) -> None:
    for backend in ("arcface", "ccip"):
        facts = TakeFacts("still", identity_backend=backend)
        metric = next(metric for metric in metrics() if metric.name == "face_similarity")
        assert metric.backend(facts, tmp_path).name == backend


def test_the_free_engines_need_no_weights(tmp_path: Path) -> None:
    assert all(not engine.weights for engine in resolve(FREE, STILL, tmp_path).engines)
