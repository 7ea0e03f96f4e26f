"""Defends that those who follow a job see it move while a server renders it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from anime_pipeline.rendering import turns
from anime_pipeline_tests.rendering.studio import Studio, production


def test_frames_are_counted_while_they_are_rendered(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "NOTE_SECONDS", 0.0)
    seen, draw = threading.Event(), studio.artist.draw

    def held(shot: Any) -> Iterator[Any]:
        for number, frame in enumerate(draw(shot)):
            if number == 4:
                assert seen.wait(30), "nobody saw the first frames"
            yield frame

    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", held)
    studio.import_(production())
    studio.plan(["tiny.e01.s001.c0040"])
    worker = threading.Thread(target=studio.drain)
    worker.start()
    deadline = time.monotonic() + 30
    while not (frames := studio.query("SELECT current_frame FROM jobs WHERE current_frame > 0")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    seen.set()
    worker.join(30)
    assert 0 < frames[0].current_frame < 6
    told = studio.query("SELECT status, current_frame FROM studio.job_events ORDER BY txid, id")
    assert (told[0].status, told[-1].status, told[-1].current_frame) == ("queued", "completed", 6)
    counted = [row.current_frame for row in told]
    assert counted == sorted(counted)
