"""Defends best-of-N through the whole line: three takes rendered, measured, judged, the best one selected and
told of, a person's choice kept over further runs, and a pruned loser that is rendered again only when asked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import numpy as np
import pytest
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import Frame
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.reproduction import reproduce
from anime_pipeline.rendering.takes import TakeInfo, list_takes
from anime_pipeline.review.pruning import prune
from anime_pipeline.review.retention import Policy
from anime_pipeline.review.scoring import scores_of
from anime_pipeline.review.selection import choose_take, select_best
from anime_pipeline_tests.defs.conftest import CalmArtist, Line
from anime_pipeline_tests.review.studio import videos

pytestmark = pytest.mark.slow


class Flickerer(CalmArtist):
    """Draws the calm square under a light that flickers by the seed: takes differ in their steadiness."""

    def draw(self, shot: Any) -> Iterator[Frame]:
        dimmed = 1 + shot.seed % 9
        for index, picture in enumerate(super().draw(shot)):
            yield np.clip(picture.astype(int) - dimmed * (index % 2), 0, 255).astype(np.uint8)


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> Flickerer:
    one = Flickerer()
    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", one.draw, raising=False)
    return one


def takes(line: Line) -> list[TakeInfo]:
    with session_scope(line.studio.settings) as session:
        return list_takes(session, line.studio.keys())


def selected(line: Line) -> int | None:
    return next((take.job_id for take in takes(line) if take.selected), None)


def flicker(line: Line) -> dict[int, float]:
    rows = line.studio.query(
        "SELECT job_id, value FROM studio.measurements WHERE metric_name = 'temporal_flicker'"
    )
    return {row.job_id: row.value for row in rows}


def told(line: Line) -> str:
    """What Dagster shows of why the cut's take stands."""
    records = line.instance.fetch_materializations(dg.AssetKey("quality_metrics"), limit=1).records
    assert records[0].asset_materialization is not None
    return str(records[0].asset_materialization.metadata["selection"].value)


@pytest.fixture
def produced(line: Line) -> Line:
    """One video with three takes that went through the whole line."""
    data = videos(1)
    data["project"]["selection"] = {"weights": {"motion_smoothness": 0}}
    line.studio.import_(data)
    line.sync()
    assert line.run("produce_cuts", line.studio.keys()).success
    assert len(takes(line)) == 3
    return line


def test_the_steadiest_of_three_is_selected_and_dagster_says_why(produced: Line) -> None:
    steadiness = flicker(produced)
    assert len(set(steadiness.values())) == 3, "the takes differ"
    best = max(steadiness, key=lambda job_id: steadiness[job_id])
    assert selected(produced) == best
    number = next(take.take_number for take in takes(produced) if take.job_id == best)
    assert told(produced).startswith(f"take {number}, selected because 0.")
    assert " vs 0." in told(produced)
    assert "temporal_flicker" in told(produced)
    with session_scope(produced.studio.settings) as session:
        scores = scores_of(session, list(steadiness))
    assert max(scores.values(), key=lambda one: one.score or 0).job_id == best


def test_a_choice_survives_measuring_rendering_and_retakes(produced: Line) -> None:
    keys = produced.studio.keys()
    loser = min(flicker(produced).items(), key=lambda pair: pair[1])[0]
    with session_scope(produced.studio.settings) as session:
        choose_take(session, loser, "Aiko", "her eyes")
    produced.studio.retake(by="Ren", note="calmer")
    assert produced.run("produce_cuts", keys).success
    assert produced.run("measure_cuts", keys).success
    assert len(takes(produced)) == 4
    assert selected(produced) == loser
    assert "chosen by Aiko: her eyes" in told(produced)


def pruned(line: Line) -> TakeInfo:
    """A loser whose media are gone."""
    line.studio.query_none("UPDATE jobs SET completed_at = completed_at - interval '2 days'")
    then = time.time() - 2 * 86_400
    for path in (line.studio.settings.home / "media").rglob("*.*"):
        if path.is_file():
            os.utime(path, (then, then))
    report = prune(line.studio.settings, policy=Policy(keep=1))
    assert 1 <= report.takes == report.files <= 2, "all but the selected and the newest"
    return next(take for take in takes(line) if take.pruned_at is not None)


def test_a_pruned_loser_is_not_rendered_again_measured_or_selected_by_itself(produced: Line) -> None:
    lost = pruned(produced)
    assert lost.film is None
    assert [file.role for file in lost.files] == ["film", "thumbnail"]
    renders, measured = produced.studio.renders, flicker(produced)
    assert produced.studio.states()["c0010"].state == "current"
    assert produced.run("produce_cuts", produced.studio.keys()).success
    assert produced.run("measure_cuts", produced.studio.keys()).success
    assert produced.studio.renders == renders
    assert flicker(produced) == measured
    assert selected(produced) not in (None, lost.job_id)


def test_a_pruned_take_is_whole_again_when_it_is_reproduced(produced: Line) -> None:
    lost = pruned(produced)
    settings = produced.studio.settings
    (report,) = reproduce(settings, [lost.job_id])
    assert (report.verdict, report.reason) == (
        "identical",
        "every pixel is the same; its pruned media are back",
    )
    again = next(take for take in takes(produced) if take.job_id == lost.job_id)
    assert again.pruned_at is None
    assert again.film is not None
    MediaStore.of(settings).verify(again.film.sha256, again.film.suffix)
    with session_scope(settings) as session:
        choose_take(session, lost.job_id, "Aiko")
    assert selected(produced) == lost.job_id


def test_a_cut_whose_takes_are_all_pruned_says_how_to_bring_one_back(produced: Line) -> None:
    """The story went away and came back: everything it once had was freed meanwhile."""
    studio = produced.studio
    studio.query_none("UPDATE studio.takes SET selected = FALSE; UPDATE studio.takes SET pruned_at = now()")
    state = studio.states()["c0010"]
    assert state.state == "failed"
    assert "anime-pipeline reproduce" in (state.reason or "")
    assert {plan.state for plan in studio.plan()} == {"failed"}
    with session_scope(studio.settings) as session:
        assert select_best(session, studio.settings, studio.keys()) == {"tiny.e01.s001.c0010": None}
        assert session.scalar(text("SELECT count(*) FROM studio.takes")) == 3
