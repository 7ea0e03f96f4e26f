"""How the tables differ from what the upgrade relies on, and what mends it without touching a row.

``blocks``: the upgrade refuses. ``mended``: the upgrade completes it. ``warning``: it is kept, and somebody
should look at it. ``note``: it is kept, and harmless. Nothing is ever dropped or retyped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Column, Connection, Table, text

from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.shapes import ColumnShape, TableShape

Severity = Literal["blocks", "mended", "warning", "note"]
# Types that the product reads and writes alike; the first is the narrower one of two.
_FAMILIES = (
    ("integer", "bigint"),
    ("real", "double precision", "numeric"),
    ("timestamp without time zone", "timestamp with time zone"),
    ("json", "jsonb"),
    ("character varying", "text"),
    ("character varying[]", "text[]"),
)


@dataclass(frozen=True)
class Difference:
    """One difference; ``mend`` are the statements that complete it."""

    table: str
    severity: Severity
    message: str
    remedy: str | None = None
    mend: tuple[str, ...] = ()


def differences_of(
    connection: Connection, tables: Mapping[str, Table], shapes: Mapping[str, TableShape]
) -> list[Difference]:
    """All differences of the tables that exist, in an order in which their mends can run."""
    found: list[Difference] = []
    standing = [(table, shapes[name]) for name, table in sorted(tables.items()) if name in shapes]
    for _, shape in standing:
        if not shape.is_table:
            message = f"{shape.name} is no table"
            found.append(Difference(shape.name, "blocks", message, _RENAME.format(name=shape.name)))
    standing = [(table, shape) for table, shape in standing if shape.is_table]
    for table, shape in standing:
        found += _column_differences(table, shape)
    blocked = {difference.table for difference in found if difference.severity == "blocks"}
    for table, shape in standing:
        if shape.name not in blocked:
            found += _key_differences(connection, table, shape)
    for table, shape in standing:
        if shape.name not in blocked:
            found += _reference_differences(connection, table, shape, shapes, blocked)
    for table, shape in standing:
        if shape.name not in blocked:
            found += _index_differences(table, shape)
    return found


_RENAME = 'Keep it under another name: ALTER TABLE public."{name}" RENAME TO "{name}_before_v2";'


def _column_differences(table: Table, shape: TableShape) -> Iterable[Difference]:
    name = shape.name
    for column in table.columns:
        held = shape.columns.get(column.name)
        if held is None:
            if column.name not in expected.ADDED_TO_V1.get(name, ()):
                yield _missing_column(table, shape, column)
            continue
        wanted = expected.type_name(column)
        if held.type != wanted:
            yield _other_type(name, column.name, wanted, held.type)
        yield from _other_default(table, column, held)
        if not column.nullable and not held.not_null and column.name not in shape.primary_key:
            yield Difference(name, "warning", f"{name}.{column.name} may be NULL")
        if column.nullable and held.not_null and held.default is None and not held.fills_itself:
            yield Difference(
                name, "warning", f"{name}.{column.name} must have a value; anime_pipeline may leave it out",
                f"ALTER TABLE public.{name} ALTER COLUMN {column.name} DROP NOT NULL;",
            )  # fmt: skip
    for extra, held in shape.columns.items():
        if extra in table.columns:
            continue
        if held.not_null and held.default is None and not held.fills_itself:
            yield Difference(
                name, "blocks", f"{name}.{extra} is unknown, and every new row must have a value there",
                f'Give it a default: ALTER TABLE public.{name} ALTER COLUMN "{extra}" SET DEFAULT …;',
            )  # fmt: skip
        else:
            yield Difference(name, "note", f"{name}.{extra} ({held.type}) is unknown; it is kept")


def _missing_column(table: Table, shape: TableShape, column: Column[object]) -> Difference:
    name, kind = shape.name, expected.type_name(column)
    default = expected.default_of(column)
    if column.primary_key or (not column.nullable and shape.has_rows):
        return Difference(
            name, "blocks", f"{name}.{column.name} ({kind}) is missing, and its rows need a value there",
            f"Add the column with the right values, or set the table aside: {_RENAME.format(name=name)}",
        )  # fmt: skip
    # Without a default first: what was there before says nothing about, say, when it was created.
    mend = [
        f"ALTER TABLE public.{name} ADD COLUMN {column.name} {kind}{'' if column.nullable else ' NOT NULL'}"
    ]
    if default is not None:
        mend.append(f"ALTER TABLE public.{name} ALTER COLUMN {column.name} SET DEFAULT {default}")
    return Difference(name, "mended", f"{name}.{column.name} is missing", mend=tuple(mend))


def _other_type(table: str, column: str, wanted: str, held: str) -> Difference:
    bare_wanted, bare_held = _bare(wanted), _bare(held)
    message = f"{table}.{column} is {held}, not {wanted}"
    family = next((family for family in _FAMILIES if bare_wanted in family), (bare_wanted,))
    if bare_held not in family:
        remedy = f"Set the table aside: {_RENAME.format(name=table)}"
        if bare_held == "uuid":
            message += " (a shape of the UUID draft)"
        return Difference(table, "blocks", message, remedy)
    narrower = family.index(bare_held) < family.index(bare_wanted) or _length(held) < _length(wanted)
    if narrower and bare_held != "json":
        remedy = f"ALTER TABLE public.{table} ALTER COLUMN {column} TYPE {wanted};"
        return Difference(table, "warning", f"{message}: longer values won't fit", remedy)
    return Difference(table, "note", message)


def _bare(kind: str) -> str:
    return re.sub(r"\([\d,]+\)", "", kind)


def _length(kind: str) -> float:
    found = re.search(r"\((\d+)\)", kind)
    return int(found[1]) if found else float("inf")


def _other_default(table: Table, column: Column[object], held: ColumnShape) -> Iterable[Difference]:
    wanted = expected.default_of(column)
    where = f"{table.name}.{column.name}"
    if wanted is None or held.fills_itself:
        return
    if held.default is None:
        mend = _counter(table.name, column.name) if wanted == "nextval" else (
            f"ALTER TABLE public.{table.name} ALTER COLUMN {column.name} SET DEFAULT {wanted}",
        )  # fmt: skip
        yield Difference(table.name, "mended", f"{where} has no default", mend=mend)
    elif wanted != "nextval" and _plain(held.default) != _plain(wanted):
        yield Difference(
            table.name, "note", f"{where} has the default {held.default}, not {wanted}; it is kept"
        )


def _counter(table: str, column: str) -> tuple[str, ...]:
    sequence = f"public.{table}_{column}_seq"
    return (
        f"CREATE SEQUENCE IF NOT EXISTS {sequence} AS integer OWNED BY public.{table}.{column}",
        f"ALTER TABLE public.{table} ALTER COLUMN {column} SET DEFAULT nextval('{sequence}')",
    )


def _plain(default: str) -> str:
    """A default without casts, quotes and case, so that two spellings of one value are equal."""
    said = re.sub(r"::[a-z ]+(\(\d+\))?(\[\])?", "", default.lower()).strip("()' ")
    said = {"now": "current_timestamp", "localtimestamp": "current_timestamp"}.get(said, said)
    try:
        return str(float(said))
    except ValueError:
        return said


def _key_differences(connection: Connection, table: Table, shape: TableShape) -> Iterable[Difference]:
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


def _reference_differences(
    connection: Connection,
    table: Table,
    shape: TableShape,
    shapes: Mapping[str, TableShape],
    blocked: set[str],
) -> Iterable[Difference]:
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


def _index_differences(table: Table, shape: TableShape) -> Iterable[Difference]:
    for name, statement in expected.index_statements(table):
        if name not in shape.indexes:
            mend = statement.replace(f" ON {table.name} ", f" ON public.{table.name} ")
            yield Difference(shape.name, "mended", f"{shape.name} has no index {name}", mend=(mend,))
