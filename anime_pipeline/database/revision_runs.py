"""Runs the SQL files of revisions by Alembic, which keeps the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, text

LEDGER = {"version_table": "schema_revisions", "version_table_schema": "studio"}


def run_revisions(
    connection: Connection, up_files: Sequence[Path], revisions: Sequence[str], upwards: bool
) -> None:
    """Run the up files, or the down files, of these revisions in this order, within the caller's transaction.

    ``up_files`` are those of all revisions there are, oldest first.
    """
    scripts = _scripts(up_files)
    chain = RevisionMap(lambda: scripts.values())
    assert chain.heads == (next(reversed(scripts)),)  # reading its heads is what links them
    step = MigrationStep.upgrade_from_script if upwards else MigrationStep.downgrade_from_script

    def steps(heads: Any, context: MigrationContext) -> list[Any]:
        return [step(chain, scripts[name]) for name in revisions]

    connection.execute(text("CREATE SCHEMA IF NOT EXISTS studio"))
    context = MigrationContext.configure(connection, opts={**LEDGER, "fn": steps})
    context.run_migrations(connection=connection)


def _scripts(up_files: Sequence[Path]) -> dict[str, Script]:
    """One Alembic script per pair of SQL files; each follows the one before it."""
    scripts: dict[str, Script] = {}
    for up in up_files:
        name = up.name.removesuffix(".up.sql")
        module = ModuleType(name)
        module.__dict__["down_revision"] = next(reversed(scripts), None)
        module.__dict__["upgrade"] = _runner(up)
        module.__dict__["downgrade"] = _runner(up.with_name(f"{name}.down.sql"))
        scripts[name] = Script(module, name, str(up))
    return scripts


def _runner(file: Path) -> Callable[..., None]:
    def run(connection: Connection) -> None:
        # The driver's own cursor, so that neither `%` nor `:name` in the SQL is taken for a parameter.
        driver = connection.connection.dbapi_connection
        assert driver is not None
        cursor = driver.cursor()
        cursor.execute(file.read_text(encoding="utf-8"))
        cursor.close()

    return run
