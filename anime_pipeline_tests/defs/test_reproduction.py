"""Defends the job that renders takes again: it does what it is told, and its verdict is the metric."""

from __future__ import annotations

from anime_pipeline.defs.rendering.reproduction import reproduce_takes
from anime_pipeline.defs.studio import Studio as StudioResource
from anime_pipeline_tests.defs.conftest import Line
from anime_pipeline_tests.rendering.studio import stills


def test_the_job_records_the_verdict_as_a_metric(line: Line) -> None:
    line.studio.import_(stills(2))
    jobs = [take.job_id for take in line.studio.render().finished]
    result = reproduce_takes.execute_in_process(
        instance=line.instance,
        resources={"studio": StudioResource(line.studio.settings)},
        run_config={"ops": {"render_takes_again": {"config": {"job_ids": jobs}}}},
        raise_on_error=False,
    )
    assert result.success
    (output,) = [
        event for event in result.get_step_success_events() if event.step_key == "render_takes_again"
    ]
    assert output is not None
    rows = line.studio.query(
        "SELECT job_id, value FROM studio.measurements WHERE metric_name = 'reproducible' ORDER BY job_id"
    )
    assert [(row.job_id, row.value) for row in rows] == [(job, 1.0) for job in jobs]
    assert [row.verdict for row in line.studio.query("SELECT verdict FROM studio.reproductions")] == [
        "identical",
        "identical",
    ]
