"""``anime-pipeline db``: look at, back up, migrate and roll back the database of an earlier system."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_facts, print_json, print_table
from anime_pipeline.cli.dagster_process import run_jobs
from anime_pipeline.cli.house import House, write_dagster_home
from anime_pipeline.database.adoption import adopt as adoption
from anime_pipeline.database.adoption import backup as backups
from anime_pipeline.database.adoption import rollback as rolling_back
from anime_pipeline.database.adoption.connections import Which, dagster_url
from anime_pipeline.database.adoption.environment import verify_environment
from anime_pipeline.database.adoption.manifest import Backup
from anime_pipeline.database.adoption.migrating import Migration
from anime_pipeline.delivery.product_queries import PRODUCT_QUERIES
from anime_pipeline.errors import UserError
from anime_pipeline.settings import get_settings

OfDagster = Annotated[
    bool, typer.Option("--dagster", help="Dagster's own database (runs, events), not the studio's.")
]
BackupName = Annotated[str, typer.Argument(help="A backup's name: `anime-pipeline db status` lists them.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``anime-pipeline db``."""
    app.command("verify")(verify)
    app.command("backup")(back_up)
    app.command("migrate")(migrate)
    app.command("rollback")(rollback)
    app.command("restore-test")(restore_test)


def _say(event: str) -> None:
    err.print(f"{event} …", style="dim", soft_wrap=True)


def verify(
    against: Annotated[
        str | None, typer.Option(help="A migrated database: compare with what this backup's migration left.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look whether the database can be migrated, or is whole after it; changes nothing. Status 1 if not."""
    settings = get_settings()
    environment = verify_environment(settings)
    verified = None
    if environment.fit and (against or adoption.is_newest(settings)):
        verified = adoption.verify(settings, PRODUCT_QUERIES, against)
    if as_json:
        facts: dict[str, Any] = {
            "fit": environment.fit,
            "findings": [asdict(f) for f in environment.findings],
        }
        print_json({**facts, "verified": verified and asdict(verified)})
    else:
        rows = [(f.level, f.subject, f.message, f.remedy) for f in environment.findings]
        print_table("The database", ("", "subject", "found", "to mend it"), rows)
        if verified:
            out.print(f"The migrated database is whole: {verified.queries_run} queries of the product ran.")
    raise typer.Exit(0 if environment.fit else 1)


def back_up(as_json: JsonOption = False) -> None:
    """Back up the database and Dagster's own; a backup counts once it was restored and compared."""
    settings = get_settings()
    facts = _backup_facts(backups.back_up(settings, on_event=_say))
    of_dagster = None
    try:
        if dagster_url(settings) is not None:
            made = backups.back_up(
                settings, on_event=lambda event: _say(f"Dagster's: {event}"), which="dagster"
            )
            of_dagster = _backup_facts(made)
    except UserError as error:
        raise UserError(
            f"The database is backed up in {facts['folder']}; Dagster's is not: {error}", error.remedy
        ) from error
    if as_json:
        print_json({**facts, "dagster": of_dagster})
        return
    print_facts(facts)
    if of_dagster is None:
        out.print("Dagster has no database yet, so there is none to back up.")
    else:
        out.print("Dagster's database:")
        print_facts(of_dagster)


def migrate(as_json: JsonOption = False) -> None:
    """Look, back up, rehearse on a copy, migrate in one transaction, verify. Twice does nothing more."""
    done = adoption.adopt(get_settings(), PRODUCT_QUERIES, _say)
    facts = {
        "done": "migrated" if done.migration else "nothing: the database is at the newest revision",
        "backup": done.backup and done.backup.name,
        "rehearsal": done.rehearsal and _migration_facts(done.rehearsal),
        "migration": done.migration and _migration_facts(done.migration),
        "verified": asdict(done.verified),
        "seconds": round(done.seconds, 3),
    }
    if as_json:
        print_json(facts)
        return
    print_facts({"done": facts["done"], "seconds": facts["seconds"]})
    if done.migration and done.backup:
        print_facts(_migration_facts(done.migration))
        out.print(f"To go back: anime-pipeline db rollback {done.backup.name} --yes")


def rollback(
    backup: BackupName,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, and end the sessions of others.")] = False,
    of_dagster: OfDagster = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the database's place; the replaced database is kept under a dated name."""
    settings, which = get_settings(), _which(of_dagster)
    if not yes:
        losses = rolling_back.losses(settings, backup, which)
        listed = "".join(f"\n  - {line}" for line in (*losses.changes, *losses.sessions))
        raise UserError(
            f"Rolling back to {losses.backup} sets this aside:{listed or ' nothing, the rows are the same.'}",
            f"Run `anime-pipeline db rollback {losses.backup}{' --dagster' * of_dagster} --yes` to do it.",
        )
    done = rolling_back.rollback(settings, backup, _say, which)
    if of_dagster:
        _say("ending the runs that were under way when the backup was made")
        write_dagster_home(settings)
        run_jobs(House(settings), ["end-runs"])
    facts = asdict(done)
    if as_json:
        print_json(facts)
        return
    print_facts({"restored": done.backup, "kept as": done.kept_as, "seconds": done.seconds})
    for line in done.losses.changes:
        out.print(f"set aside: {line}", soft_wrap=True)


def restore_test(
    backup: Annotated[str | None, typer.Argument(help="A backup's name; without it, the newest.")] = None,
    of_dagster: OfDagster = False,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a scratch database and compare every table with the manifest."""
    tested = backups.restore_test(get_settings(), backup, _say, _which(of_dagster))
    facts = {"restored": tested.name, "tables": len(tested.manifest.tables), "rows": _rows(tested)}
    print_json(facts) if as_json else print_facts(facts)


def _which(of_dagster: bool) -> Which:
    return "dagster" if of_dagster else "studio"


def _backup_facts(made: Backup) -> dict[str, Any]:
    manifest = made.manifest
    return {
        "name": made.name,
        "folder": str(made.folder),
        "tables": len(manifest.tables),
        "rows": _rows(made),
        "bytes": sum(file.bytes for file in manifest.files.values()),
        "restored on": manifest.tested_on,
        "seconds": manifest.seconds,
        "free bytes left": shutil.disk_usage(made.folder).free,
    }


def _rows(backup: Backup) -> int:
    return sum(held.rows for held in backup.manifest.tables.values())


def _migration_facts(migration: Migration) -> dict[str, Any]:
    return {
        "applied": list(migration.applied),
        "completed": list(migration.mended),
        "kept as found": list(migration.kept),
        "rows compared": migration.verified.rows,
        "seconds": migration.seconds,
    }
