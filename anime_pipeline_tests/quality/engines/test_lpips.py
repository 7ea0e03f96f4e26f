"""Defends LPIPS: equal to the package ``lpips`` with the same weights, and to what shift-tolerant LPIPS
published; every frame seen once however the stream is cut; and wrong weights are refused by name.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anime_pipeline.quality.engines import lpips_backends, weights
from anime_pipeline.quality.engines.loop_closure import LoopClosure
from anime_pipeline.quality.engines.lpips_network import ALEX, SQUEEZE, VGG, LpipsNetwork, Trunk
from anime_pipeline.quality.engines.protocol import FrameChunk, NotMeasurableError, Score, TakeFacts
from anime_pipeline.quality.engines.st_lpips_network import ST_ALEX
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.temporal_lpips import TemporalLpips
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.films import Film, held, noisy, panning

torch = pytest.importorskip("torch")
package = pytest.importorskip("lpips")
pytestmark = [pytest.mark.usefixtures("on_the_cpu"), pytest.mark.filterwarnings("ignore")]

EXAMPLES = Path(__file__).parents[4] / "shared/testdata/lpips"
LOOP = TakeFacts("loop")


@lru_cache(maxsize=3)
def reference(net: str) -> Any:
    """The package's network with random weights; its classifier, which LPIPS drops, is left as it is."""
    torch.manual_seed(7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Linear, "reset_parameters", lambda self: None)
        patch.setattr(torch.nn.init, "normal_", lambda tensor, *_, **__: tensor)
        return package.LPIPS(net=net, pnet_rand=True, verbose=False)


def trunk_state(model: Any) -> dict[str, Any]:
    """A reference's trunk under the names of torchvision's checkpoints."""
    return {f"features.{name.split('.', 1)[1]}": tensor for name, tensor in model.net.state_dict().items()}


def head_state(model: Any) -> dict[str, Any]:
    """A reference's heads as the package's own files have them."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith("lin") and "lins" not in name
    }


def pair_loop(model: Any, film: Film) -> npt.NDArray[np.float64]:
    """LPIPS of consecutive frames, pair by pair, as the package's scripts do it."""
    with torch.no_grad():
        pictures = [package.im2tensor(frame) for frame in film]
        return np.array([model(one, two).item() for one, two in itertools.pairwise(pictures)])


@pytest.fixture
def alex(shelf: Shelf) -> tuple[Any, Path]:
    """The reference, and a models folder with its weights for ours."""
    model = reference("alex")
    shelf.lay("lpips-alex", trunk_state(model), head_state(model))
    return model, shelf.folder


@pytest.mark.parametrize(("net", "trunk"), [("alex", ALEX), ("vgg", VGG), ("squeeze", SQUEEZE)])
def test_equal_to_the_package(net: str, trunk: Trunk) -> None:
    model = reference(net)
    ours = lpips_backends.lpips_from(trunk, trunk_state(model), head_state(model))
    film = panning(3, 71, 93, 3, 1)
    film[1, :20] = 0  # all-black pixels
    for pictures in (film, film[:, : trunk.least_side], film[:, :, : trunk.least_side]):
        features = ours.features(pictures)
        distances = ours.distances([layer[:-1] for layer in features], [layer[1:] for layer in features])
        np.testing.assert_allclose(distances, pair_loop(model, pictures), rtol=0, atol=1e-6)
    for tiny in (film[:, : trunk.least_side - 1], film[:, :, : trunk.least_side - 1]):
        with pytest.raises(NotMeasurableError, match="too small for LPIPS"):
            ours.features(tiny)
        with pytest.raises(RuntimeError):
            pair_loop(model, tiny)


@pytest.mark.parametrize("chunk", [1, 2, 5, 11])
def test_temporal_lpips_is_the_mean_of_the_pair_loop(alex: tuple[Any, Path], chunk: int) -> None:
    model, folder = alex
    film = held(panning(4, 64, 96, 2, 3), 3)[:11]
    score = measure(TemporalLpips(folder, "lpips-alex"), film, chunk=chunk)
    expected = pair_loop(model, film)
    assert score.value == pytest.approx(expected.mean(), abs=1e-6)
    assert score.per_frame[0] is None
    np.testing.assert_allclose(np.array(score.per_frame[1:], dtype=float), expected, rtol=0, atol=1e-6)
    assert score.details["held_frames"] == 7
    assert score.details["mean_without_held"] == pytest.approx(expected[expected > 1e-9].mean(), abs=1e-6)
    assert score.provenance.backend == "lpips-alex"
    assert score.provenance.weights_sha256


def test_each_frame_is_seen_once_and_one_frame_is_carried(
    alex: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    features = LpipsNetwork.features

    def counting(self: LpipsNetwork, frames: Film) -> Any:
        seen.append(len(frames))
        return features(self, frames)

    monkeypatch.setattr(LpipsNetwork, "features", counting)
    monkeypatch.setattr(lpips_backends, "batch_size", lambda _: 2)
    engine = TemporalLpips(alex[1], "lpips-alex")
    accumulator: Any = engine.start(TakeFacts("video"))
    film = panning(9, 64, 64, 2, 0)
    for start in (0, 4, 8):
        accumulator.add(FrameChunk(film[start : start + 4], start))
        assert {len(layer) for layer in accumulator.carried} == {1}
    assert sum(seen) == 9
    assert max(seen) == 2


def test_a_held_drawing_is_seen_once_a_chunk(alex: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    film = held(panning(4, 64, 64, 2, 0), 3)
    expected = measure(TemporalLpips(alex[1], "lpips-alex"), film, chunk=1).per_frame
    seen: list[int] = []
    features = LpipsNetwork.features
    monkeypatch.setattr(
        LpipsNetwork, "features", lambda self, frames: (seen.append(len(frames)), features(self, frames))[1]
    )
    score = measure(TemporalLpips(alex[1], "lpips-alex"), film, chunk=5)
    assert sum(seen) == 2 + 3 + 1  # of chunks of five, five and two frames
    assert score.per_frame[0] is None
    assert score.per_frame[1:] == pytest.approx(expected[1:], abs=1e-7)


def test_what_must_hold_of_any_distance(alex: tuple[Any, Path]) -> None:
    engine = TemporalLpips(alex[1], "lpips-alex")
    film = panning(6, 64, 64, 2, 5)

    def value(film: Film) -> float:
        found = measure(engine, film).value
        assert found is not None
        return found

    assert value(np.repeat(film[:1], 4, axis=0)) == 0.0
    assert value(film[::-1].copy()) == pytest.approx(value(film), abs=1e-7)
    assert value(film) < value(noisy(film, 20, 1)) < value(noisy(film, 60, 1))


def test_a_loop_closes_as_far_as_its_ends_differ(alex: tuple[Any, Path]) -> None:
    model, folder = alex
    film = panning(6, 64, 64, 2, 5)
    score = measure(LoopClosure(folder, "lpips-alex"), film, LOOP, chunk=4)
    assert score.value == pytest.approx(pair_loop(model, film[[-1, 0]])[0], abs=1e-6)
    film[-1] = film[0]
    assert measure(LoopClosure(folder, "lpips-alex"), film, LOOP).value == 0.0
    assert measure(LoopClosure(folder, "lpips-alex"), film[:1], LOOP).state == "not_measurable"
    assert measure(LoopClosure(folder, "lpips-alex"), film).state == "not_measurable"


def test_one_frame_has_no_distance(alex: tuple[Any, Path]) -> None:
    assert measure(TemporalLpips(alex[1], "lpips-alex"), panning(1, 64, 64, 0, 0)).state == "not_measurable"


def test_a_damaged_file_is_refused_by_name(alex: tuple[Any, Path], shelf: Shelf) -> None:
    path = shelf.folder / "lpips-alex/alex.pth"
    path.write_bytes(path.read_bytes()[:-100])
    for score in both_refused(shelf.folder):
        assert "lpips-alex/alex.pth is damaged" in (score.reason or "")
        assert score.remedy == "anime-pipeline models fetch lpips-alex"


def both_refused(folder: Path) -> list[Score]:
    """The scores of both metrics where neither can be measured."""
    film = panning(3, 64, 64, 2, 0)
    scores = [
        measure(TemporalLpips(folder, "lpips-alex"), film),
        measure(LoopClosure(folder, "lpips-alex"), film, LOOP),
    ]
    assert {score.state for score in scores} == {"unavailable"}
    assert {score.provenance.weights_sha256 for score in scores} == {None}
    return scores


def test_absent_weights_make_it_unavailable(tmp_path: Path) -> None:
    for score in both_refused(tmp_path):
        assert "alexnet-owt-7be5be79.pth is not there" in (score.reason or "")


def test_the_default_is_named_and_is_alex_where_its_weights_are(
    tmp_path: Path, alex: tuple[Any, Path]
) -> None:
    assert lpips_backends.default_backend(tmp_path) == "st-lpips-alex"
    assert lpips_backends.default_backend(alex[1]) == "lpips-alex"


def published_st_lpips() -> Path:
    """The published weights, inside the installed package; that package itself is not imported."""
    try:
        found = [file for file in files("stlpips-pytorch") or () if file.name == "alex_shift_tolerant.pth"]
    except PackageNotFoundError:
        found = []
    if not found or not EXAMPLES.is_dir():
        pytest.skip("the published weights or pictures of ST-LPIPS are not here")
    return Path(str(found[0].locate()))


def test_shift_tolerant_lpips_gives_its_published_values(tmp_path: Path) -> None:
    path = tmp_path / weights.weights_named("st-lpips-alex").files[0].file
    path.parent.mkdir()
    path.symlink_to(published_st_lpips())
    pictures = {
        name: np.asarray(Image.open(EXAMPLES / f"{name}.png").convert("RGB"))
        for name in ("ex_p0", "ex_p1", "ex_ref")
    }
    for name, published in (("ex_p0", 0.7777554988861084), ("ex_p1", 0.1320217)):
        score = measure(
            TemporalLpips(tmp_path, "st-lpips-alex"), np.stack([pictures[name], pictures["ex_ref"]])
        )
        assert score.value == pytest.approx(published, abs=1e-6)
    least = ST_ALEX.least_side
    film = panning(3, least, least)
    assert measure(TemporalLpips(tmp_path, "st-lpips-alex"), film).state == "measured"
    stream = EngineStream([TemporalLpips(tmp_path, "st-lpips-alex")], LOOP)
    for frame in film[:, 1:]:
        stream.add(frame)
    score = stream.finish()["temporal_lpips"]
    assert (score.state, score.remedy) == ("not_measurable", None)
    assert f"pictures of {least}×{least - 1} are too small" in (score.reason or "")


def test_large_frames_are_shrunk_by_areas_and_small_ones_left_alone() -> None:
    film = panning(2, 90, 160, 1, 0)
    assert lpips_backends.seen(film, 256) is film
    assert lpips_backends.seen(film, None) is film
    assert lpips_backends.seen(film, 45).shape == (2, 45, 80, 3)
    np.testing.assert_allclose(
        lpips_backends.seen(film, 45)[0], film[0].reshape(45, 2, 80, 2, 3).mean(axis=(1, 3)), atol=0.51
    )
