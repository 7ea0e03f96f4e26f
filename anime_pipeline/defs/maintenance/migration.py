"""The job ``migrate_database``: brings an earlier system's database over, each step with what it found."""

import dagster as dg

from anime_pipeline.database.adoption import adopt
from anime_pipeline.database.adoption.backup import back_up as take_backup
from anime_pipeline.database.adoption.environment import require_fit
from anime_pipeline.database.adoption.environment import verify_environment as look
from anime_pipeline.database.adoption.migrating import Migration
from anime_pipeline.defs.metadata import rows_table
from anime_pipeline.defs.mistakes import in_words
from anime_pipeline.defs.studio import Studio
from anime_pipeline.delivery.product_queries import PRODUCT_QUERIES

NEWEST = ""  # what stands for a backup's name where there is nothing to migrate


@dg.op(out=dg.Out(dg.Nothing))
@in_words()
def verify_environment(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> None:
    """Look at server, tools, rights, disks, sessions and tables; fails where something stands in the way."""
    environment = look(studio.settings)
    rows = [
        {"level": f.level, "subject": f.subject, "found": f.message, "to mend it": f.remedy or ""}
        for f in environment.findings
    ]
    context.add_output_metadata({"findings": rows_table(rows), "fit": environment.fit})
    with in_words({"findings": rows_table(rows)}):
        require_fit(environment)


@dg.op(ins={"start": dg.In(dg.Nothing)})
@in_words()
def back_up(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio]) -> str:
    """Back up the database and restore the backup once; gives the backup's name."""
    if adopt.is_newest(studio.settings):
        context.add_output_metadata({"done": "nothing: the database is at the newest revision"})
        return NEWEST
    backup = take_backup(studio.settings, "migration", context.log.info)
    tables: list[dict[str, str | int | float | bool | None]] = [
        {"table": name, "rows": held.rows, "checksum": held.checksum}
        for name, held in backup.manifest.tables.items()
    ]
    context.add_output_metadata(
        {
            "backup": dg.MetadataValue.path(str(backup.folder)),
            "tables": rows_table(tables),
            "rows": sum(held.rows for held in backup.manifest.tables.values()),
            "restored on": backup.manifest.tested_on,
            "seconds": dg.MetadataValue.json(backup.manifest.seconds),
        }
    )
    return backup.name


@dg.op
@in_words()
def rehearse(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio], backup: str) -> str:
    """Restore the backup into a scratch database, migrate it there, and verify it."""
    if backup == NEWEST:
        return NEWEST
    done = adopt.rehearse(studio.settings, backup, PRODUCT_QUERIES, context.log.info)
    context.add_output_metadata(_migration_metadata(done))
    return backup


@dg.op
@in_words()
def migrate(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio], backup: str) -> str:
    """Migrate the real database in one transaction, verified before it is committed."""
    if backup == NEWEST:
        return NEWEST
    done = adopt.migrate(studio.settings, backup, PRODUCT_QUERIES, context.log.info)
    undo = f"anime-pipeline db rollback {backup} --yes"
    context.add_output_metadata({**_migration_metadata(done), "to go back": undo})
    return backup


@dg.op
@in_words()
def verify(context: dg.OpExecutionContext, studio: dg.ResourceParam[Studio], backup: str) -> None:
    """Prove the committed database anew: rows, tables, constraints, the product's queries."""
    verified = adopt.verify(studio.settings, PRODUCT_QUERIES, backup or None)
    context.add_output_metadata(
        {
            "revision": verified.revision,
            "tables in public": verified.public_tables,
            "tables of your own": ", ".join(verified.other_tables) or "none",
            "rows compared": verified.rows,
            "queries run": verified.queries_run,
        }
    )


@dg.job(
    executor_def=dg.in_process_executor,
    description="Bring a database of the first system over: look, back up, rehearse, migrate, verify.",
    # A run that dies is looked at by a person, who starts it again; nothing of it is half done.
    tags={"dagster/max_retries": "0"},
)
def migrate_database() -> None:
    verify(migrate(rehearse(back_up(start=verify_environment()))))


def _migration_metadata(done: Migration) -> dict[str, dg.MetadataValue]:
    return {
        "applied": dg.MetadataValue.text(", ".join(done.applied) or "nothing"),
        "completed": rows_table([{"what": message} for message in done.mended]),
        "kept as found": rows_table([{"what": message} for message in done.kept]),
        "rows compared": dg.MetadataValue.int(done.verified.rows),
        "seconds": dg.MetadataValue.float(done.seconds),
    }
