"""The learned metrics against the obvious loop over their reference packages, in one run, in turn.

    python benchmarks/metrics.py [--quick] [--json]
    python benchmarks/metrics.py --memory 10000 [--models FOLDER]

Random weights on made frames: speed does not depend on what a network has learned. Both sides are given
decoded frames, except for the phase as a whole (not in --quick), which begins with a file, and of which is
told what share of our time its decoding takes. Prints medians and the ratio of each pair; the exit status is
1 where a target isn't met. It needs the extras ``metrics`` and ``references``.

``--memory`` races nothing: it writes a film of so many frames at 1280×720, has a process of its own measure
it with every engine that needs no weights (and, given a models folder with its weights, st-lpips-alex), and
prints the most memory that the process ever held. 2 GB is the target for 10,000 frames.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import lpips
import numpy as np
import open_clip
import torch
from open_clip.transform import image_transform
from PIL import Image
from rich.console import Console
from rich.table import Table

from anime_pipeline.media.film import FilmWriter, iter_frames
from anime_pipeline.quality.engines import opencv, weights
from anime_pipeline.quality.engines.dynamic_degree import DynamicDegree
from anime_pipeline.quality.engines.embeddings import DINO
from anime_pipeline.quality.engines.motion_smoothness import MotionSmoothness, middle_frame
from anime_pipeline.quality.engines.protocol import (
    Engine,
    FrameChunk,
    Frames,
    TakeFacts,
    sampling_step,
)
from anime_pipeline.quality.engines.registry import metrics
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.style_adherence import LOOKS_PER_SECOND, StyleAdherence
from anime_pipeline.quality.engines.style_reference import StyleReference
from anime_pipeline.quality.engines.subject_consistency import SubjectConsistency
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker
from anime_pipeline.quality.engines.temporal_lpips import TemporalLpips
from anime_pipeline.quality.engines.torch_runtime import device

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' references and films are not installed
from anime_pipeline_tests.quality.engines.plain_dino import dino_state, plain_dino
from anime_pipeline_tests.quality.films import panning

Source = Callable[[], Iterable[Frames]]
"""Frames, from the first on at each call."""

VIDEO = TakeFacts("video")


@dataclass(frozen=True)
class Race:
    """Two ways to the same value. ``film`` is the file's frames where they begin with one."""

    name: str
    target: float
    ours: Callable[[], float]
    other: Callable[[], float]
    turns: int = 7
    film: Source | None = None


@dataclass(frozen=True)
class Networks:
    """The reference packages' networks: ``lpips.LPIPS`` and open_clip's image tower."""

    lpips: Any
    clip: Any


def main() -> int:
    """Run the races and print them; 1 where a target isn't met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer frames, two turns")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--memory", type=int, metavar="FRAMES", help="the memory of a film of so many frames")
    parser.add_argument("--models", type=Path, help="with --memory: a models folder that has st-lpips-alex")
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)  # what the measuring process is told
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    if asked.film:
        print(json.dumps(held_by(asked.film, asked.memory, asked.models)))
        return 0
    if asked.memory:
        return memory(asked.memory, asked.models, asked.json)
    with tempfile.TemporaryDirectory() as folder:
        results = {
            race.name: run(race, 2 if asked.quick else race.turns)
            for race in races(Path(folder), asked.quick)
        }
    if asked.json:
        print(json.dumps(results))
    else:
        Console().print(table(results))
    return 0 if all(result["met"] for result in results.values()) else 1


def races(models_dir: Path, quick: bool) -> list[Race]:
    """The races on this machine's device."""
    networks = lay_weights(models_dir)
    found = []
    for width, height, frames, target in ((512, 288, 16, 2.0), (1280, 720, 8, 1.6)):
        film = panning(frames if quick else 5 * frames, height, width, 3)
        found.append(
            Race(
                f"temporal LPIPS, {width}×{height}, {len(film)} frames, {device()}",
                5.0 if device() == "cuda" else target,
                engines_on([TemporalLpips(models_dir, "lpips-alex")], film.__iter__),
                pairs_of(networks.lpips, film.__iter__),
            )
        )
    moving = panning(6 if quick else 24, 720, 1280, 3)
    for drawn, film in (("all moving", moving), ("drawn on threes", np.repeat(moving[::3], 3, axis=0))):
        name = f"subject consistency, 1280×720, {len(film)} frames {drawn}, {device()}"
        ours = engines_on([SubjectConsistency(models_dir)], film.__iter__)
        found.append(Race(name, 1.6, ours, frames_of(film.__iter__)))
    if not quick:
        moving = panning(120, 720, 1280, 3)
        found.append(phase_3(models_dir, networks, moving, "all moving"))
        found.append(phase_3(models_dir, networks, np.repeat(moving[::2], 2, axis=0), "drawn on twos"))
    return found


def lay_weights(models_dir: Path) -> Networks:
    """Lay random weights where the published ones would lie; the packages' networks with the same."""
    torch.manual_seed(0)
    clip = open_clip.create_model("ViT-L-14-quickgelu", pretrained=None).visual.eval().to(device())
    tower = {f"module.backbone.{name}": value for name, value in clip.state_dict().items()}
    tower["module.last_layer_style"] = tower.pop("module.backbone.proj")
    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).to(device())
    trunk = {f"features.{name.split('.', 1)[1]}": value for name, value in network.net.state_dict().items()}
    heads = {name: value for name, value in network.state_dict().items() if name.startswith("lin")}
    contents = {
        "lpips-alex": (trunk, heads),
        "dino-vit-b-16": (dino_state(768, 12),),
        "csd-vit-l": ({"model_state_dict": tower},),
    }
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
    return Networks(network, clip)


def engines_on(engines: Sequence[Engine], source: Source, facts: TakeFacts = VIDEO) -> Callable[[], float]:
    """Ours: the engines as the product runs them, chunk by chunk; the sum of their values."""

    def measure() -> float:
        stream = EngineStream(engines, facts)
        for frame in source():
            stream.add(frame)
        return sum(score.value or 0.0 for score in stream.finish().values())

    return measure


def pairs_of(network: Any, source: Source) -> Callable[[], float]:
    """The package's loop over pairs; each frame is made a tensor once."""

    def measure() -> float:
        distances, before = [], None
        with torch.no_grad():
            for frame in source():
                after = lpips.im2tensor(frame).to(device())
                if before is not None:
                    distances.append(network(before, after).item())
                before = after
        return float(np.mean(distances))

    return measure


def frames_of(source: Source) -> Callable[[], float]:
    """VBench's loop: DINO called frame by frame, each compared with the one before it and the first."""
    state = {name: value.to(device()) for name, value in dino_state(768, 12).items()}

    def measure() -> float:
        values: list[float] = []
        features: list[Any] = []
        with torch.no_grad():
            for frame in source():
                picture = DINO.prepare(frame[None], device())
                features.append(torch.nn.functional.normalize(plain_dino(state, picture, heads=12), dim=-1))
                if len(features) > 1:
                    likeness = [torch.cosine_similarity(features[-1], features[at]).item() for at in (-2, 0)]
                    values.append(sum(max(0.0, value) for value in likeness) / 2)
        return float(np.mean(values))

    return measure


def smoothness_of(source: Source) -> float:
    """VBench's motion smoothness over a list of frames, with the same optical flow as ours."""
    frames, flow = list(source()), opencv.new_flow()
    differences = []
    for t in range(1, len(frames) - 1, 2):
        around = (frames[t - 1], frames[t + 1])
        pictures = [opencv.flow_pictures(FrameChunk(frame[None], 0))[0] for frame in around]
        made = middle_frame(flow, *around, *pictures)
        differences.append(np.mean(opencv.cv2().absdiff(made, frames[t])))
    return float((255 - np.mean(differences)) / 255)


def flicker_of(source: Source) -> float:
    """VBench's temporal flickering over a list of frames."""
    differences = [np.mean(opencv.cv2().absdiff(one, two)) for one, two in pairwise(source())]
    return float((255 - np.mean(differences)) / 255)


def dynamic_degree_of(source: Source) -> float:
    """The mean flow over pairs of frames in parts of the diagonal, with the same optical flow as ours."""
    flow, lengths = opencv.new_flow(), []
    pictures = (opencv.flow_pictures(FrameChunk(frame[None], 0))[0] for frame in source())
    for before, after in pairwise(pictures):
        x, y = np.moveaxis(flow.calc(before, after, None), -1, 0)
        lengths.append(np.hypot(x, y).mean(dtype=np.float64) / math.hypot(*after.shape))
    return float(np.mean(lengths))


def style_of(tower: Any, style: StyleReference, step: int, source: Source) -> float:
    """open_clip's tower, called for one frame after another as its documentation shows."""
    prepare = image_transform(224, is_train=False)
    values = []
    with torch.no_grad():
        for frame in islice(source(), 0, None, step):
            picture = prepare(Image.fromarray(frame))[None].to(device())
            embedding = torch.nn.functional.normalize(tower(picture), dim=-1).cpu().numpy()
            values.append(style.adherence(float(style.cosines(embedding)[0])))
    return float(np.mean(values))


def phase_3(models_dir: Path, networks: Networks, film: Frames, drawn: str) -> Race:
    """The metrics of phase 3 from a film's file, but for faces: one decode, or one for each."""
    path = models_dir / f"{drawn.replace(' ', '-')}.mp4"
    with FilmWriter(path, 1280, 720, 24) as writer:
        for frame in film:
            writer.write(frame)
    rng = np.random.default_rng(0)
    prototype = rng.normal(size=768)
    style = StyleReference("csd", tuple(prototype / np.linalg.norm(prototype)), -0.5, 0.5, 0.9, "0" * 64, 1.0)
    facts = TakeFacts("video", len(film), 24.0, 1280, 720, 24.0, motion_expected=True, style=style)
    engines: list[Engine] = [
        TemporalLpips(models_dir, "lpips-alex"),
        SubjectConsistency(models_dir),
        StyleAdherence(models_dir, "csd"),
        MotionSmoothness(),
        DynamicDegree(),
        TemporalFlicker(),
    ]

    def source() -> Iterable[Frames]:
        return iter_frames(path)

    alone = (
        pairs_of(networks.lpips, source),
        frames_of(source),
        partial(style_of, networks.clip, style, sampling_step(24.0, LOOKS_PER_SECOND), source),
        partial(smoothness_of, source),
        partial(dynamic_degree_of, source),
        partial(flicker_of, source),
    )
    name = f"phase 3 from the file, 1280×720, {len(film)} frames {drawn}, {device()}"
    target = 4.0 if device() == "cuda" else 1.8
    ours = engines_on(engines, source, facts)
    return Race(name, target, ours, lambda: sum(measure() for measure in alone), 1, source)


MOST_BYTES = 2 * 1024**3


def memory(frames: int, models_dir: Path | None, as_json: bool) -> int:
    """Write a long film and have it measured in a process of its own; 1 where that held more than 2 GB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        wide = panning(1, 720, 1280 + 3 * 480)[0]
        with FilmWriter(path, 1280, 720, 24) as film:
            for t in range(frames):
                left = 3 * (t % 480)
                film.write(np.ascontiguousarray(wide[:, left : left + 1280]))
        arguments = ["--memory", str(frames), "--film", str(path)]
        arguments += ["--models", str(models_dir)] if models_dir else []
        done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    if as_json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
    return 0 if found["most_bytes"] <= MOST_BYTES else 1


def held_by(path: Path, frames: int, models_dir: Path | None) -> dict[str, Any]:
    """Measure a film, and say how much memory this process ever held."""
    palette = {"sea": "#1f6f8b", "night": "#101830", "lamp": "#f2b84b"}
    facts = TakeFacts("video", frames, 24.0, 1280, 720, 24.0, palette, motion_expected=True)
    nowhere = Path("nowhere")
    engines: list[Engine] = [
        build(nowhere)
        for metric in metrics()
        if not metric.backends[0].weights and (build := metric.backends[0].build) is not None
    ]
    if models_dir is not None:
        engines.append(TemporalLpips(models_dir, "st-lpips-alex"))
    began = time.perf_counter()
    stream = EngineStream(engines, facts)
    for frame in iter_frames(path):
        stream.add(frame)
    scores = stream.finish()
    return {
        "frames": len(scores["temporal_flicker"].per_frame),
        "engines": [engine.metric for engine in engines if scores[engine.metric].state == "measured"],
        "seconds": round(time.perf_counter() - began, 1),
        "most_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # Linux counts kilobytes
    }


def run(race: Race, turns: int) -> dict[str, Any]:
    """Both sides in turn, after each has run once and their values were found equal."""
    ours, other = race.ours(), race.other()
    if not np.isclose(ours, other, rtol=0, atol=1e-4):
        sys.exit(f"{race.name}: the values differ, {ours} and {other}")
    seconds: dict[str, list[float]] = {"ours": [], "other": []}
    for _ in range(turns):
        for side, measure in (("other", race.other), ("ours", race.ours)):
            seconds[side].append(_seconds(measure))
    medians = {side: round(statistics.median(values), 4) for side, values in seconds.items()}
    ratio = round(medians["other"] / medians["ours"], 2)
    found = {**medians, "ratio": ratio, "target": race.target, "met": ratio >= race.target}
    if race.film is not None:
        film = race.film
        found["decoding"] = round(_seconds(lambda: deque(film(), maxlen=0)) / medians["ours"], 3)
    return found


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def table(results: dict[str, dict[str, Any]]) -> Table:
    """The results for people."""
    drawn = Table("race", "ours, s", "reference, s", "times faster", "target", "met", "decoding, of ours")
    for name, result in results.items():
        drawn.add_row(
            name,
            *(str(result[key]) for key in ("ours", "other", "ratio", "target")),
            "yes" if result["met"] else "no",
            f"{result['decoding']:.1%}" if "decoding" in result else "",
        )
    return drawn


if __name__ == "__main__":
    sys.exit(main())
