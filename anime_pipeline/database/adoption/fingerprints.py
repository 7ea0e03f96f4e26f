"""What a table holds, as a count and a checksum that don't depend on the order of rows.

A row's hash is the first half of the MD5 of its columns' text; a checksum is the sum of hashes modulo 2^64.
Sums find lost, added and changed rows, and rows that stand in twice, which XOR would not. The text of a
value is the same on all PostgreSQL versions from 12 on, once the settings below are fixed. One pass a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from anime_pipeline.database.adoption.connections import quoted

_OUTPUT_SETTINGS = {
    "extra_float_digits": "1",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "TimeZone": "UTC",
    "lc_monetary": "C",
    "row_security": "off",  # an error rather than a part of the rows
}
_MODULUS = 2**64
_INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Fingerprint:
    """What a table held: ``max_id`` is the largest ``id``, where there is an integer column of that name."""

    rows: int
    checksum: str
    max_id: int | None = None


@dataclass(frozen=True)
class Part:
    """The part of a table that a fingerprint covers: some columns, some rows.

    ``only`` is a column and the values that rows must have there; ``expressions`` replaces a column's name
    by SQL, with ``:name`` parameters in ``parameters``.
    """

    columns: tuple[str, ...]
    only: tuple[str, tuple[str, ...]] | None = None
    expressions: Mapping[str, str] = field(default_factory=dict)


def table_columns(connection: Connection) -> dict[tuple[str, str], dict[str, str]]:
    """(schema, table) → column → type, of all ordinary tables; extensions' own tables are left out."""
    query = """
        SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relkind = 'r' AND c.relpersistence <> 't'
          AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.deptype = 'e')
        ORDER BY n.nspname, c.relname, a.attname"""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in connection.execute(text(query)):
        columns = found.setdefault((schema, table), {})
        if column is not None:
            columns[column] = kind
    return found


def fix_output(connection: Connection) -> None:
    """Fix how values become text, for the rest of the transaction."""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in _OUTPUT_SETTINGS.items())
    connection.execute(text(f"SELECT {settings}"))


def fingerprint(
    connection: Connection, schema: str, table: str, part: Part, id_type: str = ""
) -> Fingerprint:
    """Count and sum one table, or a part of it. Call :func:`fix_output` before."""
    values = ", ".join(part.expressions.get(name, quoted(connection, name)) for name in sorted(part.columns))
    where, parameters = "", {}
    if part.only is not None:
        column, held = part.only
        where, parameters = f"WHERE {quoted(connection, column)} = ANY(:held)", {"held": list(held)}
    max_id = "max(id)" if id_type in _INTEGERS else "NULL::bigint"
    # One hash a row and no subquery, so that PostgreSQL may share a large table among its workers.
    query = f"""
        SELECT count(*), sum(('x' || left(md5(ROW({values})::text), 16))::bit(64)::bigint), {max_id}
        FROM {quoted(connection, schema)}.{quoted(connection, table)} {where}"""
    rows, total, largest = connection.execute(text(query), parameters).one()
    return Fingerprint(rows, f"{int(total or 0) % _MODULUS:016x}", largest)


def all_fingerprints(connection: Connection) -> dict[str, Fingerprint]:
    """``schema.table`` → what it holds, of every table of the database."""
    fix_output(connection)
    return {
        f"{schema}.{table}": fingerprint(
            connection, schema, table, Part(tuple(columns)), columns.get("id", "")
        )
        for (schema, table), columns in table_columns(connection).items()
    }


def differing(
    expected: Mapping[str, Fingerprint], found: Mapping[str, Fingerprint], tables: Iterable[str] | None = None
) -> list[str]:
    """What differs, a sentence a table; of ``tables``, or of all that either side names."""
    names: Sequence[str] = sorted(tables if tables is not None else {*expected, *found})
    sentences = []
    for name in names:
        before, after = expected.get(name), found.get(name)
        if before is None or after is None:
            sentences.append(f"{name}: the table is {'missing' if after is None else 'new'}")
        elif before.rows != after.rows:
            sentences.append(f"{name}: {before.rows} rows before, {after.rows} after")
        elif before.checksum != after.checksum:
            sentences.append(f"{name}: the same number of rows ({before.rows}), but other content")
    return sentences
