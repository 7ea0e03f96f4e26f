"""Columns that are missing, or of another type or default, and columns that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Column, Table

from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.difference import RENAME, Difference
from anime_pipeline.database.adoption.shapes import ColumnShape, TableShape

# Types that the product reads and writes alike; the first is the narrower one of two.
_FAMILIES = (
    ("integer", "bigint"),
    ("real", "double precision", "numeric"),
    ("timestamp without time zone", "timestamp with time zone"),
    ("json", "jsonb"),
    ("character varying", "text"),
    ("character varying[]", "text[]"),
)


def column_differences(table: Table, shape: TableShape) -> Iterable[Difference]:
    """The differences of one table's columns."""
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
            f"Add the column with the right values, or set the table aside: {RENAME.format(name=name)}",
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
        remedy = f"Set the table aside: {RENAME.format(name=table)}"
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
