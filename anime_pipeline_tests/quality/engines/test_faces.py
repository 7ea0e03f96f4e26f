"""Defends identity: each face goes to one character and the best way round, no face is never a number,
coverage decides what is measurable, and both backends load verified model files from the folder and no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.quality.engines import arcface, ccip
from anime_pipeline.quality.engines.anime_faces import AnimeFaceDetector, surest
from anime_pipeline.quality.engines.arcface import ArcFace
from anime_pipeline.quality.engines.ccip import Ccip, head_of
from anime_pipeline.quality.engines.face_assignment import assign
from anime_pipeline.quality.engines.face_similarity import FaceSimilarity, Likenesses, face_backend
from anime_pipeline.quality.engines.faces import Embeddings, Face, FaceError, only_face
from anime_pipeline.quality.engines.protocol import FrameChunk, Frames, Provenance, Score, TakeFacts
from anime_pipeline.quality.engines.torch_runtime import DeviceError
from anime_pipeline.quality.engines.weights import locate
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines import tiny_onnx
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.films import panning, pattern

pytest.importorskip("scipy")

COLOURS = {"Mika": (1.0, 0.1, 0.0), "Kon": (0.0, 0.2, 1.0), "Toru": (0.1, 1.0, 0.1)}
FACTS = TakeFacts("video", fps=4.0, figures=("Mika", "Kon"))


def unit(vector: Sequence[float]) -> npt.NDArray[np.float32]:
    """At length one."""
    return (np.asarray(vector) / np.linalg.norm(vector)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_the_assignment_is_the_best_of_all(characters: int, faces: int, seed: int) -> None:
    similarities = np.random.default_rng(seed).random((characters, faces))
    found = assign(similarities)
    assert len(set(found.values())) == len(found) == min(characters, faces)
    total = sum(similarities[character, face] for character, face in found.items())
    if characters <= faces:
        ways = itertools.permutations(range(faces), characters)
        best = max(similarities[range(characters), list(way)].sum() for way in ways)
    else:
        ways = itertools.permutations(range(characters), faces)
        best = max(similarities[list(way), range(faces)].sum() for way in ways)
    assert total == pytest.approx(best)


def test_nobody_and_nothing_are_assigned_nothing() -> None:
    assert assign(np.zeros((2, 0))) == assign(np.zeros((0, 2))) == {}


class Told:
    """A backend that finds the faces it was told of, one list a frame, and compares by cosine."""

    provider = "CPUExecutionProvider"

    def __init__(self, faces: Sequence[Sequence[Sequence[float]]]) -> None:
        self.told = iter(faces)

    def find(self, frames: Sequence[Frames]) -> list[list[Face]]:
        return [[Face((0, 0, 1, 1), 0.9, unit(vector)) for vector in next(self.told)] for _ in frames]

    def compare(self, anchors: Embeddings, faces: Embeddings) -> npt.NDArray[np.float64]:
        return (faces @ unit(anchors.mean(axis=0))).astype(np.float64)

    def similarity(self, raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return raw.clip(0, 1)


def likeness(faces: Sequence[Sequence[Sequence[float]]], names: Sequence[str] = ("Mika", "Kon")) -> Score:
    """The score of a film in which these faces are found, frame by frame."""
    backend = Told(faces)
    anchors = {name: unit(COLOURS[name])[None] for name in names}
    accumulator = Likenesses(Provenance("told", "1"), anchors, lambda: backend, 1)
    film = panning(len(faces), 16, 16)
    for start in range(0, len(film), 3):
        accumulator.add(FrameChunk(film[start : start + 3], start))
    return accumulator.finish()


def test_permuted_faces_and_characters_change_nothing() -> None:
    mika, kon = COLOURS["Mika"], (0.1, 0.3, 0.9)
    score = likeness([[mika, kon]] * 4)
    expected = float(unit(kon) @ unit(COLOURS["Kon"]))
    assert score.value == pytest.approx(expected, abs=1e-6)  # the worse of the two
    assert likeness([[kon, mika], [mika, kon]] * 2).value == pytest.approx(expected, abs=1e-6)
    assert likeness([[mika, kon]] * 4, ("Kon", "Mika")).value == pytest.approx(expected, abs=1e-6)


def test_a_stranger_beside_the_cast_is_counted_and_costs_nothing() -> None:
    score = likeness([[COLOURS["Mika"], COLOURS["Toru"], COLOURS["Kon"]]] * 2)
    assert score.value == pytest.approx(1.0, abs=1e-6)
    assert score.details["other_faces"] == 2


def test_a_face_that_is_another_persons_is_scored_low() -> None:
    score = likeness([[COLOURS["Toru"]]] * 3, ("Mika",))
    assert score.state == "measured"
    assert score.value is not None
    assert score.value < 0.3


@pytest.mark.parametrize(
    ("without", "state"), [(2, "measured"), (3, "not_measurable"), (10, "not_measurable")]
)
def test_coverage_decides(without: int, state: str) -> None:
    faces = [[COLOURS["Mika"]]] * (10 - without) + [[]] * without
    score = likeness(faces, ("Mika",))
    assert score.state == state
    assert score.details["characters"]["Mika"]["coverage"] == pytest.approx(1 - without / 10)  # type: ignore[index]
    if state == "measured":
        assert score.value == pytest.approx(1.0, abs=1e-6)
        assert score.per_frame[-1] is None
    else:
        assert "Mika was found in" in (score.reason or "")


def test_one_face_for_two_leaves_one_missing() -> None:
    score = likeness([[COLOURS["Mika"]]] * 5)
    assert score.state == "not_measurable"
    assert "Kon was found in 0 of 5 frames; 80% of them are needed" in (score.reason or "")


def test_a_cut_without_cast_or_a_character_without_pictures(tmp_path: Path) -> None:
    engine = FaceSimilarity(tmp_path, "ccip")
    assert "no character is expected" in (measure(engine, panning(2), TakeFacts("still")).reason or "")
    score = measure(engine, panning(2), FACTS)
    assert (score.state, score.remedy) == ("not_measurable", "anime-pipeline characters enroll")
    assert "no approved picture of Mika, Kon" in (score.reason or "")


def test_a_picture_to_enrol_has_one_face() -> None:
    picture = panning(1, 16, 16)[0]
    assert only_face(picture, Told([[COLOURS["Mika"]]])).confidence == 0.9
    for faces, message in (([], "no face"), ([COLOURS["Mika"], COLOURS["Kon"]], "2 faces")):
        with pytest.raises(FaceError, match=message):
            only_face(picture, Told([faces]))


@pytest.mark.parametrize("backend", ["ccip", "arcface"])
def test_absent_models_make_it_unavailable(tmp_path: Path, backend: str) -> None:
    pytest.importorskip("onnxruntime")
    anchors = {name: unit(COLOURS[name])[None] for name in FACTS.figures}
    facts = TakeFacts("video", figures=FACTS.figures, face_anchors=anchors, identity_backend=backend)
    score = measure(FaceSimilarity(tmp_path, backend), panning(2), facts)
    assert score.state == "unavailable"
    assert ".onnx is not there" in (score.reason or "")
    assert (score.remedy or "").startswith("anime-pipeline models fetch")


def lay(shelf: Shelf, backend: str) -> None:
    """Small models of a backend, which find the faces of :func:`two_colours`."""
    if backend == "arcface":
        pytest.importorskip("insightface")
        faces = [(20, 20, 0.9), (60, 20, 0.8)]  # the picture is enlarged five times, to 640 × 320
        embedder = tiny_onnx.mean_colours([112, 112], "input.1", "683")
        shelf.lay("buffalo_l", tiny_onnx.scrfd_of(faces), embedder)
    else:
        found = np.array([[32, 64, 8, 16, 0.9], [96, 64, 8, 16, 0.8]], np.float32)  # at 128 × 128
        shelf.lay("ccip", tiny_onnx.mean_colours([384, 384]), tiny_onnx.distances())
        shelf.lay("anime-face", tiny_onnx.yolo_of(found, 128))


@pytest.mark.parametrize("backend", ["ccip", "arcface"])
@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.usefixtures("on_the_cpu")
def test_a_device_that_onnxruntime_lacks_is_refused(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, backend: str, device: str
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("there is a GPU build")
    lay(shelf, backend)
    monkeypatch.setenv("ANIME_DEVICE", device)
    get_settings.cache_clear()
    anchors = {name: unit(COLOURS[name])[None] for name in FACTS.figures}
    facts = TakeFacts("video", figures=FACTS.figures, face_anchors=anchors, identity_backend=backend)
    score = measure(FaceSimilarity(shelf.folder, backend), panning(2), facts)
    assert score.state == "unavailable"
    assert f"ANIME_DEVICE is {device}, and the onnxruntime here has only " in (score.reason or "")
    assert (score.remedy or "").endswith("ANIME_DEVICE=auto")


@pytest.mark.parametrize("backend", ["ccip", "arcface"])
@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.usefixtures("on_the_cpu")
def test_a_gpu_build_that_cannot_start_cuda_is_found_out(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("there is a GPU build")
    lay(shelf, backend)
    # onnxruntime passes over a provider that does not start, with a warning, and computes by the next one.
    monkeypatch.setattr(
        runtime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setenv("ANIME_DEVICE", "cuda")
    get_settings.cache_clear()
    with pytest.raises(DeviceError, match="could not start CUDA: it fell back to CPUExecutionProvider"):
        face_backend(backend, shelf.folder)
    monkeypatch.setenv("ANIME_DEVICE", "auto")
    get_settings.cache_clear()
    assert face_backend(backend, shelf.folder).provider == "CPUExecutionProvider"


@given(st.floats(0, 1))
def test_ccips_threshold_is_the_gate_exactly(difference: float) -> None:
    similarity = Ccip.similarity(None, np.array([difference]))[0]  # type: ignore[arg-type]
    assert 0 <= similarity <= 1
    if abs(difference - ccip.THRESHOLD) > 1e-9:
        assert (similarity >= 0.70) == (difference < ccip.THRESHOLD)
    assert Ccip.similarity(None, np.array([ccip.THRESHOLD]))[0] == pytest.approx(0.70)  # type: ignore[arg-type]


def test_of_overlapping_boxes_the_surest_stays() -> None:
    candidates = np.array(
        [[50, 50, 20, 20, 0.6], [51, 50, 20, 20, 0.9], [10, 10, 30, 30, 0.5], [80, 80, 9, 9, 0.2]], np.float32
    )
    boxes = surest(candidates, (75, 100), (150, 100))
    np.testing.assert_allclose(boxes, [[82, 40, 122, 60, 0.9], [0, 0, 50, 25, 0.5]], atol=1e-6)
    assert surest(candidates[3:], (100, 100), (100, 100)).shape == (0, 5)


def test_a_head_stays_inside_its_picture() -> None:
    picture = panning(1, 60, 80)[0]
    assert head_of(picture, np.array([30.0, 20, 50, 40])).shape == (40, 40, 3)
    assert head_of(picture, np.array([0.0, 0, 20, 20])).shape == (30, 30, 3)
    for x, y in ((0.0, 0.0), (40, 30), (80, 60)):  # a box that was rounded away
        assert head_of(picture, np.array([x, y, x, y])).shape == (1, 1, 3)


def two_colours() -> Frames:
    """A picture with Mika's colour on the left and Kon's on the right."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :64] = np.asarray(COLOURS["Mika"]) * 255
    picture[:, 64:] = np.asarray(COLOURS["Kon"]) * 255
    return picture


def test_ccip_from_files_to_score(shelf: Shelf) -> None:
    pytest.importorskip("onnxruntime")
    lay(shelf, "ccip")
    backend = ccip.load(shelf.folder)
    found = backend.find([two_colours()])[0]
    assert [face.box for face in found] == [(28, 28, 36, 36), (92, 28, 100, 36)]
    anchors = {name: face.embedding[None] for name, face in zip(("Mika", "Kon"), found, strict=True)}
    facts = TakeFacts("video", fps=4.0, figures=("Kon", "Mika"), face_anchors=anchors)
    film = np.repeat(two_colours()[None], 4, axis=0)
    score = measure(FaceSimilarity(shelf.folder, "ccip"), film, facts)
    assert score.value == pytest.approx(1.0)
    assert score.details["provider"] == "CPUExecutionProvider"
    swapped = {"Mika": anchors["Kon"] + 0.1, "Kon": anchors["Mika"] + 0.1}
    facts = TakeFacts("video", fps=4.0, figures=("Kon", "Mika"), face_anchors=swapped)
    score = measure(FaceSimilarity(shelf.folder, "ccip"), film, facts)
    assert score.value == pytest.approx(1 - 0.3 * 0.1 / ccip.THRESHOLD, abs=1e-5)
    assert score.details["characters"]["Mika"]["raw"] == pytest.approx(0.1, abs=1e-6)  # type: ignore[index]


@dataclass
class SmallMemory:
    """A session of onnxruntime on a card that holds so many pictures; it gives each picture's mean colour."""

    holds: int

    def run(self, _: list[str], inputs: dict[str, npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        if len(inputs["input"]) > self.holds:
            raise Exception("Failed to allocate memory for requested buffer of size 9663676416")
        return [inputs["input"].mean(axis=(2, 3))]


def test_heads_that_do_not_fit_the_memory_are_embedded_a_few_at_a_time() -> None:
    pictures = [pattern(24, 20 + seed, seed) for seed in range(40)]
    plenty, little = (Ccip(AnimeFaceDetector(None), SmallMemory(holds), None, 0) for holds in (16, 3))
    np.testing.assert_array_equal(little.embed(pictures), plenty.embed(pictures))
    with pytest.raises(Exception, match="Failed to allocate"):
        Ccip(AnimeFaceDetector(None), SmallMemory(0), None, 0).embed(pictures)


def test_arcface_from_a_local_folder_to_score(shelf: Shelf) -> None:
    lay(shelf, "arcface")
    folder = locate("buffalo_l", shelf.folder)[0].parent
    (folder / "unasked.onnx").write_bytes(b"not a model")  # FaceAnalysis would open it
    backend = arcface.load(shelf.folder)
    assert isinstance(backend, ArcFace)
    found = backend.find([two_colours(), two_colours()])
    assert [len(of_frame) for of_frame in found] == [2, 2]
    left, right = found[0]
    assert left.box == pytest.approx((25.6, 25.6, 38.4, 38.4))
    assert len(left.landmarks) == 5
    assert float(np.linalg.norm(left.embedding)) == pytest.approx(1)
    plain = backend.analysis.get(np.ascontiguousarray(two_colours()[..., ::-1]))
    for face, reference in zip(found[0], plain, strict=True):
        np.testing.assert_allclose(face.embedding, reference.normed_embedding, atol=1e-6)
    anchors = {"Mika": left.embedding[None], "Kon": right.embedding[None]}
    facts = TakeFacts(
        "video", fps=4.0, figures=("Kon", "Mika"), face_anchors=anchors, identity_backend="arcface"
    )
    score = measure(FaceSimilarity(shelf.folder, "arcface"), np.repeat(two_colours()[None], 3, axis=0), facts)
    assert score.value == pytest.approx(1.0, abs=1e-6)
