"""Defends the ground under learned engines: no code of a checkpoint is run, too little memory halves a batch
and goes on, models leave by least use, an absent device is said, and nothing is imported before it is used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anime_pipeline.quality.engines.model_registry import ModelRegistry
from anime_pipeline.quality.engines.temporal_lpips import TemporalLpips
from anime_pipeline.quality.engines.torch_runtime import DeviceError, device, in_batches, load_state
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.films import panning

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("on_the_cpu")


class Malice:
    """What unpickles to a call."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, ("raise SystemExit",))


def test_no_pickled_code_is_run(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"weight": torch.zeros(2), "more": Malice()}, path)
    with pytest.raises(Exception, match="Weights only load failed"):
        load_state(path)


def test_a_trainers_command_line_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    torch.save({"model_state_dict": {"weight": torch.ones(2)}, "args": argparse.Namespace(lr=0.1)}, path)
    assert load_state(path)["model_state_dict"]["weight"].tolist() == [1, 1]


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    pytest.importorskip("safetensors.torch").save_file({"weight": torch.ones(2)}, str(path))
    assert load_state(path)["weight"].tolist() == [1, 1]


@given(count=st.integers(0, 40), size=st.integers(1, 50), fits=st.integers(1, 8))
def test_out_of_memory_halves_the_batch_and_goes_on(count: int, size: int, fits: int) -> None:
    def compute(part: slice) -> list[int]:
        if part.stop - part.start > fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        return list(range(part.start, part.stop))

    parts = list(in_batches(count, size, compute))
    assert [item for part in parts for item in part] == list(range(count))


def test_what_cannot_fit_and_what_is_no_lack_of_memory_are_errors() -> None:
    def too_large(part: slice) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def broken(part: slice) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(torch.OutOfMemoryError):
        list(in_batches(4, 4, too_large))
    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches(4, 4, broken))


@dataclass
class Weight:
    """A model of some size."""

    name: str
    bytes: int


def test_the_least_recently_used_model_leaves_first() -> None:
    registry = ModelRegistry(100)
    loads: list[str] = []

    def use(name: str, size: int) -> None:
        def load() -> Weight:
            loads.append(name)
            return Weight(name, size)

        assert registry.get(name, load).name == name

    for name, size in (("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40)):
        use(name, size)
    assert registry.keys == ("c", "a")
    use("large", 500)  # the one in use stays, even above the budget
    assert registry.keys == ("large",)
    assert loads == ["a", "b", "c", "large"]


def test_a_device_that_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.setenv("ANIME_DEVICE", "cuda")
    get_settings.cache_clear()
    with pytest.raises(DeviceError, match="finds only"):
        device()
    shelf.lay("st-lpips-alex", {})
    score = measure(TemporalLpips(shelf.folder, "st-lpips-alex"), panning(2))
    assert (score.state, score.remedy) == ("unavailable", "ANIME_DEVICE=auto")


def test_the_registry_imports_nothing_heavy() -> None:
    code = (
        "import sys, anime_pipeline.quality.engines.registry;"
        "heavy = {'torch', 'onnxruntime', 'insightface', 'cv2', 'scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
