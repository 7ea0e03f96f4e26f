"""Defends the pictures of what failed: the very frame that is worst, of films and of pictures in a row, and a
reason in words where there is none to show.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from anime_pipeline.media.errors import MediaError
from anime_pipeline.quality.gates import explain
from anime_pipeline.quality.worst_frames import worst_frames, write_worst_frames
from anime_pipeline_tests.quality.studio import HEIGHT, WIDTH, Studio

ANIMATIC = "phase_0_animatic"


def greys(count: int) -> np.ndarray:
    """A film whose frame n is grey of brightness 20 n."""
    levels = (np.arange(count, dtype=np.uint8) * 20)[:, None, None, None]
    return np.broadcast_to(levels, (count, HEIGHT, WIDTH, 3)).copy()


def brightness(png: bytes) -> int:
    """The mean brightness of a PNG in steps of 20."""
    picture = Image.open(BytesIO(png))
    assert picture.format == "PNG"
    return round(float(np.asarray(picture.convert("L")).mean()) / 20)


@pytest.mark.parametrize(("kind", "film", "frame"), [("video", greys(10), 9), ("still", greys(4)[3:], 0)])
def test_the_very_frame_is_shown(studio: Studio, kind: str, film: np.ndarray, frame: int) -> None:
    job = studio.take(studio.cut(10, kind, frames=len(film)), film)
    found = worst_frames(studio.session, studio.store, {job: {0, frame}})
    assert {at: round(float(np.mean(shown)) / 20) for at, shown in found.items()} == {
        (job, at): round(float(film[at].mean()) / 20) for at in (0, frame)
    }


@pytest.mark.parametrize("lost", ["frame", "file", "job"])
def test_what_cannot_be_shown_is_said(studio: Studio, lost: str) -> None:
    job = studio.take(studio.cut(10, frames=10), greys(10)) + (lost == "job")
    if lost == "file":
        next(studio.settings.home.glob("**/*.mp4")).unlink()
    assert isinstance(worst_frames(studio.session, studio.store, {job: {99}})[job, 99], MediaError)


def test_explaining_writes_each_failing_takes_worst_frame_once(studio: Studio) -> None:
    shown, lost = studio.cut(10, frames=10), studio.cut(20)
    job = studio.take(shown, greys(10))
    studio.measured(job, motion_smoothness=0.1, dynamic_degree=0.0)
    studio.measured(studio.take(lost), motion_smoothness=0.1)
    failing = explain(studio.session, "lantern-post.e01", ANIMATIC).judgement.failing
    assert {entry.worst_frame for entry in failing} == {7}
    pictures = write_worst_frames(studio.session, studio.settings, failing)
    picture, missing = pictures[job, 7], pictures[failing[-1].job_id, 7]
    assert picture.path is not None
    assert picture.path.is_relative_to(studio.settings.home)
    assert brightness(picture.path.read_bytes()) == 7
    assert picture.media_sha256 is not None
    assert (missing.path, missing.reason) == (None, f"take {failing[-1].job_id} has no such frame")

    written = picture.path.stat().st_mtime_ns
    assert write_worst_frames(studio.session, studio.settings, failing) == pictures
    assert picture.path.stat().st_mtime_ns == written
