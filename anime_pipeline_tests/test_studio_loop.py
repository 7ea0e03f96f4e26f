"""Defends the studio's loop against every order of events: imports, renders, failures, kills, late reports,
retakes, choices, overrides, threshold edits and pruning. No gate is passed without measured takes, no take is
lost, no cut is rendered twice for one recipe, no budget is exceeded, and a stale verdict counts for nothing.

STUDIO_LOOP_EXAMPLES=500 runs as many sequences that nobody has seen, each four times as long.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from anime_pipeline.settings import Settings
from anime_pipeline_tests.studio_loop.machine import Loop

pytestmark = pytest.mark.slow

LONG = int(os.environ.get("STUDIO_LOOP_EXAMPLES", "0"))
EXAMPLES, STEPS = (LONG, 100) if LONG else (12, 25)


@pytest.mark.timeout(0 if LONG else 300)
def test_no_order_of_events_breaks_the_loop(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no server whose cache could be emptied.
    monkeypatch.setattr("anime_pipeline.review.answering.forget_cached_results", lambda *_: None)

    class Here(Loop):
        """The machine in this test's home and database."""

        folder = tmp_path

    Here.settings = settings
    run_state_machine_as_test(
        Here,
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not LONG,
            # A step takes tens of milliseconds, so that shrinking would take longer than reading the steps.
            phases=[Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
