"""The tables as they are: columns, keys and kinds, from PostgreSQL's catalogues. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from anime_pipeline.database.adoption.connections import quoted


@dataclass(frozen=True)
class ColumnShape:
    """A column; ``fills_itself`` says that an identity or an expression gives its value."""

    type: str
    not_null: bool
    default: str | None
    fills_itself: bool


@dataclass(frozen=True)
class ForeignKeyShape:
    """A reference of one column; ``valid`` is False where rows were never checked."""

    name: str
    column: str
    target: str
    target_column: str
    on_delete: str | None
    valid: bool


@dataclass
class TableShape:
    """A table; ``is_table`` is False for a view or another thing of that name."""

    name: str
    is_table: bool
    owned: bool
    has_rows: bool = False
    columns: dict[str, ColumnShape] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    unique: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[ForeignKeyShape] = field(default_factory=list)
    indexes: set[str] = field(default_factory=set)


def read_shapes(connection: Connection, schema: str, names: Iterable[str]) -> dict[str, TableShape]:
    """The shapes of those of the named tables that exist in a schema."""
    wanted = {"schema": schema, "names": list(names)}
    shapes = {
        row.relname: TableShape(row.relname, row.relkind in "rp", row.owned)
        for row in connection.execute(text(_RELATIONS), wanted)
    }
    for row in connection.execute(text(_COLUMNS), wanted):
        shapes[row.relname].columns[row.attname] = ColumnShape(
            row.type, row.attnotnull, row.default, bool(row.attidentity or row.attgenerated)
        )
    for row in connection.execute(text(_KEYS), wanted):
        shape = shapes[row.relname]
        if row.indisprimary:
            shape.primary_key = tuple(row.columns)
        elif row.plain:
            shape.unique.append(tuple(row.columns))
        shape.indexes.add(row.index_name)
    for row in connection.execute(text(_REFERENCES), wanted):
        shapes[row.relname].foreign_keys.append(
            ForeignKeyShape(row.conname, row.column, row.target, row.target_column, row.on_delete, row.valid)
        )
    for shape in shapes.values():
        if shape.is_table:
            place = f"{quoted(connection, schema)}.{quoted(connection, shape.name)}"
            shape.has_rows = bool(_may_read(connection, schema, shape.name)) and bool(
                connection.scalar(text(f"SELECT EXISTS (SELECT FROM {place})"))
            )
    return shapes


def _may_read(connection: Connection, schema: str, table: str) -> object:
    return connection.scalar(
        text("SELECT has_table_privilege(quote_ident(:schema) || '.' || quote_ident(:name), 'SELECT')"),
        {"schema": schema, "name": table},
    )


_RELATIONS = """
    SELECT c.relname, c.relkind, pg_has_role(c.relowner, 'USAGE') AS owned
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY(:names) AND c.relkind NOT IN ('i', 'I')
    ORDER BY c.relname"""
_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid) AS default, a.attidentity, a.attgenerated
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE n.nspname = :schema AND c.relname = ANY(:names) AND c.relkind NOT IN ('i', 'I')
    ORDER BY c.relname, a.attnum"""
_KEYS = """
    SELECT c.relname, i.relname AS index_name, x.indisprimary,
           x.indisunique AND x.indpred IS NULL AND x.indexprs IS NULL AND x.indisvalid
               AND x.indimmediate AS plain,
           ARRAY(SELECT a.attname::text FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                 WHERE k.place <= x.indnkeyatts ORDER BY k.place) AS columns
    FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY(:names)
    ORDER BY c.relname, i.relname"""
_REFERENCES = """
    SELECT c.relname, k.conname, a.attname AS column, t.relname AS target, b.attname AS target_column,
           CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                WHEN 'r' THEN 'RESTRICT' END AS on_delete, k.convalidated AS valid
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
    JOIN pg_attribute b ON b.attrelid = t.oid AND b.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND n.nspname = :schema AND c.relname = ANY(:names)
    ORDER BY c.relname, k.conname"""
