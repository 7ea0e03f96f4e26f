"""Defends motion_smoothness by AMT-S: VBench's loop for any film, whatever network the user's checkout has;
the checkout alone is imported, its checkpoint gives tensors only, and what is absent or broken is said.

AMT's licence keeps it out of here. A stand-in of the same call convention takes its place.
"""

from __future__ import annotations

import json
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from anime_pipeline.cli import app
from anime_pipeline.quality.engines.motion_smoothness import AmtMotionSmoothness
from anime_pipeline.quality.engines.protocol import Score, TakeFacts
from anime_pipeline.quality.engines.registry import resolve
from anime_pipeline.quality.engines.weights import WeightsError, verify
from anime_pipeline.quality.engines.weights_fetching import fetch
from anime_pipeline.settings import get_settings
from anime_pipeline_tests.quality.engines.measuring import VIDEO, measure
from anime_pipeline_tests.quality.engines.test_torch_runtime import Malice
from anime_pipeline_tests.quality.films import Film, held, panning

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("on_the_cpu")

NETWORK = """
import torch
from networks.blocks.raft import joined
from networks.blocks.multi_flow import FLOWS
from utils.flow_utils import squashed


class Model(torch.nn.Module):
    def __init__(self, corr_radius, corr_lvls, num_flows):
        super().__init__()
        assert (corr_radius, corr_lvls, num_flows) == (3, 4, FLOWS)
        self.mix = torch.nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, img0, img1, embt, scale_factor=1.0, eval=False, **kwargs):
        assert scale_factor == 1 and eval and not self.training and embt.shape == (1, 1, 1, 1)
        assert img0.shape[-2] % 16 == 0 and img0.shape[-1] % 16 == 0, "AMT fails on other sizes"
        return {"imgt_pred": squashed(self.mix(joined(img0, img1)) + (embt - 0.5))}
"""
FILES = {
    "networks/__init__.py": "",
    "networks/AMT-S.py": NETWORK,
    "networks/blocks/__init__.py": "",
    "networks/blocks/raft.py": "import torch\njoined = lambda one, other: torch.cat([one, other], 1)\n",
    "networks/blocks/feat_enc.py": "",
    "networks/blocks/ifrnet.py": "",
    "networks/blocks/multi_flow.py": "FLOWS = 3\n",
    "utils/__init__.py": "",
    "utils/flow_utils.py": "squashed = lambda picture: picture.sigmoid()\n",
}
State = dict[str, Any]

films = st.builds(
    lambda frames, times, height, width, seed: held(panning(frames, height, width, 2, seed), times)[:frames],
    frames=st.integers(3, 10), times=st.integers(1, 3), height=st.integers(15, 34), width=st.integers(15, 34),
    seed=st.integers(0, 9),
)  # fmt: skip


def lay_checkout(folder: Path) -> State:
    """A checkout with the stand-in and a checkpoint as AMT's trainer writes it; the checkpoint's tensors."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    torch.manual_seed(3)
    state = {"mix.weight": torch.randn(3, 6, 3, 3), "mix.bias": torch.randn(3)}
    (folder / "pretrained").mkdir()
    torch.save({"state_dict": state, "optim": {}}, folder / "pretrained/amt-s.pth")
    return state


def plain_vbench(state: State, film: Film) -> float:
    """VBench's motion smoothness over whole lists: keep every other frame, make those between, compare.

    Sides are brought to multiples of 16 by repeating edges, the smaller half before the picture; what the
    network gives is cut off to whole values.
    """
    height, width = film.shape[1:3]
    top, left = ((16 - side % 16) % 16 // 2 for side in (height, width))
    rows = np.clip(np.arange(-(-height // 16) * 16) - top, 0, height - 1)
    columns = np.clip(np.arange(-(-width // 16) * 16) - left, 0, width - 1)
    kept = [torch.tensor(frame[rows][:, columns]).permute(2, 0, 1)[None] / 255.0 for frame in film[::2]]
    differences = []
    for (before, after), dropped in zip(pairwise(kept), film[1::2], strict=False):
        made = torch.conv2d(torch.cat([before, after], 1), state["mix.weight"], state["mix.bias"], padding=1)
        picture = (made.sigmoid() * 255.0)[0].permute(1, 2, 0).numpy().astype(np.uint8)
        differences.append(
            np.mean(cv2.absdiff(picture[top : top + height, left : left + width].copy(), dropped))
        )
    return float((255.0 - np.mean(differences)) / 255.0)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's checkout, declared by the settings."""
    folder = tmp_path / "AMT"
    lay_checkout(folder)
    monkeypatch.setenv("ANIME_MOTION_BACKEND", "amt-s")
    monkeypatch.setenv("ANIME_AMT_CHECKOUT", str(folder))
    get_settings.cache_clear()
    return folder


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    """One checkout for all examples of a property."""
    folder = tmp_path_factory.mktemp("amt")
    return folder, lay_checkout(folder)


@examples(deadline=None, max_examples=30)
@given(film=films, chunk=st.integers(1, 8))
def test_it_is_vbenchs_loop(laid: tuple[Path, State], film: Film, chunk: int) -> None:
    folder, state = laid
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANIME_AMT_CHECKOUT", str(folder))
        get_settings.cache_clear()
        score = measure(AmtMotionSmoothness(Path("nowhere")), film, chunk=chunk)
    assert score.value == pytest.approx(plain_vbench(state, film), abs=1e-9)
    assert [t for t, value in enumerate(score.per_frame) if value is not None] == [
        *range(1, len(film) - 1, 2)
    ]


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_have_nothing_between_them(checkout: Path, frames: int) -> None:
    score = measure(AmtMotionSmoothness(Path("nowhere")), panning(frames))
    assert (score.state, score.reason) == ("not_measurable", "smoothness needs three frames or more")


def test_a_score_names_the_checkpoint_and_the_code_that_made_it(checkout: Path) -> None:
    engine = AmtMotionSmoothness(Path("nowhere"))
    made = [measure(engine, panning(3)).provenance]
    with (checkout / "networks/blocks/feat_enc.py").open("a") as code:
        code.write("# edited\n")
    made.append(engine.provenance(VIDEO))
    torch.save({"state_dict": {}}, checkout / "pretrained/amt-s.pth")
    made.append(engine.provenance(VIDEO))
    assert {one.backend for one in made} == {"amt-s"}
    assert all(one.weights_sha256 for one in made)
    assert len({one.weights_sha256 for one in made}) == 3


def test_the_checkout_leaves_other_modules_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = types.ModuleType("utils")
    monkeypatch.setitem(sys.modules, "utils", others)
    path = list(sys.path)
    assert measure(AmtMotionSmoothness(Path("nowhere")), panning(3)).state == "measured"
    assert sys.modules["utils"] is others
    assert [name for name in sys.modules if name.startswith(("networks", "utils."))] == []
    assert sys.path == path


def smoothness(models_dir: Path) -> Score:
    """What is measured, or what keeps it from being measured, by the declared backend."""
    resolved = resolve(["motion_smoothness"], TakeFacts("video"), models_dir)
    absent = resolved.unavailable.get("motion_smoothness")
    return absent or measure(resolved.engines[0], panning(5))


def test_optical_flow_is_used_unless_amt_is_declared(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smoothness(tmp_path).provenance.backend == "amt-s"
    monkeypatch.delenv("ANIME_MOTION_BACKEND")
    get_settings.cache_clear()
    assert smoothness(tmp_path).provenance.backend == "dis"


def test_without_a_checkout_it_is_unavailable_and_no_flow_stands_in(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "utils/flow_utils.py").unlink()
    score = smoothness(tmp_path)
    assert (score.state, score.provenance.backend) == ("unavailable", "amt-s")
    assert score.reason == f"weights are absent: {checkout / 'utils/flow_utils.py'}"
    monkeypatch.delenv("ANIME_AMT_CHECKOUT")
    get_settings.cache_clear()
    score = smoothness(tmp_path)
    assert "$ANIME_AMT_CHECKOUT/pretrained/amt-s.pth" in (score.reason or "")
    assert "git clone https://github.com/MCG-NKU/AMT" in (score.remedy or "")
    assert "models fetch" not in (score.remedy or "")


def test_a_broken_checkout_or_checkpoint_is_named(checkout: Path, tmp_path: Path) -> None:
    checkpoint = checkout / "pretrained/amt-s.pth"
    for broken in (
        {"state_dict": {}},
        {"params": {}},
        {"state_dict": {"mix.weight": torch.zeros(1), "mix.bias": Malice()}},
    ):
        torch.save(broken, checkpoint)
        score = smoothness(tmp_path)
        assert score.state == "unavailable"
        assert f"{checkpoint} is no checkpoint of AMT-S" in (score.reason or "")
    (checkout / "networks/blocks/raft.py").write_text("import no_such_package_of_amt\n")
    score = smoothness(tmp_path)
    assert score.state == "unavailable"
    assert f"{checkout} cannot be run: ModuleNotFoundError" in (score.reason or "")


def test_nothing_of_it_is_ever_fetched(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"never fetched: its licence is CC BY-NC 4\.0") as refused:
        fetch("amt-s", tmp_path, accept_licence=True)
    assert "ANIME_AMT_CHECKOUT" in (refused.value.remedy or "")
    assert {check.state for check in verify("amt-s", tmp_path)} == {"own copy"}


def test_the_commands_show_it_with_its_licence(checkout: Path) -> None:
    shown = json.loads(CliRunner().invoke(app, ["models", "list", "--json"]).stdout)
    (amt,) = [entry for entry in shown if entry["name"] == "amt-s"]
    assert amt["present"] is True
    assert amt["commercial_use"] is False
    assert "CC BY-NC 4.0" in amt["licence"]
    places = CliRunner().invoke(app, ["models", "where", "amt-s"]).stdout.splitlines()
    assert places[0] == str(checkout / "pretrained/amt-s.pth")
    assert CliRunner().invoke(app, ["models", "verify", "amt-s"]).exit_code == 0
