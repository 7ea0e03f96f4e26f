"""Defends that the models say what the migrated database is, and that seeds come back as they went in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Connection, MetaData, inspect, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Base, Character, GenerationParams, Project, Seed
from anime_pipeline.database.revision_runs import LEDGER
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

SEEDS = st.integers(min_value=0, max_value=2**64 - 1)


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    with engine_for(settings).connect() as opened:
        yield opened


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    options = {
        **LEDGER,
        "compare_type": True,
        "compare_server_default": True,
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name in (None, "studio"),
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_models_equal_the_migrated_database(connection: Connection) -> None:
    assert differences(connection, Base.metadata) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE cuts ADD COLUMN lens TEXT",
        "ALTER TABLE cuts ALTER COLUMN cut_number DROP NOT NULL",
        "ALTER TABLE cuts ALTER COLUMN status SET DEFAULT 'done'",
        "ALTER TABLE cuts ALTER COLUMN duration_frames TYPE BIGINT",
        "ALTER TABLE cuts DROP CONSTRAINT cuts_scene_id_cut_number_key",
        "DROP INDEX idx_jobs_status",
        "ALTER TABLE generation_params DROP CONSTRAINT generation_params_job_id_fkey",
        "DROP TABLE studio.deliveries CASCADE",
    ],
)
def test_the_comparison_notices(connection: Connection, change: str) -> None:
    connection.execute(text(change))
    assert differences(connection, Base.metadata)


def test_public_has_exactly_25_tables(settings: Settings) -> None:
    assert len(inspect(engine_for(settings)).get_table_names(schema="public")) == 25


def test_what_refers_to_rows_that_are_replaced_is_found_by_an_index(connection: Connection) -> None:
    """A row that goes is looked for in each table that refers to it: without an index, in all of its rows."""
    replaced = ("quality_scores", "studio.measurements", "studio.take_media", "studio.render_leases")
    lacking = """
        SELECT k.conrelid::regclass::text FROM pg_constraint k
        WHERE k.contype = 'f' AND k.confrelid = ANY(CAST(:replaced AS regclass[])) AND NOT EXISTS (
            SELECT FROM pg_index x WHERE x.indrelid = k.conrelid AND x.indkey[0] = k.conkey[1])"""
    assert connection.scalars(text(lacking), {"replaced": list(replaced)}).all() == []


def test_a_new_row_has_the_database_s_defaults(session: Session) -> None:
    project = Project(name="Lantern Post")
    session.add(project)
    session.flush()
    assert (project.type, project.status, project.metadata_) == ("anime", "active", {})
    assert project.created_at is not None


def test_no_value_is_sql_null_not_json_null(session: Session) -> None:
    session.add(Character(name="Mika", visual_traits=None))
    session.flush()
    assert session.scalar(text("SELECT visual_traits IS NULL FROM characters"))


@given(SEEDS)
@example(0)
@example(2**63 - 1)
@example(2**63)
@example(2**64 - 1)
def test_each_seed_has_one_stored_value(seed: int) -> None:
    kind = Seed()
    stored = kind.process_bind_param(seed, None)  # type: ignore[arg-type]
    assert stored is not None
    assert -(2**63) <= stored < 2**63
    assert kind.process_result_value(stored, None) == seed  # type: ignore[arg-type]
    assert stored == seed or seed >= 2**63


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_seeds_come_back_from_the_database(session: Session, seed: int) -> None:
    session.add(GenerationParams(positive_prompt="rain", model_name="animatic", seed=seed, subseed=seed))
    session.flush()
    session.expire_all()
    held = session.scalars(select(GenerationParams).where(GenerationParams.seed == seed)).one()
    assert (held.seed, held.subseed) == (seed, seed)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(session: Session, seed: int) -> None:
    session.add(GenerationParams(positive_prompt="rain", model_name="animatic", seed=seed))
    with pytest.raises(StatementError, match="seed"):
        session.flush()
