"""Defends the end of the night: what is in hand is finished, nothing is begun, what waits goes on later."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from anime_pipeline.rendering.desk import Desk
from anime_pipeline.rendering.worker import drain
from anime_pipeline_tests.rendering.studio import Studio, stills


def test_after_the_end_no_take_is_begun_and_all_wait_whole(studio: Studio) -> None:
    studio.import_(stills(3))
    jobs = [plan.job_id for plan in studio.plan() if plan.job_id is not None]
    report = drain(studio.settings, jobs, until=datetime.now(timezone.utc))
    assert [take.job_id for take in report.waiting] == jobs
    assert report.finished == report.failed == []
    assert studio.renders == 0
    assert studio.query("SELECT 1 FROM studio.render_attempts") == []

    report = drain(studio.settings, jobs, until=datetime.now(timezone.utc) + timedelta(hours=1))
    assert len(report.finished) == studio.renders == 3
    studio.check_nothing_is_broken()


def test_what_is_being_rendered_at_the_end_is_finished(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.import_(stills(8))
    studio.plan()
    monkeypatch.setattr(Desk, "is_closing", property(lambda desk: bool(desk.handled)))
    report = drain(studio.settings.model_copy(update={"prompts_in_flight": 1}), on_event=studio.events.append)
    assert len(report.finished) == studio.renders == 1
    assert [row.status for row in studio.query("SELECT status FROM render_queue ORDER BY id")] == [
        "completed", *["queued"] * 7
    ]  # fmt: skip
    studio.check_nothing_is_broken()
