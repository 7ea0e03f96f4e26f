"""How the tables differ from what the upgrade relies on, and what mends it without touching a row.

``blocks``: the upgrade refuses. ``mended``: the upgrade completes it. ``warning``: it is kept, and somebody
should look at it. ``note``: it is kept, and harmless. Nothing is ever dropped or retyped.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Table

from anime_pipeline.database.adoption.column_differences import column_differences
from anime_pipeline.database.adoption.difference import RENAME, Difference
from anime_pipeline.database.adoption.key_differences import (
    index_differences,
    key_differences,
    reference_differences,
)
from anime_pipeline.database.adoption.shapes import TableShape


def differences_of(
    connection: Connection, tables: Mapping[str, Table], shapes: Mapping[str, TableShape]
) -> list[Difference]:
    """All differences of the tables that exist, in an order in which their mends can run."""
    found: list[Difference] = []
    standing = [(table, shapes[name]) for name, table in sorted(tables.items()) if name in shapes]
    for _, shape in standing:
        if not shape.is_table:
            message = f"{shape.name} is no table"
            found.append(Difference(shape.name, "blocks", message, RENAME.format(name=shape.name)))
    standing = [(table, shape) for table, shape in standing if shape.is_table]
    for table, shape in standing:
        found += column_differences(table, shape)
    blocked = {difference.table for difference in found if difference.severity == "blocks"}
    for table, shape in standing:
        if shape.name not in blocked:
            found += key_differences(connection, table, shape)
    for table, shape in standing:
        if shape.name not in blocked:
            found += reference_differences(connection, table, shape, shapes, blocked)
    for table, shape in standing:
        if shape.name not in blocked:
            found += index_differences(table, shape)
    return found
