"""A server and a client per test, and an artist that draws whatever a test needs instead of an animatic."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anime_pipeline.preview.drawing as drawing
from anime_pipeline.preview.frames import Pixels
from anime_pipeline_tests.preview.client import Client
from anime_pipeline_tests.preview.running import RunningServer, running_preview_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server that allows misbehaviour."""
    with running_preview_server(tmp_path, allow_misbehaviour=True) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    """A client of ``server``."""
    with Client(server.url) as one:
        yield one


class Artist:
    """Draws plain frames, remembers the shots, and can be held at a frame until a test lets it go on."""

    def __init__(self) -> None:
        self.shots: list[Any] = []
        self.hold_at: int | None = None
        self.held = threading.Event()
        self.go_on = threading.Event()

    def draw(self, shot: Any) -> Iterator[Pixels]:
        self.shots.append(shot)
        for number in range(shot.frames):
            if number == self.hold_at:
                self.held.set()
                assert self.go_on.wait(20)
            yield np.full((shot.height, shot.width, 3), (number * 8) % 256, dtype=np.uint8)


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> Iterator[Artist]:
    """Replaces the drawing of shots, so that these tests are about the server alone."""
    one = Artist()
    monkeypatch.setattr(drawing, "draw_shot", one.draw)
    yield one
    one.go_on.set()
