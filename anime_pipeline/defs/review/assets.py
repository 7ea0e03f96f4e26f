"""The daily report, as a page of Dagster's UI and a file."""

from datetime import datetime, timezone

import dagster as dg
from pydantic import Field

from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.studio import Studio
from anime_pipeline.review.daily_report import daily_report as report_of
from anime_pipeline.review.daily_report import reported_day, write_report
from anime_pipeline.settings import get_settings


class ReportedDay(dg.Config):
    """The day to report."""

    day: str = Field(default="", description="As 2026-11-22, or today; empty: the last whole day.")


@dg.asset(group_name="review", owners=["team:review"], kinds={"postgres", "markdown"}, code_version="1")
def daily_report(
    context: dg.AssetExecutionContext, config: ReportedDay, studio: dg.ResourceParam[Studio]
) -> dg.MaterializeResult[None]:
    """What the day brought: rendered, passed, failed, retakes, gates, decisions, GPU time, queue, servers."""
    with in_words():
        day = reported_day(studio.settings, config.day, datetime.now(timezone.utc))
    with studio.session() as session:
        report = report_of(session, studio.settings, day)
    path = write_report(studio.settings, report)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(report.markdown()),
            "day": day.isoformat(),
            "file": dg.MetadataValue.path(str(path)),
            **report.totals,
        }
    )


write_daily_report = dg.define_asset_job(
    "write_daily_report", dg.AssetSelection.assets(daily_report), description="Report the last whole day."
)


def _schedule() -> dg.ScheduleDefinition:
    settings = get_settings()
    hour, minute = (settings.daily_report if settings.daily_report != "off" else "07:00").split(":")
    on = settings.sensors == "on" and settings.daily_report != "off"
    return dg.ScheduleDefinition(
        name="daily_report_schedule",
        job=write_daily_report,
        description="Writes the report of the day before: ANIME_DAILY_REPORT says when, or off.",
        cron_schedule=f"{int(minute)} {int(hour)} * * *",
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )


daily_report_schedule = _schedule()
