"""Defends that those who follow a job see it move while a server renders it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering import queue, turns
from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.recipes import submission_graph
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


def test_what_another_worker_posted_is_heard_in_its_place(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server tells of a prompt to the client that posted it; a long render would seem to stall."""
    draw, sockets = studio.artist.draw, studio.server.server.sockets

    def held(shot: Any) -> Iterator[Any]:
        for number, frame in enumerate(draw(shot)):
            deadline = time.monotonic() + 30
            while number == 2 and "dead" not in sockets._listeners:
                assert time.monotonic() < deadline, "nobody listens in the dead worker's place"
                time.sleep(0.01)
            yield frame

    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", held)
    studio.import_(production())
    studio.plan(["tiny.e01.s001.c0040"])
    prompt_id = str(uuid.uuid4())
    with session_scope(studio.settings) as session:
        leased = queue.lease(session, "elsewhere:1:1:a", studio.server.url, 0.0)
        assert leased is not None
        queue.start_attempt(session, leased, studio.server.url, "preview", prompt_id)
    graph = submission_graph(leased.workflow, "adopted", {})
    ComfyClient(studio.server.url).submit(graph, "dead", prompt_id)
    assert len(studio.drain().finished) == 1
    assert studio.events[0].kind == "adopted"
    assert studio.renders == 1
    assert studio.outcomes() == {"succeeded": 1}
