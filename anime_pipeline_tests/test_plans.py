"""Questions about a few cuts are served by indexes: none has to walk a table that grows with the production.

Whether a walk is cheaper depends on how much there is. So walks, and joins that begin with one, are made dear
before a plan is asked for: a walk that is left has no index that would serve in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from anime_pipeline.delivery.timeline import load_timeline
from anime_pipeline.quality.gates import explain, judge_cuts, judge_scope
from anime_pipeline.rendering.continuity import first_frames
from anime_pipeline.rendering.current_takes import current_takes
from anime_pipeline.rendering.planning import plan_cuts
from anime_pipeline.rendering.queue import lease
from anime_pipeline.rendering.staleness import cut_states, states_of
from anime_pipeline.rendering.takes import list_takes
from anime_pipeline.settings import Settings
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline_tests.made_production import MadeProduction, Size, make_production

BIG = {
    "takes", "jobs", "measurements", "quality_scores", "render_attempts", "gate_verdicts", "media_files",
    "take_media", "generation_params", "recipes", "render_queue", "cuts", "cut_profiles", "composed_cuts",
}  # fmt: skip
DEAR = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
PHASE = "phase_3_video"


@dataclass
class Watched:
    """A made production, and the statements that its session ran since ``statements`` was cleared."""

    session: Session
    settings: Settings
    made: MadeProduction
    statements: list[tuple[str, Any]]

    @property
    def few(self) -> list[str]:
        """Cuts of one scene in the middle, some of which go on where the one before ends."""
        return list(self.made.cut_keys[100:108])

    @property
    def scene(self) -> str:
        """Their scene."""
        return self.few[0].rpartition(".")[0]


@pytest.fixture
def watched(settings: Settings, session: Session, tmp_path: Path) -> Iterator[Watched]:
    """A production in which a scene is a tenth."""
    size = Size(cuts=200, episodes=5, takes=2, scores=5_000)
    made = make_production(settings, tmp_path, size, files=False)
    cut_states(session, settings, check_files=False)
    session.execute(text("ANALYZE"))
    session.commit()
    found: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        found.append((statement, parameters[0] if many and isinstance(parameters, list) else parameters))

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield Watched(session, settings, made, found)
    event.remove(engine, "before_cursor_execute", note)


QUESTIONS: dict[str, Callable[[Watched], object]] = {
    "states of some cuts": lambda w: states_of(w.session, w.settings, w.few, check_files=False),
    "states of a scene": lambda w: cut_states(w.session, w.settings, w.scene, check_files=False),
    "planning": lambda w: plan_cuts(w.session, w.settings, w.few),
    "contexts": lambda w: load_cut_contexts(w.session, w.few),
    "first frames": lambda w: first_frames(w.session, w.settings, w.few[3:4]),
    "current takes": lambda w: current_takes(w.session, w.settings, w.few),
    "takes of a cut": lambda w: list_takes(w.session, w.few[:1]),
    "verdicts of cuts": lambda w: judge_cuts(w.session, w.few, PHASE),
    "verdict of a scene": lambda w: judge_scope(w.session, w.scene, PHASE),
    "explaining a scene": lambda w: explain(w.session, w.scene, PHASE),
    "a reel's cuts": lambda w: load_timeline(w.session, w.scene),
    "leasing": lambda w: lease(w.session, "tests", "http://127.0.0.1:1", 60),
}


def test_no_table_that_grows_is_walked(watched: Watched) -> None:
    """Each statement of a question is explained with its own values."""
    walked = []
    for question, ask in QUESTIONS.items():
        watched.statements.clear()
        ask(watched)
        asked = [one for one in watched.statements if one[0].split()[0] in ("SELECT", "WITH", "UPDATE")]
        assert asked, question
        for statement, values in asked:
            tables = walks(watched.session, statement, values)
            walked += [f"{question}: {table} in {statement}" for table in tables]
        watched.session.rollback()
    assert not walked, "\n\n".join(walked)


def test_a_walk_is_seen(watched: Watched) -> None:
    """The check itself can fail: a table read by a column that has no index."""
    assert walks(watched.session, "SELECT * FROM jobs WHERE output_path = %(p)s", {"p": "x"}) == ["jobs"]


def walks(session: Session, statement: str, values: Any) -> list[str]:
    """The big tables that a statement reads from end to end for want of an index."""
    driver: Any = session.connection().connection.dbapi_connection
    with driver.cursor() as cursor:
        for way in DEAR:
            cursor.execute(f"SET LOCAL {way} = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
        plan = cursor.fetchone()[0][0]["Plan"]
        for way in DEAR:
            cursor.execute(f"SET LOCAL {way} = on")
    return sorted(
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's nodes."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
