"""Preview servers as processes that a campaign kills and starts again at the same address."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

from anime_pipeline_tests.chaos.model_free import PREVIEW


class KillableServer:
    """One preview server on a port of its own; each of its lives has a home of its own."""

    def __init__(self, folder: Path, render_seconds: float = 0.0) -> None:
        self._folder = folder
        self._render_seconds = render_seconds
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._lives += 1
        home = self._folder / f"life-{self._lives}"
        home.mkdir(parents=True)
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*PREVIEW, "--home", str(home), "--port", str(self._port), "--allow-misbehaviour"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < deadline, (home / "log").read_text()
            assert self._process.poll() is None, (home / "log").read_text()
            time.sleep(0.05)
        if self._render_seconds:
            self.misbehave("slow", times=None, seconds=self._render_seconds)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def misbehave(self, kind: str, **fault: Any) -> None:
        """Plan a fault."""
        requests.post(f"{self.url}/preview/misbehave", json={"kind": kind, **fault}, timeout=10)

    def rendered(self) -> int:
        """How many pictures it has saved in all its lives."""
        return len(list(self._folder.glob("life-*/preview/output/**/*.png")))

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/system_stats", timeout=2).ok
        except requests.RequestException:
            return False
