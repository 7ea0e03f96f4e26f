"""Keys, references and indexes that a table lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Table, text

from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.difference import Difference
from anime_pipeline.database.adoption.shapes import TableShape


def key_differences(connection: Connection, table: Table, shape: TableShape) -> Iterable[Difference]:
    """Primary and unique keys that are missing; rows decide whether they can be added."""
    primary = expected.primary_key(table)
    unique = {frozenset(columns) for columns in shape.unique}
    if shape.primary_key != primary:
        if frozenset(primary) in unique or not shape.primary_key:
            action = f"ADD PRIMARY KEY ({', '.join(primary)})"
            yield from _missing_key(connection, shape, primary, "primary key", action, not shape.primary_key)
        else:
            held = ", ".join(shape.primary_key)
            action = f"ADD UNIQUE ({', '.join(primary)})"
            yield Difference(shape.name, "note", f"{shape.name} has the primary key ({held})")
            yield from _missing_key(connection, shape, primary, "unique key", action, True)
    for columns in expected.unique_keys(table):
        if not set(columns) <= set(shape.columns):
            continue  # once the column is there
        if frozenset(columns) not in unique and frozenset(columns) != frozenset(shape.primary_key):
            action = f"ADD UNIQUE ({', '.join(columns)})"
            yield from _missing_key(connection, shape, columns, "unique key", action, True)


def _missing_key(
    connection: Connection, shape: TableShape, columns: tuple[str, ...], what: str, action: str, needed: bool
) -> Iterable[Difference]:
    if not needed:
        return
    listed = ", ".join(columns)
    where = f"{shape.name} has no {what} ({listed})"
    place = f"public.{shape.name}"
    empty = " OR ".join(f"{column} IS NULL" for column in columns)
    if what == "primary key" and connection.scalar(
        text(f"SELECT EXISTS (SELECT FROM {place} WHERE {empty})")
    ):
        yield Difference(
            shape.name, "blocks", f"{where}, and rows without a value there", "Give them values."
        )
        return
    query = f"""SELECT string_agg(said, ', ') FROM (
        SELECT ROW({listed})::text AS said FROM {place} WHERE NOT ({empty}) GROUP BY {listed}
        HAVING count(*) > 1 ORDER BY 1 LIMIT 5) AS twice"""
    twice = connection.scalar(text(query))
    if twice:
        remedy = "Change one of each, then run the command again."
        yield Difference(shape.name, "blocks", f"{where}, and values stand in twice: {twice}", remedy)
    else:
        yield Difference(shape.name, "mended", where, mend=(f"ALTER TABLE {place} {action}",))


def reference_differences(
    connection: Connection,
    table: Table,
    shape: TableShape,
    shapes: Mapping[str, TableShape],
    blocked: set[str],
) -> Iterable[Difference]:
    """Foreign keys that are missing or were never validated, and rows that refer to none."""
    for key in expected.foreign_keys(table):
        if "." in key.target or key.target in blocked:
            continue
        target = shapes.get(key.target)
        where = f"{shape.name}.{key.column} → {key.target}"
        held = next(
            (
                one for one in shape.foreign_keys
                if (one.column, one.target, one.target_column) == (key.column, key.target, key.target_column)
            ),
            None,
        )  # fmt: skip
        if held is not None and held.on_delete != key.on_delete:
            message = (
                f"{where} is ON DELETE {held.on_delete or 'NO ACTION'}, not {key.on_delete or 'NO ACTION'}"
            )
            yield Difference(shape.name, "note", f"{message}; it is kept")
        if (held is not None and held.valid) or key.column not in shape.columns:
            continue
        orphans, example = _orphans(connection, shape.name, key, target)
        if orphans:
            message = (
                f"{where}: {orphans} rows refer to none, for example {example}; they are kept as they are"
            )
            query = (
                f"SELECT * FROM public.{shape.name} c WHERE {key.column} IS NOT NULL AND NOT EXISTS "
                f"(SELECT FROM public.{key.target} p WHERE p.{key.target_column} = c.{key.column});"
            )
            remedy = f"Correct them when you can: {query}"
            yield Difference(shape.name, "warning", message, remedy)
        elif held is not None:
            mend = f'ALTER TABLE public.{shape.name} VALIDATE CONSTRAINT "{held.name}"'
            yield Difference(shape.name, "mended", f"{where} was never validated", mend=(mend,))
        elif target is not None:
            action = f" ON DELETE {key.on_delete}" if key.on_delete else ""
            mend = (
                f"ALTER TABLE public.{shape.name} ADD FOREIGN KEY ({key.column}) "
                f"REFERENCES public.{key.target} ({key.target_column}){action}"
            )
            yield Difference(shape.name, "mended", f"{where} is no foreign key", mend=(mend,))


def _orphans(
    connection: Connection, table: str, key: expected.ForeignKey, target: TableShape | None
) -> tuple[int, object]:
    missing = "TRUE"
    if target is not None:
        if key.target_column not in target.columns:
            return 0, None
        missing = (
            f"NOT EXISTS (SELECT FROM public.{key.target} p WHERE p.{key.target_column} = c.{key.column})"
        )
    query = f"""SELECT count(*), min(c.{key.column}::text) FROM public.{table} c
                WHERE c.{key.column} IS NOT NULL AND {missing}"""
    count, example = connection.execute(text(query)).one()
    return count, example


def index_differences(table: Table, shape: TableShape) -> Iterable[Difference]:
    """Plain indexes that are missing, by name."""
    for name, statement in expected.index_statements(table):
        if name not in shape.indexes:
            mend = statement.replace(f" ON {table.name} ", f" ON public.{table.name} ")
            yield Difference(shape.name, "mended", f"{shape.name} has no index {name}", mend=(mend,))
