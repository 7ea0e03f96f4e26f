"""Defends continuity: the distance of the very frames that meet, measured once, in story order, or said to be
absent.
"""

# ruff: noqa: F811 - fixtures are imported under the names that tests ask for

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anime_pipeline.media.film import Frame, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.review import continuity
from anime_pipeline.review.formula import CONTINUITY, Term
from anime_pipeline_tests.quality.engines.conftest import on_the_cpu, shelf  # noqa: F401
from anime_pipeline_tests.quality.engines.random_weights import Shelf
from anime_pipeline_tests.quality.engines.test_lpips import head_state, reference, trunk_state
from anime_pipeline_tests.rendering.studio import QuickArtist, Studio
from anime_pipeline_tests.review.studio import (
    best,
    choose,
    judge,
    passed,
    release,
    scores,
    selected,
    takes_of,
    videos,
)

package = pytest.importorskip("lpips")
pytestmark = pytest.mark.filterwarnings("ignore")

FIRST, SECOND, THIRD = (f"tiny.e01.s001.c00{n}" for n in (10, 20, 30))


class Walker(QuickArtist):
    """Draws a light that begins at a place of the seed and walks: takes meet well or badly."""

    def draw(self, shot: Any) -> Iterator[Frame]:
        self.shots.append(shot)
        for frame in range(shot.frames):
            picture = np.full((shot.height, shot.width, 3), (30, 40, 60), np.uint8)
            left = shot.seed % 47 + frame
            picture[10:50, left : left + 16] = (250, 220, 90)
            yield picture


@pytest.fixture
def artist(monkeypatch: pytest.MonkeyPatch) -> Walker:
    one = Walker()
    monkeypatch.setattr("anime_pipeline.preview.drawing.draw_shot", one.draw)
    return one


@pytest.fixture
def weighed(studio: Studio, shelf: Shelf, on_the_cpu: None) -> Studio:
    """A studio that has the weights of LPIPS."""
    model = reference("alex")
    shelf.lay("lpips-alex", trunk_state(model), head_state(model))
    return replace(studio, settings=studio.settings.model_copy(update={"models_dir": shelf.folder}))


def frames_of(studio: Studio, job_id: int) -> list[Frame]:
    take = next(take for take in takes_of(studio) if take.job_id == job_id)
    assert take.film is not None
    return list(iter_frames(MediaStore.of(studio.settings).local_path(take.film.sha256, take.film.suffix)))


def lpips(before: Frame, after: Frame) -> float:
    """What the published package makes of two frames."""
    with pytest.importorskip("torch").no_grad():
        value = reference("alex")(package.im2tensor(before), package.im2tensor(after)).item()
    return float(value)


def rendered(studio: Studio, count: int = 2, takes: int = 3, **scene: Any) -> dict[str, list[int]]:
    """Videos in one scene, all takes equally good; job ids by cut."""
    studio.import_(videos(count, takes, **scene))
    studio.render()
    jobs: dict[str, list[int]] = {}
    for take in takes_of(studio):
        passed(studio, take.job_id)
        jobs.setdefault(take.cut_key, []).append(take.job_id)
    return jobs


def term(studio: Studio, job_id: int) -> Term | None:
    return next((one for one in scores(studio)[job_id].terms if one.metric == CONTINUITY), None)


def nearest(studio: Studio, before: int, jobs: list[int]) -> int:
    """Which take begins most like the other ends, by the package; the newest of equals."""
    last = frames_of(studio, before)[-1]
    return min(jobs, key=lambda job: (round(lpips(last, frames_of(studio, job)[0]), 5), -job))


def test_of_equal_takes_the_one_that_follows_best_is_selected(weighed: Studio) -> None:
    jobs = rendered(weighed, continuous=True)
    first, second = best(weighed)
    assert first is not None
    assert second == nearest(weighed, first, jobs[SECOND])
    last = frames_of(weighed, first)[-1]
    for job in jobs[SECOND]:
        found = term(weighed, job)
        assert found is not None
        assert found.value == pytest.approx(lpips(last, frames_of(weighed, job)[0]), abs=1e-5)
        assert scores(weighed)[job].before_job_id == first
    assert term(weighed, jobs[FIRST][0]) is None, "nothing is before the first cut of a scene"
    rows = weighed.query("SELECT * FROM studio.continuity_distances")
    assert {(row.before_job_id, row.job_id) for row in rows} == {(first, job) for job in jobs[SECOND]}
    assert {row.backend for row in rows} == {"lpips-alex"}
    assert all(len(row.weights_sha256) == 64 for row in rows)


def test_another_take_before_makes_those_after_it_be_compared_anew(weighed: Studio) -> None:
    jobs = rendered(weighed, count=3, continuous=True)
    before = best(weighed)
    other = next(job for job in jobs[FIRST] if job != before[0])
    choose(weighed, other)
    after = best(weighed, [FIRST])
    assert len(after) == 3, "the cuts that follow are selected again too"
    assert after[0] == other
    assert after[1] == nearest(weighed, other, jobs[SECOND])
    assert after[1] is not None
    assert after[2] == nearest(weighed, after[1], jobs[THIRD])
    assert scores(weighed)[jobs[THIRD][0]].before_job_id == after[1]
    release(weighed, FIRST)
    assert best(weighed, [FIRST]) == before, "and back, by the same numbers"


def test_a_distance_is_measured_once(weighed: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered(weighed, continuous=True)
    before = best(weighed)

    def refused(path: Path) -> Frame:
        raise AssertionError(f"{path} was decoded again")

    monkeypatch.setattr(continuity, "first_frame", refused)
    monkeypatch.setattr(continuity, "last_frame", refused)
    assert best(weighed) == before


def test_other_weights_measure_again(weighed: Studio) -> None:
    rendered(weighed, continuous=True)
    best(weighed)
    weighed.query_none(
        "UPDATE studio.continuity_distances SET weights_sha256 = repeat('0', 64), distance = 9"
    )
    best(weighed)
    rows = weighed.query(
        "SELECT DISTINCT weights_sha256, distance < 9 AS renewed FROM studio.continuity_distances"
    )
    assert [row.renewed for row in rows if row.weights_sha256 != "0" * 64] == [True]
    assert len(rows) == 1


def test_without_weights_the_term_is_left_out_and_the_others_stand_for_the_whole(studio: Studio) -> None:
    jobs = rendered(studio, continuous=True)
    assert best(studio) == [jobs[FIRST][-1], jobs[SECOND][-1]]
    found = term(studio, jobs[SECOND][0])
    assert found is not None
    assert found.quality is None
    assert "weights are absent" in (found.left_out or "")
    assert found.remedy == "anime-pipeline models fetch st-lpips-alex"
    all_scores = scores(studio)
    assert all_scores[jobs[SECOND][0]].score == all_scores[jobs[FIRST][0]].score


def test_a_scene_that_does_not_say_so_is_not_compared(weighed: Studio) -> None:
    jobs = rendered(weighed)
    best(weighed)
    assert term(weighed, jobs[SECOND][0]) is None
    assert weighed.query("SELECT 1 FROM studio.continuity_distances") == []


def test_a_project_may_leave_continuity_out(weighed: Studio) -> None:
    jobs = rendered(weighed, continuous=True)
    data = videos(2, continuous=True)
    data["project"]["selection"] = {"weights": {"continuity": 0}}
    weighed.import_(data)
    best(weighed)
    assert term(weighed, jobs[SECOND][0]) is None
    assert weighed.query("SELECT 1 FROM studio.continuity_distances") == []


def test_without_a_selected_take_before_it_is_said(weighed: Studio) -> None:
    jobs = rendered(weighed, continuous=True)
    for job_id in jobs[FIRST]:
        judge(weighed, job_id, "failed")
    assert best(weighed)[0] is None
    found = term(weighed, jobs[SECOND][0])
    assert found is not None
    assert found.left_out == f"{FIRST} has no selected take"


def test_a_film_that_is_gone_leaves_the_term_out_and_costs_no_other(weighed: Studio) -> None:
    jobs = rendered(weighed, continuous=True)
    take = next(take for take in takes_of(weighed) if take.job_id == jobs[SECOND][1])
    assert take.film is not None
    MediaStore.of(weighed.settings).local_path(take.film.sha256, take.film.suffix).unlink()
    first, second = best(weighed)
    assert second is not None
    lacking, other = term(weighed, jobs[SECOND][1]), term(weighed, jobs[SECOND][0])
    assert lacking is not None
    assert "is not in the media store" in (lacking.left_out or "")
    assert other is not None
    assert other.quality is not None
    assert first == jobs[FIRST][-1]
    assert selected(weighed) == [first, second]
