"""What the upgrade relies on, read from the models, so that there is one place that says it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateColumn, CreateIndex

from anime_pipeline.database.models import Base

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
# Columns that v2.0 gives to v1's tables; their absence is no difference.
ADDED_TO_V1 = {
    "characters": {
        "reference_embedding",
        "color_palette",
        "base_prompt",
        "negative_tokens",
        "lora_model_path",
    }
}
DEFAULT_PROJECT = "Default Anime Project"
_SPELLING = {
    "VARCHAR": "character varying",
    "TIMESTAMP WITHOUT TIME ZONE": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}


def _tables_of(module: str) -> dict[str, Table]:
    return {
        mapper.class_.__tablename__: mapper.class_.__table__
        for mapper in Base.registry.mappers
        if mapper.class_.__module__.rsplit(".", 1)[-1] == module
    }


V1 = _tables_of("v1")
V2 = _tables_of("v2")
STUDIO = _tables_of("studio")
PUBLIC = {**V1, **V2}


@dataclass(frozen=True)
class ForeignKey:
    """A reference to another table of ``public``; one column on each side."""

    column: str
    target: str
    target_column: str
    on_delete: str | None


def type_name(column: Column[object]) -> str:
    """The type as ``format_type`` spells it: ``character varying(255)``, ``text[]``."""
    said = str(column.type.compile(dialect=_DIALECT))
    for ours, theirs in _SPELLING.items():
        said = said.replace(ours, theirs)
    return said.lower().replace("float", "double precision")


def default_of(column: Column[object]) -> str | None:
    """The default as SQL; ``nextval`` for an id that counts by itself."""
    if column.server_default is not None:
        said = str(CreateColumn(column).compile(dialect=_DIALECT))
        return said.split(" DEFAULT ", 1)[1].removesuffix(" NOT NULL")
    if column.table.autoincrement_column is column:
        return "nextval"
    return None


def primary_key(table: Table) -> tuple[str, ...]:
    """Its columns."""
    return tuple(column.name for column in table.primary_key.columns)


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    """The other sets of columns that are unique."""
    return [
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint) and not isinstance(constraint, PrimaryKeyConstraint)
    ]


def foreign_keys(table: Table) -> list[ForeignKey]:
    """Its references, by column."""
    found = []
    for constraint in table.constraints:
        if isinstance(constraint, ForeignKeyConstraint):
            element = constraint.elements[0]
            target, column = element.target_fullname.rsplit(".", 1)
            found.append(ForeignKey(element.parent.name, target, column, constraint.ondelete))
    return sorted(found, key=lambda key: key.column)


def index_statements(table: Table) -> list[tuple[str, str]]:
    """(name, statement) of each plain index; the statement does nothing where the name is taken."""
    return [
        (str(index.name), str(CreateIndex(index, if_not_exists=True).compile(dialect=_DIALECT)))
        for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
