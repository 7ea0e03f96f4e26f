"""What a migration must carry over unchanged: the rows and columns that stood before it.

Beside them it may add columns, quality gates and the default project, and link characters without a project;
so those are left out of the comparison, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from anime_pipeline.database.adoption.connections import quoted
from anime_pipeline.database.adoption.expected import DEFAULT_PROJECT, PUBLIC
from anime_pipeline.database.adoption.fingerprints import (
    Fingerprint,
    Part,
    fingerprint,
    fix_output,
    table_columns,
)

# Tables that a migration adds rows to → the column that tells old rows from new ones.
_GROWING = {"quality_gates": "gate_name", "projects": "name"}
_LINKED = "characters"


@dataclass(frozen=True)
class Carried:
    """Tables of ``public`` with the columns they had, and what those held."""

    parts: dict[str, Part]
    fingerprints: dict[str, Fingerprint]

    def as_json(self) -> dict[str, Any]:
        """For the migration's record in the backup's folder."""
        return {
            name: {**asdict(part), **asdict(self.fingerprints[name])} for name, part in self.parts.items()
        }


def before_migration(connection: Connection, known: Mapping[str, Fingerprint] | None = None) -> Carried:
    """What stands now in the tables that we know.

    ``known`` says what tables should hold, as ``schema.table``: it is believed instead of counting, and the
    comparison afterwards proves it.
    """
    parts = {}
    for (schema, table), columns in table_columns(connection).items():
        if schema != "public" or table not in PUBLIC:
            continue
        only = None
        if table in _GROWING and _GROWING[table] in columns:
            place = f"public.{table}"
            held = connection.scalars(text(f"SELECT DISTINCT {_GROWING[table]} FROM {place}")).all()
            only = (_GROWING[table], tuple(str(value) for value in held if value is not None))
        parts[table] = Part(tuple(columns), only)
    proved = {
        table: (known or {})[f"public.{table}"]
        for table in parts
        if f"public.{table}" in (known or {}) and table not in (*_GROWING, _LINKED)
    }
    to_count = {table: part for table, part in parts.items() if table not in proved}
    return Carried(parts, {**carried_fingerprints(connection, to_count), **proved})


def carried_fingerprints(connection: Connection, parts: dict[str, Part]) -> dict[str, Fingerprint]:
    """What those parts hold now; a table that is gone is left out."""
    fix_output(connection)
    standing = table_columns(connection)
    linked = _unlinked_project_id(connection, standing)
    found = {}
    for table, part in parts.items():
        held = standing.get(("public", table), {})
        if not set(part.columns) <= set(held):
            continue
        replaced = {"project_id": linked} if linked and table == _LINKED and "project_id" in held else {}
        exact = Part(part.columns, part.only, replaced)
        found[table] = fingerprint(connection, "public", table, exact, held.get("id", ""))
    return found


def _unlinked_project_id(
    connection: Connection, standing: dict[tuple[str, str], dict[str, str]]
) -> str | None:
    """``project_id`` with the default project told as no project: linking to it is no change."""
    if "name" not in standing.get(("public", "projects"), {}) or "id" not in standing["public", "projects"]:
        return None
    query = text("SELECT CAST(id AS text) FROM public.projects WHERE name = :name")
    number = connection.scalar(query, {"name": DEFAULT_PROJECT})
    column = quoted(connection, "project_id")
    return None if number is None else f"NULLIF(CAST({column} AS text), '{number}')"
