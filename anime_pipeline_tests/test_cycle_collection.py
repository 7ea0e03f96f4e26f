"""Large questions are answered without collecting cycles, which would walk the whole process for nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from anime_pipeline.cycle_collection import cycle_collection_paused
from anime_pipeline.quality.gates import explain, judge_scope, latest_verdicts
from anime_pipeline.rendering.staleness import cut_states
from anime_pipeline.settings import Settings
from anime_pipeline.story.importer import compare
from anime_pipeline.story.mistakes import ProductionErrors
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.made_production import Size, make_production

PHASE = "phase_1_still"


def collected_by(ask: Callable[[], object]) -> int:
    """How often cycles were collected while something was asked, by a collector that is always due."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    due = gc.get_threshold()
    gc.callbacks.append(note)
    gc.set_threshold(10, 1, 1)
    try:
        kept = ask()
    finally:
        gc.set_threshold(*due)
        gc.callbacks.remove(note)
    del kept
    return len(found)


def test_large_questions_collect_no_cycles(settings: Settings, session: Session, tmp_path: Path) -> None:
    made = make_production(settings, tmp_path, Size(), files=False, verdicts=False)
    production = read_production(made.file)
    cut_states(session, settings, check_files=False)
    questions: dict[str, Callable[[], object]] = {
        "reading a file": lambda: read_production(made.file),
        "comparing it": lambda: compare(session, production),
        "states": lambda: cut_states(session, settings, check_files=False),
        "judging": lambda: judge_scope(session, made.slug, PHASE),
        "explaining": lambda: explain(session, made.slug, PHASE),
        "known verdicts": lambda: latest_verdicts(session, [made.slug], PHASE),
    }
    counted = {name: collected_by(ask) for name, ask in questions.items()}
    # Before and after the reading itself it is due; without a pause, hundreds of times.
    assert max(counted.values()) <= 10, counted


def test_the_collector_runs_again_after_the_outermost_block() -> None:
    assert gc.isenabled()
    with cycle_collection_paused():
        with cycle_collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_runs_again_after_a_mistake() -> None:
    with pytest.raises(ProductionErrors):
        read_production(Path("there-is-no-such-file.yaml"))
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with cycle_collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
