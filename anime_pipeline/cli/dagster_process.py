"""Runs Dagster jobs in a process of their own and shows how far they are, from the database."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from anime_pipeline.cli.house import House
from anime_pipeline.errors import UserError

POLL_SECONDS = 0.25


@dataclass(frozen=True)
class JobOutcome:
    """One run of a job; ``error`` is None when it succeeded."""

    job: str
    partitions: tuple[str, ...]
    run_id: str
    error: str | None


def run_jobs(
    house: House, steps: Sequence[str], while_running: Callable[[], None] = lambda: None
) -> list[JobOutcome]:
    """Run the steps (``sync``, ``job`` or ``job=key,key``) in order, calling ``while_running`` as they go.

    Raises:
        UserError: the process died before it could report; the message names its log.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    log = house.settings.home / "logs" / f"dagster-{stamp}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "anime_pipeline.defs.runner", *steps]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, env=house.process_environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        while process.poll() is None:
            while_running()
            time.sleep(POLL_SECONDS)
        while_running()
        assert process.stdout is not None
        printed = process.stdout.read().strip().splitlines()
    try:
        outcomes = json.loads(printed[-1])
    except (IndexError, json.JSONDecodeError):
        raise UserError(
            f"The Dagster process ended with status {process.returncode} before it could report.",
            f"read the end of {log}, then run the command again: finished work is kept",
        ) from None
    return [JobOutcome(o["job"], tuple(o["partitions"]), o["run_id"], o["error"]) for o in outcomes]
