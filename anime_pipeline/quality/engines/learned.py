"""What the learned engines share: provenance by weights, and saying why a take cannot be measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anime_pipeline.errors import UserError
from anime_pipeline.quality.engines.protocol import Accumulator, FrameChunk, Provenance, Score
from anime_pipeline.quality.engines.weights import WeightsError, weights_sha256


def learned_provenance(
    backend: str, version: str, weights: tuple[str, ...], models_dir: Path, settings: Mapping[str, object]
) -> Provenance:
    """A provenance with the hash of the weights as they lie; None for weights that are absent or refused."""
    try:
        sha256 = weights_sha256(weights, models_dir)
    except WeightsError:
        sha256 = None
    return Provenance(backend, version, sha256, settings)


@dataclass
class Verdictless:
    """The accumulator of a take that is not measured: it looks at nothing and hands out its score."""

    score: Score

    def add(self, chunk: FrameChunk) -> None:
        """Look away."""

    def finish(self) -> Score:
        """The score that says why."""
        return self.score


def begin(metric: str, provenance: Provenance, load: Callable[[], Accumulator]) -> Accumulator:
    """``load()``, or an accumulator that says what is absent where weights, packages or devices are."""
    try:
        return load()
    except UserError as error:
        reason, remedy = str(error), error.remedy
    except ImportError as error:
        reason = f"the package {error.name or error} is not installed"
        remedy = "pip install -e '.[metrics]'"
    return Verdictless(Score(metric, "unavailable", provenance, reason=reason, remedy=remedy))


def unmeasurable(metric: str, provenance: Provenance, reason: str, remedy: str | None = None) -> Accumulator:
    """An accumulator for a take that this metric says nothing about, known from its facts alone."""
    return Verdictless(Score(metric, "not_measurable", provenance, reason=reason, remedy=remedy))


def sampled_score(
    metric: str,
    provenance: Provenance,
    values: Mapping[int, float],
    count: int,
    details: Mapping[str, object],
) -> Score:
    """The mean of the values of sampled frames (by index) of a take of ``count``, with the least of them."""
    if not values:
        return Score(metric, "not_measurable", provenance, reason="the take has no frames")
    worst = min(values, key=lambda index: values[index])
    return Score(
        metric,
        "measured",
        provenance,
        float(np.mean(list(values.values()))),
        tuple(values.get(index) for index in range(count)),
        {"least": values[worst], "least_at_frame": worst, **details},
    )
