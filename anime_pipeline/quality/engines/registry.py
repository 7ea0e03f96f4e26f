"""Which engine measures which metric here and now, or the reason why none can.

A metric has backends; which of them is used is declared, never found by trying the next one. A backend whose
engine, packages or weights are absent gives the score ``unavailable``, with the reason and what mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from anime_pipeline.quality.engines.aesthetic import Aesthetic
from anime_pipeline.quality.engines.dynamic_degree import DynamicDegree
from anime_pipeline.quality.engines.face_similarity import FaceSimilarity
from anime_pipeline.quality.engines.generation_seconds import GenerationSeconds
from anime_pipeline.quality.engines.loop_closure import LoopClosure
from anime_pipeline.quality.engines.lpips_backends import BACKENDS as LPIPS_BACKENDS
from anime_pipeline.quality.engines.lpips_backends import default_backend
from anime_pipeline.quality.engines.media_contract import MediaContract
from anime_pipeline.quality.engines.motion_smoothness import AmtMotionSmoothness, MotionSmoothness
from anime_pipeline.quality.engines.palette_adherence import PaletteAdherence
from anime_pipeline.quality.engines.protocol import Engine, Provenance, Score, TakeFacts
from anime_pipeline.quality.engines.shot_changes import ShotChanges
from anime_pipeline.quality.engines.style_adherence import EMBEDDERS, StyleAdherence
from anime_pipeline.quality.engines.subject_consistency import SubjectConsistency
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker
from anime_pipeline.quality.engines.temporal_lpips import TemporalLpips
from anime_pipeline.quality.engines.weights import missing_files
from anime_pipeline.quality.engines.weights import remedy as weights_remedy
from anime_pipeline.settings import get_settings


@dataclass(frozen=True)
class Backend:
    """One way to measure a metric, and what it requires.

    ``build`` makes the engine for a models folder, without loading anything yet. ``extra`` is the extra of
    this package that brings ``packages``.
    """

    name: str
    build: Callable[[Path], Engine]
    weights: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    extra: str = "metrics"


@dataclass(frozen=True)
class Metric:
    """A metric and its backends. ``choose`` names the one to use for a take; without it, it is the first."""

    name: str
    backends: tuple[Backend, ...]
    choose: Callable[[TakeFacts, Path], str] | None = None

    def backend(self, facts: TakeFacts, models_dir: Path) -> Backend:
        """The backend that is declared for a take."""
        if self.choose is None:
            return self.backends[0]
        chosen = self.choose(facts, models_dir)
        return next(backend for backend in self.backends if backend.name == chosen)


@dataclass(frozen=True)
class Resolved:
    """The engines that will measure, and the scores of the metrics that none can."""

    engines: tuple[Engine, ...]
    unavailable: Mapping[str, Score] = field(default_factory=dict)


def _free(name: str, engine: Callable[[], Engine]) -> Metric:
    return Metric(name, (Backend("built-in", lambda _: engine()),))


def _lpips(name: str, engine: Callable[[Path, str], Engine]) -> Metric:
    return Metric(name, tuple(_lpips_backend(backend, engine) for backend in LPIPS_BACKENDS), _lpips_chosen)


def _lpips_backend(backend: str, engine: Callable[[Path, str], Engine]) -> Backend:
    return Backend(backend, lambda models_dir: engine(models_dir, backend), (backend,), ("torch",))


def _lpips_chosen(facts: TakeFacts, models_dir: Path) -> str:
    chosen = get_settings().lpips_backend
    return default_backend(models_dir) if chosen == "auto" else chosen


def _aesthetic(backend: str, head: str) -> Backend:
    weights, packages = ("clip-vit-l-14", head), ("torch", "safetensors")
    return Backend(backend, lambda models_dir: Aesthetic(models_dir, backend), weights, packages)


def _style(backend: str) -> Backend:
    weights, packages = (EMBEDDERS[backend].weights,), ("torch", "safetensors")
    return Backend(backend, lambda models_dir: StyleAdherence(models_dir, backend), weights, packages)


_METRICS = (
    _free("media_contract", MediaContract),
    _free("temporal_flicker", TemporalFlicker),
    Metric(
        "motion_smoothness",
        (
            Backend("dis", lambda _: MotionSmoothness()),
            Backend("amt-s", AmtMotionSmoothness, ("amt-s",), ("torch",)),
        ),
        choose=lambda *_: get_settings().motion_backend,
    ),
    _free("dynamic_degree", DynamicDegree),
    _free("palette_adherence", PaletteAdherence),
    _free("generation_seconds", GenerationSeconds),
    _free("shot_changes", ShotChanges),
    Metric(
        "face_similarity",
        (
            Backend(
                "ccip",
                lambda models_dir: FaceSimilarity(models_dir, "ccip"),
                ("ccip", "anime-face"),
                ("onnxruntime", "scipy"),
            ),
            Backend(
                "arcface",
                lambda models_dir: FaceSimilarity(models_dir, "arcface"),
                ("buffalo_l",),
                ("insightface", "onnxruntime", "scipy"),
                "arcface",
            ),
        ),
        choose=lambda facts, _: facts.identity_backend,
    ),
    Metric(
        "aesthetic",
        (_aesthetic("laion-v2", "laion-aesthetic-v2"), _aesthetic("laion-v1", "laion-aesthetic-v1")),
        choose=lambda *_: get_settings().aesthetic_backend,
    ),
    Metric(
        "style_adherence",
        (_style("csd"), _style("clip")),
        choose=lambda facts, _: facts.style.backend if facts.style else "csd",
    ),
    _lpips("temporal_lpips", TemporalLpips),
    _lpips("loop_closure", LoopClosure),
    Metric(
        "subject_consistency",
        (Backend("dino-vit-b-16", SubjectConsistency, ("dino-vit-b-16",), ("torch",)),),
    ),
)
_BY_NAME = {metric.name: metric for metric in _METRICS}

REPRODUCIBLE = "reproducible"
"""The one metric that no engine measures: a second rendering of the same recipe does."""


def metrics() -> tuple[Metric, ...]:
    """All metrics that engines measure."""
    return _METRICS


def resolve(asked: Iterable[str], facts: TakeFacts, models_dir: Path) -> Resolved:
    """The engines for the metrics asked of a take; what cannot be measured is said, never left out."""
    engines, unavailable = [], {}
    for name in dict.fromkeys(asked):
        lack = _lack(name, facts, models_dir)
        if lack is not None:
            unavailable[name] = lack
        else:
            engines.append(_built(name, _BY_NAME[name].backend(facts, models_dir).name, models_dir))
    return Resolved(tuple(engines), unavailable)


@lru_cache(maxsize=64)
def _built(metric: str, backend: str, models_dir: Path) -> Engine:
    """One engine object per process, so that weights are loaded once."""
    return next(entry for entry in _BY_NAME[metric].backends if entry.name == backend).build(models_dir)


def _lack(name: str, facts: TakeFacts, models_dir: Path) -> Score | None:
    """The score that says what is absent; None where the metric can be measured."""
    if name == REPRODUCIBLE:
        reason = "no second rendering of this take's recipe was compared with it"
        return Score(name, "unavailable", Provenance("reproduction", "0"), reason=reason)
    if name not in _BY_NAME:
        reason = f"this version knows no metric called {name}"
        return Score(name, "unavailable", Provenance("none", "0"), reason=reason)
    return absence(name, _BY_NAME[name].backend(facts, models_dir).name, models_dir)


def absence(name: str, backend_name: str, models_dir: Path) -> Score | None:
    """What a metric's backend lacks here, as an unavailable score; None where it can be used."""
    backend = next(entry for entry in _BY_NAME[name].backends if entry.name == backend_name)
    absent = _absent_weights(backend, models_dir)
    fetching = " && ".join(weights_remedy(weights) for weights in absent)
    if packages := [package for package in backend.packages if find_spec(package) is None]:
        named = (
            f"the package {packages[0]} is"
            if len(packages) == 1
            else f"the packages {', '.join(packages)} are"
        )
        reason = f"{named} not installed"
        remedy = f"pip install -e '.[{backend.extra}]'" + (f" && {fetching}" if fetching else "")
    elif absent:
        files = ", ".join(str(path) for paths in absent.values() for path in paths)
        reason, remedy = f"weights are absent: {files}", fetching
    else:
        return None
    return Score(name, "unavailable", Provenance(backend.name, "0"), reason=reason, remedy=remedy)


def _absent_weights(backend: Backend, models_dir: Path) -> dict[str, tuple[Path, ...]]:
    files = {weights: missing_files(weights, models_dir) for weights in backend.weights}
    return {weights: paths for weights, paths in files.items() if paths}
