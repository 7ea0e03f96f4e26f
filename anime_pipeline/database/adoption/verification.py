"""Proves that a migrated database is whole: tables, shapes, constraints, and that the product can read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.carried import Carried, carried_fingerprints
from anime_pipeline.database.adoption.differences import differences_of
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.fingerprints import differing
from anime_pipeline.database.adoption.shapes import read_shapes
from anime_pipeline.database.models import Base

# A query of the product's, by name; it may return anything and must not raise.
ProductQueries = Mapping[str, Callable[[Session], object]]


@dataclass(frozen=True)
class Verified:
    """What was proved."""

    revision: str
    public_tables: int
    other_tables: tuple[str, ...]
    rows: int
    tables_compared: int
    queries_run: int


def verify_migrated(connection: Connection, carried: Carried | None, queries: ProductQueries) -> Verified:
    """Raise AdoptionError, naming all that is wrong, unless the database is whole at the newest revision.

    ``carried`` is what stood before; None where there is nothing to compare with.
    """
    wrong: list[str] = []
    revision = migrations.revision_on(connection)
    if revision != migrations.head_revision():
        wrong.append(f"the revision is {revision}, not {migrations.head_revision()}")
    names = _public_tables(connection)
    wrong += [f"the table public.{name} is missing" for name in sorted(set(expected.PUBLIC) - names)]
    wrong += _shapes(connection)
    wrong += _unproved_references(connection)
    wrong += _unlinked_characters(connection)
    found = carried_fingerprints(connection, carried.parts) if carried else {}
    if carried:
        wrong += differing(carried.fingerprints, found, carried.fingerprints)
    if not wrong:
        wrong += _failing_queries(connection, queries)
    if wrong:
        raise AdoptionError("The migrated database is not whole.", None, tuple(wrong))
    return Verified(
        revision=revision or "",
        public_tables=len(names & set(expected.PUBLIC)),
        other_tables=tuple(sorted(names - set(expected.PUBLIC))),
        rows=sum(one.rows for one in found.values()),
        tables_compared=len(found),
        queries_run=len(Base.registry.mappers) + len(queries),
    )


def _public_tables(connection: Connection) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return set(connection.scalars(text(query)))


def _shapes(connection: Connection) -> list[str]:
    """Differences that the upgrade should have completed or refused."""
    tables = expected.PUBLIC
    left = differences_of(connection, tables, read_shapes(connection, "public", tables))
    wrong = [one.message for one in left if one.severity in ("blocks", "mended")]
    studio = read_shapes(connection, "studio", expected.STUDIO)
    for name, table in expected.STUDIO.items():
        if name not in studio:
            wrong.append(f"the table studio.{name} is missing")
            continue
        missing = [column.name for column in table.columns if column.name not in studio[name].columns]
        wrong += [f"studio.{name}.{column} is missing" for column in missing]
    added = read_shapes(connection, "public", expected.ADDED_TO_V1)
    for name, wanted in expected.ADDED_TO_V1.items():
        missing = sorted(wanted - set(added[name].columns)) if name in added else []
        wrong += [f"{name}.{column} is missing" for column in missing]
    return wrong


def _unproved_references(connection: Connection) -> list[str]:
    """Constraints never checked, besides references whose orphans were there before (and named)."""
    query = """
        SELECT k.conrelid::regclass::text, k.conname FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT k.convalidated AND k.contype <> 'f' AND n.nspname IN ('public', 'studio')"""
    return [
        f"the constraint {name} of {table} isn't valid" for table, name in connection.execute(text(query))
    ]


def _unlinked_characters(connection: Connection) -> list[str]:
    if "characters" not in _public_tables(connection):
        return []
    count = connection.scalar(text("SELECT count(*) FROM public.characters WHERE project_id IS NULL"))
    return [f"{count} characters belong to no project"] if count else []


def _failing_queries(connection: Connection, queries: ProductQueries) -> list[str]:
    """Every model is read once, then the product's own queries run."""
    failing = []
    reading = {
        f"reading {mapper.class_.__name__}": _read_one(mapper.class_) for mapper in Base.registry.mappers
    }
    for name, query in {**reading, **queries}.items():
        try:
            with connection.begin_nested(), Session(connection) as session:
                query(session)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            failing.append(f"{name}: {str(error.orig).strip().splitlines()[0]}")
        except Exception as error:  # whatever a query of the product trips over is a finding
            failing.append(f"{name}: {type(error).__name__}: {error}")
    return failing


def _read_one(model: type[Base]) -> Callable[[Session], object]:
    return lambda session: session.scalars(select(model).limit(1)).all()
