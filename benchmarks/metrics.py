"""The learned metrics against the obvious loop over their reference packages, in one run, in turn.

    python benchmarks/metrics.py [--quick] [--json]

Random weights on made frames: speed does not depend on what a network has learned. Both sides are given
decoded frames. Prints medians and the ratio of each pair; the exit status is 1 where a target isn't met. It
needs the extras ``metrics`` and ``references``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lpips
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from anime_pipeline.quality.engines import weights
from anime_pipeline.quality.engines.embeddings import DINO
from anime_pipeline.quality.engines.protocol import Engine, Frames, TakeFacts
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.subject_consistency import SubjectConsistency
from anime_pipeline.quality.engines.temporal_lpips import TemporalLpips
from anime_pipeline.quality.engines.torch_runtime import device

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' references and films are not installed
from anime_pipeline_tests.quality.engines.plain_dino import dino_state, plain_dino
from anime_pipeline_tests.quality.films import panning


@dataclass(frozen=True)
class Race:
    """Two ways to the same value."""

    name: str
    target: float
    ours: Callable[[], float]
    other: Callable[[], float]


def main() -> int:
    """Run the races and print them; 1 where a target isn't met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer frames, two turns")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        results = {race.name: run(race, 2 if asked.quick else 7) for race in races(Path(folder), asked.quick)}
    if asked.json:
        print(json.dumps(results))
    else:
        Console().print(table(results))
    return 0 if all(result["met"] for result in results.values()) else 1


def races(models_dir: Path, quick: bool) -> list[Race]:
    """The races on this machine's device."""
    network = lay_weights(models_dir)
    found = []
    for width, height, frames, target in ((512, 288, 16, 2.0), (1280, 720, 5, 1.6)):
        film = panning(frames if quick else 5 * frames, height, width, 3)
        name = f"temporal LPIPS, {width}×{height}, {len(film)} frames, {device()}"
        target = 5.0 if device() == "cuda" else target
        found.append(
            Race(
                name,
                target,
                engine_on(TemporalLpips(models_dir, "lpips-alex"), film),
                pairs_of(network, film),
            )
        )
    film = panning(4 if quick else 24, 720, 1280, 3)
    name = f"subject consistency, 1280×720, {len(film)} frames, {device()}"
    found.append(Race(name, 1.6, engine_on(SubjectConsistency(models_dir), film), frames_of(film)))
    return found


def lay_weights(models_dir: Path) -> Any:
    """Lay random weights where the published ones would lie; the package's network with the same."""
    torch.manual_seed(0)
    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).to(device())
    trunk = {f"features.{name.split('.', 1)[1]}": value for name, value in network.net.state_dict().items()}
    heads = {name: value for name, value in network.state_dict().items() if name.startswith("lin")}
    contents = {"lpips-alex": (trunk, heads), "dino-vit-b-16": (dino_state(768, 12),)}
    weights.CATALOGUE = tuple(
        dataclasses.replace(
            entry, files=tuple(dataclasses.replace(file, sha256=None) for file in entry.files)
        )
        for entry in weights.CATALOGUE
    )
    hashes = {}
    for name, states in contents.items():
        for path, state in zip(weights.locate(name, models_dir), states, strict=True):
            path.parent.mkdir(exist_ok=True)
            torch.save(state, path)
            hashes[str(path.relative_to(models_dir))] = weights.file_sha256(path)
    (models_dir / weights.MANIFEST).write_text(json.dumps({"files": hashes}))
    return network


def engine_on(engine: Engine, film: Frames) -> Callable[[], float]:
    """Ours: the engine as the product runs it, chunk by chunk."""

    def measure() -> float:
        stream = EngineStream([engine], TakeFacts("video"))
        for frame in film:
            stream.add(frame)
        value = stream.finish()[engine.metric].value
        assert value is not None
        return value

    return measure


def pairs_of(network: Any, film: Frames) -> Callable[[], float]:
    """The package's loop over pairs; each frame is made a tensor once."""

    def measure() -> float:
        total, before = 0.0, None
        with torch.no_grad():
            for frame in film:
                after = lpips.im2tensor(frame).to(device())
                if before is not None:
                    total += network(before, after).item()
                before = after
        return total / (len(film) - 1)

    return measure


def frames_of(film: Frames) -> Callable[[], float]:
    """VBench's loop: DINO called frame by frame, each compared with the one before it and the first."""
    state = {name: value.to(device()) for name, value in dino_state(768, 12).items()}

    def measure() -> float:
        total, features = 0.0, []
        with torch.no_grad():
            for frame in film:
                picture = DINO.prepare(frame[None], device())
                features.append(torch.nn.functional.normalize(plain_dino(state, picture, heads=12), dim=-1))
                if len(features) > 1:
                    likeness = [torch.cosine_similarity(features[-1], features[at]).item() for at in (-2, 0)]
                    total += sum(max(0.0, value) for value in likeness) / 2
        return total / (len(film) - 1)

    return measure


def run(race: Race, turns: int) -> dict[str, Any]:
    """Both sides in turn, after each has run once and their values were found equal."""
    ours, other = race.ours(), race.other()
    if not np.isclose(ours, other, rtol=0, atol=1e-4):
        sys.exit(f"{race.name}: the values differ, {ours} and {other}")
    seconds: dict[str, list[float]] = {"ours": [], "other": []}
    for _ in range(turns):
        for side, measure in (("other", race.other), ("ours", race.ours)):
            began = time.perf_counter()
            measure()
            seconds[side].append(time.perf_counter() - began)
    medians = {side: round(statistics.median(values), 4) for side, values in seconds.items()}
    ratio = round(medians["other"] / medians["ours"], 2)
    return {**medians, "ratio": ratio, "target": race.target, "met": ratio >= race.target}


def table(results: dict[str, dict[str, Any]]) -> Table:
    """The results for people."""
    drawn = Table("race", "ours, s", "reference, s", "times faster", "target", "met")
    for name, result in results.items():
        drawn.add_row(
            name,
            *(str(result[key]) for key in ("ours", "other", "ratio", "target")),
            "yes" if result["met"] else "no",
        )
    return drawn


if __name__ == "__main__":
    sys.exit(main())
