"""Takes that someone asks for: free shots, takes of cuts, second takes with changes."""

from __future__ import annotations

from typing import Any

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.quality.reproducibility import record_reproductions
from anime_pipeline.quality.requests import measure_requested, request_measuring, takes_to_measure
from anime_pipeline.rendering.backlog import waiting_takes
from anime_pipeline.rendering.modified_takes import queue_modified_take
from anime_pipeline.rendering.reproduction import reproduction_of, serve_second_takes
from anime_pipeline.rendering.requests import (
    RequestError,
    ShotRequest,
    mark_requested,
    request_cut,
    request_shot,
)
from anime_pipeline.rendering.takes import TakeError
from anime_pipeline.rendering.worker import drain
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.unscripted import CastMember
from anime_pipeline_tests.rendering.studio import Studio, production


@pytest.fixture
def tiny(studio: Studio) -> Studio:
    studio.import_(production())
    return studio


def project(studio: Studio) -> int:
    return int(studio.query("SELECT project_id FROM studio.project_profiles")[0].project_id)


def character(studio: Studio, name: str) -> int:
    return int(studio.query("SELECT id FROM characters WHERE name = :name", name=name)[0].id)


def shot(studio: Studio, **fields: Any) -> ShotRequest:
    return ShotRequest(project(studio), **{"job_type": "still_image", "prompt": "a lamp at sea", **fields})


def asked(studio: Studio, request: ShotRequest) -> int:
    with session_scope(studio.settings) as session:
        return request_shot(session, studio.settings, request, "key 1")


def test_a_free_shot_is_rendered_as_asked_and_joins_no_film(tiny: Studio) -> None:
    before = tiny.keys()
    seed = 2**64 - 3
    job_id = asked(
        tiny,
        shot(
            tiny, job_type="animation_loop", frames=5, fps=12, width=96, height=64, seed=seed,
            negative_prompt="fog", cast=[CastMember(character(tiny, "Mika"), "yukata")],
        ),
    )  # fmt: skip
    assert requested_now(tiny) == [job_id]
    report = drain(tiny.settings, [job_id])
    assert report.failed == []
    assert [take.job_id for take in report.finished] == [job_id]
    assert tiny.artist.shots[-1].seed == seed
    [row] = tiny.query("SELECT * FROM generation_params WHERE job_id = :id", id=job_id)
    assert (row.seed % 2**64, row.frame_count, row.fps, row.width, row.height) == (seed, 5, 12, 96, 64)
    assert "fog" in row.negative_prompt
    assert "indigo" in row.positive_prompt
    [film] = tiny.query(
        "SELECT f.* FROM studio.take_media m JOIN studio.media_files f USING (sha256) "
        "WHERE m.job_id = :id AND m.role = 'film'", id=job_id,
    )  # fmt: skip
    assert (film.frame_count, film.width, film.height) == (5, 96, 64)
    assert tiny.keys() == before
    assert requested_now(tiny) == []


def requested_now(studio: Studio) -> list[int]:
    with session_scope(studio.settings) as session:
        return [take.job_id for take in waiting_takes(session)]


def test_free_shots_do_not_hinder_the_next_import_and_keep_their_place(tiny: Studio) -> None:
    asked(tiny, shot(tiny))
    second = asked(tiny, shot(tiny))
    keys = tiny.query("SELECT cut_key FROM studio.cut_profiles WHERE omitted_at IS NOT NULL ORDER BY 1")
    assert [row.cut_key for row in keys] == ["tiny.e99.s000.c0000", "tiny.e99.s000.c0001"]
    data = production()
    data["episodes"][0]["title"] = "Rain"
    tiny.import_(data)
    assert tiny.query("SELECT omitted_at FROM studio.cut_profiles WHERE cut_key LIKE '%e99%'")[0].omitted_at
    data["episodes"].append({"number": 99, "scenes": []})
    with pytest.raises(StoryError, match="Episode 99"):
        tiny.import_(data)
    assert drain(tiny.settings, [second]).finished


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"frames": 3}, "frames"),
        ({"job_type": "full_video", "frames": 1}, "frames"),
        ({"width": 33}, "width"),
        ({"height": 10_000}, "height"),
        ({"job_type": "character_sheet"}, "character_id"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_its_field(tiny: Studio, fields: Any, field: str) -> None:
    with pytest.raises(RequestError) as refused:
        asked(tiny, shot(tiny, **fields))
    assert refused.value.field == field
    assert tiny.query("SELECT 1 FROM jobs") == []


def test_an_unknown_workflow_leaves_nothing_behind(tiny: Studio) -> None:
    with pytest.raises(RequestError, match="no workflow named nowhere"):
        asked(tiny, shot(tiny, workflow="nowhere"))
    assert tiny.query("SELECT 1 FROM cuts WHERE status = 'unscripted'") == []


def test_a_character_sheet_says_its_views_and_its_character(tiny: Studio) -> None:
    mika = character(tiny, "Mika")
    job_id = asked(tiny, shot(tiny, job_type="character_sheet", cast=[CastMember(mika)]))
    [job] = tiny.query("SELECT * FROM jobs WHERE id = :id", id=job_id)
    assert (job.job_type, job.character_id) == ("character_sheet", mika)
    assert "turnaround" in job.prompt
    assert "teal hair" in job.prompt


def test_a_cut_is_planned_once(tiny: Studio) -> None:
    [cut] = tiny.query("SELECT cut_id FROM studio.cut_profiles WHERE cut_key = 'tiny.e01.s001.c0010'")

    def ask() -> tuple[str, int | None]:
        with session_scope(tiny.settings) as session:
            [planned] = request_cut(session, tiny.settings, cut.cut_id, "key 1", priority=3)
            return planned.state, planned.job_id

    first = ask()
    assert ask() == first
    assert requested_now(tiny) == [first[1]]
    drain(tiny.settings, [first[1] or 0])
    assert ask() == ("current", first[1])


def test_a_free_take_is_measured_when_somebody_wants_it(tiny: Studio) -> None:
    job_id = asked(tiny, shot(tiny))
    with session_scope(tiny.settings) as session:
        request_measuring(session, [job_id], "key 1")
        request_measuring(session, [job_id], "key 1")
        assert takes_to_measure(session) == {}
    drain(tiny.settings, [job_id])
    [measured] = measure_requested(tiny.settings).takes
    assert measured.outcome == "measured"
    assert tiny.query("SELECT 1 FROM studio.measure_requests") == []
    [contract] = tiny.query("SELECT * FROM studio.measurements WHERE metric_name = 'media_contract'")
    assert (contract.job_id, contract.value) == (job_id, 1.0)


def again(studio: Studio, job_id: int, **modifications: Any) -> Any:
    with session_scope(studio.settings) as session:
        new_id = queue_modified_take(session, studio.settings, job_id, modifications)
        mark_requested(session, [new_id], "key 1")
    [report] = serve_second_takes(studio.settings)
    assert (report.job_id, report.second_job_id) == (job_id, new_id)
    with session_scope(studio.settings) as session:
        stored = reproduction_of(session, new_id)
    assert stored is not None
    assert stored.verdict == report.verdict
    return report


def test_a_take_renders_again_identically(tiny: Studio) -> None:
    job_id = asked(tiny, shot(tiny))
    drain(tiny.settings, [job_id])
    report = again(tiny, job_id)
    assert report.verdict == "identical"
    assert report.environment == ()
    with session_scope(tiny.settings) as session:
        assert record_reproductions(session, [job_id]) == [job_id]
    [params] = tiny.query("SELECT seed FROM generation_params WHERE job_id = :id", id=report.second_job_id)
    assert (
        params.seed == tiny.query("SELECT seed FROM generation_params WHERE job_id = :id", id=job_id)[0].seed
    )


def test_a_modified_take_says_what_was_changed_and_counts_for_nothing(tiny: Studio) -> None:
    job_id = asked(tiny, shot(tiny, seed=5))
    drain(tiny.settings, [job_id])
    report = again(tiny, job_id, seed=2**64 - 1, prompt="a lamp on land")
    assert report.verdict == "different"
    changed = {
        change.field.partition(").")[2]: (change.before, change.after) for change in report.environment
    }
    assert changed["seed"] == (5, 2**64 - 1)
    assert changed["action"] == ("a lamp at sea", "a lamp on land")
    [params] = tiny.query("SELECT * FROM generation_params WHERE job_id = :id", id=report.second_job_id)
    assert (params.seed, params.positive_prompt) == (-1, "a lamp on land")
    with session_scope(tiny.settings) as session:
        assert record_reproductions(session, [job_id]) == []


def test_a_modification_without_a_place_is_refused(tiny: Studio) -> None:
    job_id = asked(tiny, shot(tiny, seed=5))
    drain(tiny.settings, [job_id])
    with pytest.raises(TakeError, match="no place for negative_prompt"):
        again(tiny, job_id, negative_prompt="fog")
    with pytest.raises(TakeError, match="change nothing"):
        again(tiny, job_id, seed=5)
    assert len(tiny.query("SELECT 1 FROM jobs")) == 1
