"""Defends the three metrics of motion: equal to plain transcriptions of their published formulas, for any
length and any way of cutting the stream into chunks; honest where there is nothing to measure.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anime_pipeline.quality.engines import opencv
from anime_pipeline.quality.engines.dynamic_degree import DynamicDegree
from anime_pipeline.quality.engines.motion_smoothness import MotionSmoothness, middle_frame
from anime_pipeline.quality.engines.protocol import Engine
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker
from anime_pipeline_tests.quality.engines.measuring import measure
from anime_pipeline_tests.quality.films import Film, held, noisy, panning

ENGINES: tuple[Engine, ...] = (TemporalFlicker(), MotionSmoothness(), DynamicDegree())

films = st.builds(
    lambda frames, times, step, seed: held(panning(-(-frames // times), 48, 64, step, seed), times)[:frames],
    frames=st.integers(2, 13), times=st.integers(1, 3), step=st.integers(0, 3), seed=st.integers(0, 99),
)  # fmt: skip
chunks = st.integers(1, 8)


def plain_flicker(film: Film) -> float:
    """(255 − mean over t of mean |fₜ₊₁ − fₜ|) / 255, written as published."""
    pairs = [np.abs(film[t + 1].astype(float) - film[t].astype(float)).mean() for t in range(len(film) - 1)]
    return float((255.0 - np.mean(pairs)) / 255.0)


def plain_smoothness(film: Film) -> float:
    """Drop the odd frames, interpolate, compare: over whole lists, with OpenCV called directly."""
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in film]
    grays = [cv2.resize(gray, (64, 64), interpolation=cv2.INTER_AREA) for gray in grays]
    differences = []
    for t in range(1, len(film) - 1, 2):
        made = middle_frame(opencv.new_flow(), film[t - 1], film[t + 1], grays[t - 1], grays[t + 1])
        differences.append(np.abs(made.astype(float) - film[t].astype(float)).mean())
    return float((255.0 - np.mean(differences)) / 255.0)


def plain_degree(film: Film) -> float:
    """Mean flow length over all pixels and pairs, over the diagonal."""
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in film]
    grays = [cv2.resize(gray, (64, 64), interpolation=cv2.INTER_AREA) for gray in grays]
    lengths = [
        np.linalg.norm(opencv.new_flow().calc(grays[t], grays[t + 1], None), axis=2).mean()
        for t in range(len(film) - 1)
    ]
    return float(np.mean(lengths) / math.hypot(64, 64))


@settings(deadline=None, max_examples=40)
@given(films, chunks)
def test_flicker_is_the_published_formula(film: Film, chunk: int) -> None:
    score = measure(TemporalFlicker(), film, chunk=chunk)
    assert score.value == pytest.approx(plain_flicker(film), abs=1e-12)
    assert len(score.per_frame) == len(film)
    assert score.per_frame[0] is None


@settings(deadline=None, max_examples=25)
@given(films.filter(lambda film: len(film) >= 3), chunks)
def test_smoothness_is_the_published_formula(film: Film, chunk: int) -> None:
    score = measure(MotionSmoothness(), film, chunk=chunk)
    assert score.value == pytest.approx(plain_smoothness(film), abs=1e-12)
    assert [t for t, value in enumerate(score.per_frame) if value is not None] == list(
        range(1, len(film) - 1, 2)
    )


@settings(deadline=None, max_examples=25)
@given(films, chunks)
def test_degree_is_mean_flow_over_the_diagonal(film: Film, chunk: int) -> None:
    assert measure(DynamicDegree(), film, chunk=chunk).value == pytest.approx(
        plain_degree(film), rel=1e-6, abs=1e-9
    )


def test_flow_finds_a_known_pan() -> None:
    film = panning(6, 120, 160, step=2)
    value = measure(DynamicDegree(), film).value
    assert value == pytest.approx(2 / math.hypot(120, 160), rel=0.1)


def test_a_large_picture_is_measured_smaller_and_comes_out_the_same() -> None:
    small, large = panning(4, 90, 160, 1), np.repeat(np.repeat(panning(4, 90, 160, 1), 8, axis=1), 8, axis=2)
    one, other = measure(DynamicDegree(), small).value, measure(DynamicDegree(), large).value
    assert one is not None
    assert other == pytest.approx(one, rel=0.1)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.metric)
def test_one_frame_has_no_motion_to_measure(engine: Engine) -> None:
    score = measure(engine, panning(1))
    assert (score.state, score.value) == ("not_measurable", None)
    assert score.reason


def test_two_frames_have_nothing_between_them() -> None:
    assert measure(MotionSmoothness(), panning(2)).state == "not_measurable"


@pytest.mark.parametrize(("engine", "expected"), [*zip(ENGINES, (1.0, 1.0, 0.0), strict=True)])
def test_identical_frames_are_perfectly_steady_and_do_not_move(engine: Engine, expected: float) -> None:
    assert measure(engine, held(panning(1), 7)).value == expected


@settings(deadline=None, max_examples=20)
@given(films)
def test_flicker_does_not_know_the_direction_of_time(film: Film) -> None:
    assert measure(TemporalFlicker(), film[::-1]).value == pytest.approx(
        measure(TemporalFlicker(), film).value
    )


@settings(deadline=None, max_examples=10)
@given(films.filter(lambda film: len(film) % 2 and len(film) >= 3))
def test_smoothness_does_not_know_the_direction_of_time(film: Film) -> None:
    assert measure(MotionSmoothness(), film[::-1]).value == pytest.approx(
        measure(MotionSmoothness(), film).value
    )


@pytest.mark.parametrize("engine", [TemporalFlicker(), MotionSmoothness()], ids=lambda engine: engine.metric)
def test_more_noise_is_less_steady(engine: Engine) -> None:
    values = [measure(engine, noisy(panning(9), amount)).value or 0.0 for amount in (0, 4, 12, 30)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_flow_explains_a_pan_better_than_a_cut() -> None:
    pan, cut = panning(9, step=2), np.concatenate([panning(4, seed=1), panning(5, seed=2)])
    assert (
        (measure(MotionSmoothness(), pan).value or 0) > 0.99 > (measure(MotionSmoothness(), cut).value or 1)
    )


def test_a_measurement_is_the_same_when_it_is_made_again() -> None:
    film = noisy(panning(8), 5)
    for engine in ENGINES:
        assert measure(engine, film) == measure(engine, film, chunk=3)
