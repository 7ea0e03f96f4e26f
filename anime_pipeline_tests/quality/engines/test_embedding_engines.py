"""Defends the engines that look at embeddings: LAION's published values, its layers collapsed; a style on the
scale of its own references; VBench's subject consistency; and features computed once for all who share them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.quality.engines import embeddings
from anime_pipeline.quality.engines.aesthetic import Aesthetic, head_from
from anime_pipeline.quality.engines.embeddings import CLIP, DINO, Embedder
from anime_pipeline.quality.engines.protocol import Engine, TakeFacts
from anime_pipeline.quality.engines.registry import resolve
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.style_adherence import StyleAdherence
from anime_pipeline.quality.engines.style_reference import (
    StyleReference,
    StyleReferenceError,
    style_reference,
)
from anime_pipeline.quality.engines.subject_consistency import (
    SubjectConsistency,
    consistency,
    long_consistency,
)
from anime_pipeline.quality.engines.torch_runtime import load_state
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.engines.plain_dino import dino_state, plain_dino
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.films import held, panning

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("on_the_cpu")

LAION = Path(__file__).parents[4] / "shared/testdata/laion"
PUBLISHED = (-2.458, -0.138, 1.895, 3.585, 5.100, 6.470, 7.787, 9.048, 10.226, 11.304)
VIDEO = TakeFacts("video", fps=8.0)


@pytest.mark.skipif(not LAION.is_dir(), reason="LAION's test vectors are not here")
def test_the_first_predictor_gives_its_published_values() -> None:
    head = head_from(load_state(LAION / "sa_0_4_vit_l_14_linear.pth"))
    vectors = np.stack([np.load(LAION / f"l_14_{index}.npy").reshape(-1) for index in range(10)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(head.scores(vectors), PUBLISHED, atol=1e-3)


def second_predictor() -> Any:
    """The improved predictor's layers with random weights; the dropouts do nothing when it predicts."""
    torch.manual_seed(1)
    nn = torch.nn
    sizes = (768, 1024, 128, 64, 16, 1)
    linear = [nn.Linear(into, out) for into, out in pairwise(sizes)]
    layers = [linear[0], nn.Dropout(0.2), linear[1], nn.Dropout(0.2), linear[2], nn.Dropout(0.1), *linear[3:]]
    return nn.Sequential(*layers).eval()


def second_predictor_state() -> dict[str, Any]:
    """Its state dict, under the names of the published file."""
    return {f"layers.{name}": tensor for name, tensor in second_predictor().state_dict().items()}


def test_the_second_predictor_collapses_to_one_linear_function() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(5, 768), dim=1)
    with torch.no_grad():
        expected = second_predictor()(vectors).reshape(-1).numpy()
    found = head_from(second_predictor_state()).scores(vectors.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A picture's 16 × 16 mean colours stand in for CLIP; the list counts the pictures it is given."""
    counts: list[int] = []

    def embed(self: Embedder, frames: Any, models_dir: Path) -> Any:
        counts.append(len(frames))
        parts = frames.reshape(len(frames), 16, frames.shape[1] // 16, 16, frames.shape[2] // 16, 3)
        vectors = parts.mean(axis=(2, 4)).reshape(len(frames), -1).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    monkeypatch.setattr(Embedder, "embed", embed)
    monkeypatch.setattr(Embedder, "model", lambda *_: None)
    return counts


def a_style(backend: str = "clip", width: int = 768) -> StyleReference:
    """Any calibrated style."""
    return StyleReference(backend, tuple(np.eye(width)[0]), 0.0, 0.4, 0.9, "f" * 64, 0.97)


def test_features_are_computed_once_for_aesthetic_and_style(shelf: Shelf, embedded: list[int]) -> None:
    shelf.lay("laion-aesthetic-v2", second_predictor_state())
    shelf.lay("clip-vit-l-14", b"stands in")
    facts = TakeFacts("video", fps=8.0, style=a_style())
    engines: list[Engine] = [Aesthetic(shelf.folder), StyleAdherence(shelf.folder, "clip")]
    stream = EngineStream(engines, facts)
    film = panning(40, 64, 64, 1, 0)
    for frame in film:
        stream.add(frame)
    scores = stream.finish()
    assert {score.state for score in scores.values()} == {"measured"}
    assert sum(embedded) == 20  # four looks a second, at eight frames a second
    assert [at for at, value in enumerate(scores["aesthetic"].per_frame) if value is not None] == list(
        range(0, 40, 2)
    )
    head = head_from(second_predictor_state())
    expected = head.scores(CLIP.embed(film[::2], shelf.folder)).mean()
    assert scores["aesthetic"].value == pytest.approx(expected)
    assert scores["style_adherence"].details["calibration"] == {
        "references_sha256": "f" * 64,
        "auc": 0.97,
        "separates": True,
    }


def test_vbenchs_mode_looks_at_every_frame_by_the_first_predictor(
    shelf: Shelf, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"weight": torch.randn(1, 768), "bias": torch.randn(1)}
    shelf.lay("laion-aesthetic-v1", head)
    shelf.lay("clip-vit-l-14", b"stands in")
    monkeypatch.setenv("ANIME_AESTHETIC_BACKEND", "laion-v1")
    get_settings.cache_clear()
    (engine,) = resolve(["aesthetic"], VIDEO, shelf.folder).engines
    film = panning(9, 64, 64, 1, 0)
    score = measure(engine, film, VIDEO)
    assert (score.provenance.backend, score.provenance.settings["prepared"]) == ("laion-v1", "vbench")
    assert sum(embedded) == len(film)
    expected = CLIP.embed(film, shelf.folder) @ head["weight"][0].numpy() + head["bias"].item()
    assert score.value == pytest.approx(expected.mean(), abs=1e-5)


def test_a_style_needs_its_own_calibration(shelf: Shelf, embedded: list[int]) -> None:
    shelf.lay("clip-vit-l-14", b"stands in")
    engine = StyleAdherence(shelf.folder, "clip")
    assert "no calibration" in (measure(engine, panning(2), VIDEO).reason or "")
    other = TakeFacts("video", style=a_style("csd"))
    assert "it was made with csd" in (measure(engine, panning(2), other).reason or "")
    unfetched = StyleAdherence(shelf.folder / "none", "clip")
    assert (
        measure(unfetched, panning(2), TakeFacts("video", style=a_style())).state == "measured"
    )  # model stands in


unit_vectors: Callable[[int, int, float], Any] = lambda count, seed, spread: (  # noqa: E731
    lambda vectors: (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
)(np.eye(24)[seed % 2] + spread * np.random.default_rng(seed).normal(size=(count, 24)))


@given(st.integers(0, 200).map(lambda half: half * 2))
def test_the_references_themselves_adhere(seed: int) -> None:
    approved, others = unit_vectors(12, seed, 0.05), unit_vectors(9, seed + 1, 0.05)
    style = style_reference("clip", approved, others, "f" * 64)
    assert style.adherence(style.low) == pytest.approx(0.50)
    assert style.adherence(style.approved) == pytest.approx(0.85)
    assert style.adherence(style.best) == style.adherence(style.best + 0.1) == 1.0
    assert 0.0 <= style.adherence(-1.0) < 0.50
    assert style.calibration.separates
    values = [style.adherence(cosine) for cosine in np.linspace(-1, 1, 50)]
    assert values == sorted(values)
    near = [style.adherence(float(cosine)) for cosine in style.cosines(approved)]
    assert np.mean(np.array(near) >= 0.85) >= 0.9
    assert all(style.adherence(float(cosine)) < 0.85 for cosine in style.cosines(others))


def test_a_style_that_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(StyleReferenceError, match="cannot be told"):
        style_reference("clip", unit_vectors(5, 0, 1.0), unit_vectors(5, 0, 0.01), "")
    one = np.repeat(unit_vectors(1, 0, 0.1), 4, axis=0)
    with pytest.raises(StyleReferenceError, match="clip sees the approved pictures as one and the same"):
        style_reference("clip", one, unit_vectors(5, 1, 0.1), "")
    with pytest.raises(StyleReferenceError, match="3 approved"):
        style_reference("clip", unit_vectors(2, 0, 0.1), unit_vectors(5, 1, 0.1), "")


def plain_consistency(features: Any) -> float:
    """VBench's loop over the frames of one film, as published."""
    functional = torch.nn.functional
    total = 0.0
    for i in range(1, len(features)):
        image, former, first = (torch.tensor(features[j])[None] for j in (i, i - 1, 0))
        before = max(0.0, functional.cosine_similarity(former, image).item())
        start = max(0.0, functional.cosine_similarity(first, image).item())
        total += (before + start) / 2
    return total / (len(features) - 1)


@given(st.integers(2, 9), st.integers(1, 3), st.integers(0, 99))
def test_consistency_is_vbenchs(count: int, times: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    vectors = np.repeat(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), times, axis=0)
    assert np.mean(consistency(vectors)) == pytest.approx(plain_consistency(vectors), abs=1e-6)


def test_a_long_film_is_also_taken_in_clips() -> None:
    vectors = np.random.default_rng(0).normal(size=(11, 16)).astype(np.float32) + 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    long = long_consistency(vectors, 4)
    assert long["clip_starts"] == [0, 4, 7]
    clips = [plain_consistency(vectors[start : start + 4]) for start in (0, 4, 7)]
    assert long["within_clips"] == pytest.approx(np.mean(clips), abs=1e-6)
    assert long["between_clips"] == pytest.approx(plain_consistency(vectors[[0, 4, 7]]), abs=1e-6)


def test_two_pictures_that_stay_for_seconds_are_one_clip_and_no_number_that_is_none(
    shelf: Shelf, embedded: list[int]
) -> None:
    shelf.lay("dino-vit-b-16", b"stands in")
    facts = TakeFacts("video", fps=24.0, file_fps=0.4)  # an animated picture of two long frames
    long = measure(SubjectConsistency(shelf.folder), panning(2, 32, 32), facts).details["long"]
    assert isinstance(long, dict)
    assert (long["clip_starts"], long["between_clips"]) == ([0], None)


@pytest.mark.parametrize(("frames", "starts"), [(39, None), (40, [0, 16, 24]), (48, [0, 16, 32])])
def test_five_seconds_and_more_are_a_long_film(
    shelf: Shelf, embedded: list[int], frames: int, starts: list[int] | None
) -> None:
    shelf.lay("dino-vit-b-16", b"stands in")
    score = measure(SubjectConsistency(shelf.folder), panning(frames, 32, 32), VIDEO, chunk=8)
    long = score.details.get("long")
    assert (long["clip_starts"] if isinstance(long, dict) else None) == starts


@pytest.mark.parametrize(("chunk", "times"), [(1, 1), (4, 1), (4, 2)])
def test_subject_consistency_from_frames_to_score(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, chunk: int, times: int
) -> None:
    state = dino_state()
    shelf.lay("dino-vit-b-16", state)
    monkeypatch.setattr(
        embeddings,
        "dino_tower",
        lambda state, device: embeddings.VisionTransformer(dict(small_tower(state)), 1e-6, False, 16),
    )
    film = held(panning(5, 90, 160, 6, 1), times)[:5]
    score = measure(SubjectConsistency(shelf.folder), film, VIDEO, chunk=chunk)
    pictures = DINO.prepare(film, "cpu")
    features = torch.cat([plain_dino(state, picture[None], heads=4) for picture in pictures]).numpy()
    assert score.value == pytest.approx(plain_consistency(features), abs=1e-5)
    assert len(score.per_frame) == 5
    assert score.provenance.weights_sha256


def small_tower(state: dict[str, Any]) -> Any:
    """The state of a small DINO under our names."""
    from anime_pipeline.quality.engines.vision_transformer import dino_tower

    return dino_tower(state, "cpu", head_width=16).state


def test_one_frame_has_no_consistency(shelf: Shelf, embedded: list[int]) -> None:
    shelf.lay("dino-vit-b-16", b"stands in")
    assert measure(SubjectConsistency(shelf.folder), panning(1, 64, 64), VIDEO).state == "not_measurable"
    assert measure(
        SubjectConsistency(shelf.folder), held(panning(1, 64, 64), 3), VIDEO
    ).value == pytest.approx(1.0)


def test_absent_weights_make_them_unavailable(tmp_path: Path) -> None:
    facts = TakeFacts("video", style=a_style())
    engines: tuple[Engine, ...] = (
        Aesthetic(tmp_path),
        StyleAdherence(tmp_path, "clip"),
        SubjectConsistency(tmp_path),
    )
    for engine in engines:
        score = measure(engine, panning(2), facts)
        assert score.state == "unavailable"
        assert "is not there" in (score.reason or "")
        assert (score.remedy or "").startswith("anime-pipeline models fetch ")
