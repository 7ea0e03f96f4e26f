"""Rows for every v1 table: NULLs, unicode, JSONB, arrays, bytes, extreme numbers; the same each run."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, text

from anime_pipeline.database.adoption import expected
from anime_pipeline.database.migrations import SQL_FOLDER

ROWS = 30
PARENTS_FIRST = (
    "characters",
    "character_anchors",
    "face_embeddings",
    "generation_consistency",
    "quality_gates",
    "style_consistency",
    "ipadapter_configs",
    "stories",
    "story_commits",
    "story_branches",
    "character_evolution",
    "user_interactions",
    "user_preferences",
)
_WORDS = (
    "Mika",
    "灯台守",
    "Ünïcödé",
    '\', "quoted"',
    "tab\tand\nline",
    "🦊🏮",
    "",
    "\\N",
    "%s :name {}",
    "a" * 40,
)
_NUMBERS = (0.0, -0.0, -1.5, 0.1, 1e308, -1e308, 5e-324, 1 / 3, float("inf"), float("-inf"), float("nan"))


def create_v1(connection: Connection, rows: int = ROWS, seed: int = 1) -> None:
    """Make the 13 tables as the first system had them, with ``rows`` rows in each."""
    driver = connection.connection.dbapi_connection
    assert driver is not None
    with driver.cursor() as cursor:
        cursor.execute((SQL_FOLDER / "0001_v1.up.sql").read_text(encoding="utf-8"))
    fill_v1(connection, rows, seed)


def fill_v1(connection: Connection, rows: int, seed: int = 1) -> None:
    """Insert generated rows; ids come from the tables' own counters."""
    chance = random.Random(seed)
    keys: dict[str, list[Any]] = {}
    for name in PARENTS_FIRST:
        table = expected.V1[name]
        (key,) = table.primary_key.columns
        absent = expected.ADDED_TO_V1.get(name, ())
        references = {one.column: one.target for one in expected.foreign_keys(table)}
        columns = [c for c in table.columns if c.name not in absent and c is not table.autoincrement_column]
        records = [
            {
                column.name: _value(chance, column, number, references.get(column.name), keys)
                for column in columns
            }
            for number in range(rows)
        ]
        listed = ", ".join(column.name for column in columns)
        values = ", ".join(f":{column.name}" for column in columns)
        statement = text(f"INSERT INTO public.{name} ({listed}) VALUES ({values})").bindparams()
        typed = statement.bindparams(*(_bind(column) for column in columns))
        for record in records:  # a commit may name an earlier one as its parent
            connection.execute(typed, record)
        keys[name] = list(connection.scalars(text(f"SELECT {key.name} FROM public.{name} ORDER BY 1")))


def _bind(column: Column[Any]) -> Any:
    from sqlalchemy import bindparam

    return bindparam(column.name, type_=column.type)


def _value(
    chance: random.Random, column: Column[Any], number: int, target: str | None, keys: dict[str, list[Any]]
) -> Any:
    if target is not None:
        known = keys.get(target, [])
        return chance.choice([None, *known]) if known else None
    kind = expected.type_name(column)
    unique = column.primary_key or (column.name,) in expected.unique_keys(column.table)
    if unique or column.name == "branch_name":
        return f"{chance.choice(_WORDS)} {column.name} {number}"
    if column.nullable and chance.random() < 0.25:
        return None
    return _of_kind(chance, kind)


def _of_kind(chance: random.Random, kind: str) -> Any:
    if kind.startswith(("character varying(", "text")) and not kind.endswith("[]"):
        return chance.choice(_WORDS)
    if kind == "text[]":
        return [chance.choice([None, *_WORDS]) for _ in range(chance.randrange(4))]
    if kind == "jsonb":
        return {
            "word": chance.choice(_WORDS),
            "number": chance.choice([0, -1, 2**70, 1.5e-300, True, None]),
            "list": [chance.choice(_WORDS), {"深い": [[], {}]}],
        }
    if kind == "bytea":
        return bytes(chance.randrange(256) for _ in range(chance.choice([0, 1, 512])))
    if kind == "double precision":
        return chance.choice(_NUMBERS)
    if kind == "integer":
        return chance.choice([None, 7, -1, -(2**31), 2**31 - 1])
    if kind == "boolean":
        return chance.random() < 0.5
    if kind.startswith("timestamp"):
        return datetime(1, 1, 1) + timedelta(microseconds=chance.randrange(300_000_000_000_000_000))
    raise AssertionError(kind)


def table_of(name: str) -> Table:
    """A table's model."""
    return expected.PUBLIC[name]
