"""A backup every night, kept for seven days and four weeks, and a restore test every week."""

import dagster as dg

from anime_pipeline.database.adoption.backup import back_up, restore_test
from anime_pipeline.database.adoption.retention import prune
from anime_pipeline.defs.studio import Studio
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings

NIGHTLY = "0 3 * * *"
WEEKLY = "0 5 * * 0"
DEFAULT_STATUS = (
    dg.DefaultScheduleStatus.RUNNING if get_settings().sensors == "on" else dg.DefaultScheduleStatus.STOPPED
)


@dg.op
def make_nightly_backup(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Back up, restore it once, then remove the backups that no day and no week keeps."""
    try:
        backup = back_up(studio.settings, "nightly", context.log.info)
        removed = prune(studio.settings)
    except UserError as error:
        raise dg.Failure(f"{error} {error.remedy or ''}".strip()) from error
    context.add_output_metadata(
        {
            "backup": dg.MetadataValue.path(str(backup.folder)),
            "bytes": sum(file.bytes for file in backup.manifest.files.values()),
            "rows": sum(held.rows for held in backup.manifest.tables.values()),
            "removed": ", ".join(removed) or "none",
        }
    )


@dg.op
def test_newest_backup(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Restore the newest backup into a scratch database and compare every table with its manifest."""
    try:
        tested = restore_test(studio.settings, on_event=context.log.info)
    except UserError as error:
        raise dg.Failure(f"{error} {error.remedy or ''}".strip()) from error
    context.add_output_metadata(
        {"backup": dg.MetadataValue.path(str(tested.folder)), "tables": len(tested.manifest.tables)}
    )


@dg.job(executor_def=dg.in_process_executor, description="Back up the database and thin out old backups.")
def back_up_database() -> None:
    make_nightly_backup()


@dg.job(executor_def=dg.in_process_executor, description="Prove that the newest backup can be restored.")
def restore_test_database() -> None:
    test_newest_backup()


nightly_backup = dg.ScheduleDefinition(
    name="nightly_backup", job=back_up_database, cron_schedule=NIGHTLY, default_status=DEFAULT_STATUS
)
weekly_restore_test = dg.ScheduleDefinition(
    name="weekly_restore_test",
    job=restore_test_database,
    cron_schedule=WEEKLY,
    default_status=DEFAULT_STATUS,
)
