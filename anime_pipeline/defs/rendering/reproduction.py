"""The job ``reproduce_takes``: renders finished takes again and records whether the same pixels came out."""

import dagster as dg
from pydantic import Field

from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.studio import Studio
from anime_pipeline.quality.reproducibility import record_reproductions
from anime_pipeline.rendering.reproduction import reproduce


class TakesToReproduce(dg.Config):
    """The takes to render again."""

    job_ids: list[int] = Field(
        description="Finished takes, by the job that anime-pipeline takes list CUT shows."
    )


@dg.op(pool="comfyui")
@in_words()
def render_takes_again(
    context: dg.OpExecutionContext, config: TakesToReproduce, studio: dg.ResourceParam[Studio]
) -> list[int]:
    """Render the stored recipes again, compare with the first takes, and store each verdict."""
    reports = reproduce(studio.settings, config.job_ids)
    rows: list[dict[str, str | int | float | bool | None]] = [
        {
            "job": str(one.job_id),
            "again as": str(one.second_job_id),
            "verdict": one.verdict,
            "found": one.reason,
            "changed": ", ".join(change.field for change in one.environment),
        }
        for one in reports
    ]
    verdicts = [one.verdict for one in reports]
    context.add_output_metadata(
        {"takes": rows_table(rows), **{name: verdicts.count(name) for name in sorted(set(verdicts))}}
    )
    return list(config.job_ids)


@dg.op
def record_reproducibility(
    context: dg.OpExecutionContext, job_ids: list[int], studio: dg.ResourceParam[Studio]
) -> None:
    """Record the verdicts as the metric ``reproducible`` of the first takes."""
    with studio.session() as session:
        recorded = record_reproductions(session, job_ids)
    context.log.info(f"{len(recorded)} of {len(job_ids)} takes have a verdict")


@dg.job(
    executor_def=dg.in_process_executor,
    description="Render finished takes again from their stored recipes and compare pixel by pixel.",
)
def reproduce_takes() -> None:
    record_reproducibility(render_takes_again())
