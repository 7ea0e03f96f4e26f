"""What people asked for over the API beside renders: second takes with their verdict, and measurements."""

import dagster as dg

from anime_pipeline.defs.described import sensor
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.run_requests import UNDER_WAY, PlannedRun
from anime_pipeline.defs.sensor_status import DEFAULT_STATUS
from anime_pipeline.defs.studio import Studio
from anime_pipeline.defs.tries import launch
from anime_pipeline.defs.watching import now
from anime_pipeline.quality.reproducibility import record_reproductions
from anime_pipeline.quality.requests import measure_requested, takes_to_measure
from anime_pipeline.rendering.render_hours import RenderHours
from anime_pipeline.rendering.reproduction import serve_second_takes, unjudged_second_takes


@dg.op(pool="comfyui")
@in_words()
def render_second_takes(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> list[int]:
    """Render the second takes that someone asked for, compare with the first, and record each verdict."""
    reports = serve_second_takes(studio.settings)
    for report in reports:
        context.log.info(f"take {report.job_id} again as {report.second_job_id}: {report.verdict}")
    first = [report.job_id for report in reports]
    with studio.session() as session:
        record_reproductions(session, first)
    return first


@dg.op(pool="gpu", ins={"after": dg.In(list[int])})
@in_words()
def measure_asked_takes(
    context: dg.OpExecutionContext, after: list[int], studio: dg.ResourceParam[Studio]
) -> None:
    """Measure the takes that someone wants measured; what is measured already stays."""
    report = measure_requested(studio.settings)
    for take in report.with_outcome("failed"):
        context.log.error(f"{take.cut_key}: {take.reason}")
    context.log.info(f"{len(report.with_outcome('measured'))} takes measured")


@dg.job(
    executor_def=dg.in_process_executor,
    description="Render second takes that were asked for, and measure takes that were asked to be.",
)
def answer_requests() -> None:
    measure_asked_takes(render_second_takes())


@sensor(job=answer_requests, minimum_interval_seconds=30, default_status=DEFAULT_STATUS)
def requests_to_answer(
    context: dg.SensorEvaluationContext, studio: dg.ResourceParam[Studio]
) -> list[dg.RunRequest] | dg.SkipReason:
    """Answers what was asked over the API: reproductions, within the render hours, and measurements."""
    hours = RenderHours.of(studio.settings)
    closed = hours is not None and hours.closes_at(now()) is None
    with studio.session() as session:
        second = [] if closed else list(unjudged_second_takes(session))
        unmeasured = takes_to_measure(session)
    if not second and not unmeasured:
        return dg.SkipReason("Nobody waits for an answer.")
    under_way = context.instance.get_runs(
        dg.RunsFilter(job_name=answer_requests.name, statuses=UNDER_WAY), limit=1
    )
    if under_way:
        return dg.SkipReason(f"Run {under_way[0].run_id[:8]} is answering.")
    revisions = {f"second take {job_id}": "" for job_id in second}
    revisions |= {f"measure {job_id}": str(since) for job_id, since in unmeasured.items()}
    run = PlannedRun(answer_requests.name, tuple(revisions), {}, {})
    launched = launch(context.instance, [run], revisions)
    return launched.requests or dg.SkipReason("; ".join(launched.reasons))
