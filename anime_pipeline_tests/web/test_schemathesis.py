"""Defends the document: whatever is sent, each route answers as it says, never with an error of the server.

Schemathesis reads /openapi.json of the running application and makes requests, good and bad ones, for every
operation. It fails on a status that is not documented, an answer that is not as its schema says, a content
type or header that is not told of, a caller without a key who gets in, and on 5xx.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from anime_pipeline.settings import Settings
from anime_pipeline_tests.made_production import Size, make_production
from anime_pipeline_tests.web.clients import key_for
from anime_pipeline_tests.web.running import running_api

pytest.importorskip("schemathesis")
ENDLESS = "^/api/anime/events$"
"""Streams without an end: their own tests read them."""
BEYOND_THE_SCHEMA = "positive_data_acceptance"
"""Not asked: a made-up cursor or id is well-formed and wrong all the same."""


@pytest.mark.slow
def test_every_operation_answers_as_documented(settings: Settings, tmp_path: Path) -> None:
    """Each constraint is broken once (some 6,000 requests), and a few further requests are made up."""
    make_production(settings, tmp_path, Size(cuts=12, episodes=2))
    key = key_for(settings, "admin")
    changed = {"api_requests_per_minute": 0, "api_open_on_loopback": False}
    with running_api(settings.model_copy(update=changed)) as url:
        # One worker: CPython 3.11 loses count when two threads parse Python at once, as hypothesis does here.
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json",
            "--header", f"Authorization: Bearer {key}", "--phases", "examples,coverage,fuzzing",
            "--max-examples", "3", "--workers", "1", "--exclude-path-regex", ENDLESS, "--checks", "all",
            "--exclude-checks", BEYOND_THE_SCHEMA, "--seed", "7", "--generation-database", "none",
            "--no-color",
        ]  # fmt: skip
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
