"""Runs Dagster jobs in a process of their own and shows how far they are, from the database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from tempfile import TemporaryFile
from typing import Any

from anime_pipeline.cli.house import House
from anime_pipeline.errors import UserError

POLL_SECONDS = 0.25
Step = str | dict[str, Any]


@dataclass(frozen=True)
class JobOutcome:
    """One run of a job; ``error`` is None when it succeeded.

    ``by`` is ``process`` or ``daemon``: who ran it; the daemon as a part of ``backfill``.
    """

    job: str
    partitions: tuple[str, ...]
    run_id: str
    error: str | None
    by: str = "process"
    backfill: str | None = None


def run_jobs(
    house: House, steps: Sequence[Step], while_running: Callable[[], None] = lambda: None
) -> list[JobOutcome]:
    """Run the steps (``sync``, ``job``, ``job=key,key`` or an object as the runner takes it) in order.

    ``while_running`` is called as they go.

    Raises:
        UserError: the process died before it could report; the message names its log.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    log = house.settings.home / "logs" / f"dagster-{stamp}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "anime_pipeline.defs.runner", "-"]
    # Files, since the keys of ten thousand cuts are longer than an argument may be, and than a pipe holds.
    with log.open("wb") as errors, TemporaryFile("w+") as told, TemporaryFile("w+") as answer:
        json.dump(list(steps), told)
        told.seek(0)
        environment = house.process_environment()
        with subprocess.Popen(command, env=environment, stdin=told, stdout=answer, stderr=errors) as process:
            while process.poll() is None:
                while_running()
                time.sleep(POLL_SECONDS)
            while_running()
        answer.seek(0)
        printed = answer.read().strip().splitlines()
    try:
        outcomes = json.loads(printed[-1])
    except (IndexError, json.JSONDecodeError):
        raise UserError(
            f"The Dagster process ended with status {process.returncode} before it could report.",
            f"read the end of {log}, then run the command again: finished work is kept",
        ) from None
    return [JobOutcome(**{**outcome, "partitions": tuple(outcome["partitions"])}) for outcome in outcomes]
