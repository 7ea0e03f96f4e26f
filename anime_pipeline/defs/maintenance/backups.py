"""Backups of both databases every night, kept for seven days and four weeks; a restore test every week."""

import dagster as dg

from anime_pipeline.database.adoption.backup import back_up, restore_test
from anime_pipeline.database.adoption.connections import Which, dagster_url
from anime_pipeline.database.adoption.retention import prune
from anime_pipeline.defs.maintenance.tidying import tidy_up
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.studio import Studio
from anime_pipeline.settings import get_settings

NIGHTLY = "0 3 * * *"
WEEKLY = "0 5 * * 0"
DEFAULT_STATUS = (
    dg.DefaultScheduleStatus.RUNNING if get_settings().sensors == "on" else dg.DefaultScheduleStatus.STOPPED
)


@dg.op
def make_nightly_backup(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Back up, restore it once, then remove the backups that no day and no week keeps."""
    _back_up(context, studio, "studio")


@dg.op
def make_nightly_backup_of_dagster(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """The same for Dagster's own database: runs, events, partitions, cursors. Neither waits for the other."""
    _back_up(context, studio, "dagster")


@dg.op
def test_newest_backup(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Restore the newest backup into a scratch database and compare every table with its manifest."""
    _test(context, studio, "studio")


@dg.op
def test_newest_backup_of_dagster(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """The same for the newest backup of Dagster's own database."""
    _test(context, studio, "dagster")


@dg.job(
    executor_def=dg.in_process_executor,
    description="Back up both databases, thin out old backups, and remove what nobody needs any more.",
)
def back_up_database() -> None:
    make_nightly_backup()
    make_nightly_backup_of_dagster()
    tidy_up()


@dg.job(executor_def=dg.in_process_executor, description="Prove that the newest backups can be restored.")
def restore_test_database() -> None:
    test_newest_backup()
    test_newest_backup_of_dagster()


@in_words()
def _back_up(context: dg.OpExecutionContext, studio: Studio, which: Which) -> None:
    if not _is_there(context, studio, which):
        return
    backup = back_up(studio.settings, "nightly", context.log.info, which=which)
    removed = prune(studio.settings, which)
    context.add_output_metadata(
        {
            "backup": dg.MetadataValue.path(str(backup.folder)),
            "bytes": sum(file.bytes for file in backup.manifest.files.values()),
            "rows": sum(held.rows for held in backup.manifest.tables.values()),
            "removed": ", ".join(removed) or "none",
        }
    )


@in_words()
def _test(context: dg.OpExecutionContext, studio: Studio, which: Which) -> None:
    if not _is_there(context, studio, which):
        return
    tested = restore_test(studio.settings, on_event=context.log.info, which=which)
    context.add_output_metadata(
        {"backup": dg.MetadataValue.path(str(tested.folder)), "tables": len(tested.manifest.tables)}
    )


def _is_there(context: dg.OpExecutionContext, studio: Studio, which: Which) -> bool:
    """Dagster's storage need not be in our database: a DAGSTER_HOME of one's own may have it elsewhere."""
    there = which == "studio" or dagster_url(studio.settings) is not None
    if not there:
        context.add_output_metadata(
            {"backup": "none: Dagster's storage is not in this installation's server"}
        )
    return there


nightly_backup = dg.ScheduleDefinition(
    name="nightly_backup",
    job=back_up_database,
    description="Backs the databases up; keeps the newest backup of each of the last 7 days and 4 weeks.",
    cron_schedule=NIGHTLY,
    default_status=DEFAULT_STATUS,
)
weekly_restore_test = dg.ScheduleDefinition(
    name="weekly_restore_test",
    job=restore_test_database,
    description="Restores the newest backup into a scratch database and compares every table.",
    cron_schedule=WEEKLY,
    default_status=DEFAULT_STATUS,
)
