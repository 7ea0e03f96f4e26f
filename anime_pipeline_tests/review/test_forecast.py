"""Defends the forecast: it is what the studio's own takes have cost, and nothing where there are none."""

from __future__ import annotations

import pytest

from anime_pipeline.database.session import session_scope
from anime_pipeline.review.forecast import Forecast, duration, forecast
from anime_pipeline_tests.rendering.studio import Studio, production, stills


def asked(studio: Studio, keys: list[str] | None = None) -> Forecast:
    """The forecast of these cuts, or of all."""
    with session_scope(studio.settings) as session:
        return forecast(session, studio.settings, studio.keys() if keys is None else keys)


def cost(studio: Studio, seconds: float, kind: str = "preview", where: str = "TRUE") -> None:
    """Let attempts have cost so much on that kind of server."""
    studio.query_none(
        f"UPDATE studio.render_attempts SET gpu_seconds = {seconds}, server_kind = '{kind}' WHERE {where}"
    )


def test_what_was_never_rendered_has_no_forecast(studio: Studio) -> None:
    studio.import_(stills(3))
    found = asked(studio)
    assert [cut.gpu_seconds for cut in found.cuts] == [None] * 3
    assert (found.takes, found.unknown, found.gpu_seconds) == (3, 3, 0.0)
    assert found.as_json()["gpu_seconds"] is None
    assert "unknown" in found.said


def test_the_median_is_scaled_by_frames_and_pixels(studio: Studio) -> None:
    data = stills(3)
    studio.import_(data)
    studio.render()
    for seconds, job in zip((1.0, 2.0, 30.0), studio.query("SELECT id FROM jobs ORDER BY id"), strict=True):
        cost(studio, seconds, where=f"job_id = {job.id}")
    assert asked(studio).takes == 0
    assert asked(studio).said == "nothing to render"

    data["project"]["resolution"] = "128x64"
    studio.import_(data)
    found = asked(studio)
    assert [cut.gpu_seconds for cut in found.cuts] == pytest.approx([4.0] * 3), "twice the pixels of 2 s"
    assert {cut.history for cut in found.cuts} == {found.history} == {3}
    assert found.cuts[0].basis == "workflow and server"
    assert found.gpu_seconds == pytest.approx(12.0)
    assert found.said == "3 takes to render, about 12 s of GPU time (from 3 rendered takes)"


def test_frames_count_and_each_workflow_by_itself(studio: Studio) -> None:
    data = production()
    studio.import_(data)
    studio.render()
    loop, video = studio.keys()[2:]
    cost(studio, 6.0)
    cost(
        studio,
        2.0,
        where=f"job_id = (SELECT job_id FROM studio.takes t JOIN studio.cut_profiles p "
        f"USING (cut_id) WHERE p.cut_key = '{loop}')",
    )
    data["episodes"][0]["scenes"][0]["cuts"][3] |= {"duration_frames": 12, "dialogue": []}
    data["episodes"][0]["scenes"][0]["cuts"][2]["duration_frames"] = 8
    studio.import_(data)
    by_cut = {cut.cut_key: cut for cut in asked(studio).cuts if cut.takes}
    assert set(by_cut) == {loop, video}
    assert by_cut[video].gpu_seconds == pytest.approx(12.0), "6 s were six frames"
    assert by_cut[loop].gpu_seconds == pytest.approx(4.0), "2 s were four frames"


def test_another_kind_of_server_is_only_asked_where_this_one_is_silent(studio: Studio) -> None:
    data = stills(4)
    studio.import_(data)
    studio.render()
    first, *_ = [row.id for row in studio.query("SELECT id FROM jobs ORDER BY id")]
    cost(studio, 8.0, "comfyui")
    data["project"]["resolution"] = "128x128"
    studio.import_(data)
    assert {cut.basis for cut in asked(studio).cuts} == {"workflow"}
    assert asked(studio).cuts[0].gpu_seconds == pytest.approx(32.0)
    cost(studio, 1.0, "preview", f"job_id = {first}")
    found = asked(studio)
    assert {(cut.basis, cut.history) for cut in found.cuts} == {("workflow and server", 1)}
    assert found.cuts[0].gpu_seconds == pytest.approx(4.0)


def test_takes_that_wait_are_counted_once_and_finished_ones_not(studio: Studio) -> None:
    studio.import_(stills(3, takes=2))
    studio.plan(studio.keys()[:1])
    assert [cut.takes for cut in asked(studio).cuts] == [2, 2, 2]
    studio.drain()
    assert [cut.takes for cut in asked(studio).cuts] == [0, 2, 2]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.34, "0.3 s"), (42.4, "42 s"), (720, "12 min"), (11_100, "3 h 05 min"), (3599, "1 h 00 min")],
)
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
