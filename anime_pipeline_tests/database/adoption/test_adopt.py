"""Defends that a v1 installation comes over with every row, and goes back with every row, on both servers."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.adopt import adopt, verify
from anime_pipeline.database.adoption.backup import back_up
from anime_pipeline.database.adoption.connections import transaction
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.rollback import rollback
from anime_pipeline_tests.database.adoption.conftest import Studio


def public_tables(studio: Studio) -> set[str]:
    with transaction(studio.url) as connection:
        return set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))


def test_there_and_back_again(studio: Studio) -> None:
    before = studio.content()
    assert all(held.rows >= 30 for held in before.values())
    moved = studio.scalar("SELECT max(updated_at) FROM characters")

    adoption = adopt(studio.settings, {})

    assert adoption.migration is not None
    assert adoption.migration.applied[0] == "0001_v1"
    assert public_tables(studio) == set(expected.PUBLIC)
    assert len(public_tables(studio)) == 25
    assert adoption.verified.tables_compared == 13
    assert migrations.status(studio.settings).pending == ()
    assert studio.scalar("SELECT count(*) FROM characters WHERE project_id IS NULL") == 0
    assert studio.scalar("SELECT max(updated_at) FROM characters") == moved
    assert studio.scalar("SELECT count(*) FROM projects") == 1
    assert studio.scalar("SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'") == 0

    again = adopt(studio.settings, {})
    assert again.migration is None
    verify(studio.settings, {}, adoption.backup.name if adoption.backup else None)

    back = rollback(studio.settings, adoption.backup.name if adoption.backup else "")
    assert studio.content() == before
    assert public_tables(studio) == set(expected.V1)
    assert back.kept_as in studio.server.databases()
    assert len([name for name in studio.server.databases() if name.startswith(studio.database)]) == 2


def test_an_ordinary_owner_goes_there_and_back(studio: Studio) -> None:
    """No superuser: a role that owns the tables and the database, and may create databases."""
    role = f"owner_of_{studio.database}"
    tables = " ".join(f"ALTER TABLE {name} OWNER TO {role};" for name in expected.V1)
    studio.execute(
        f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'secret'",
        f"ALTER DATABASE {studio.database} OWNER TO {role}",
        f"ALTER DATABASE {studio.database} SET work_mem = '5MB'",
        f'ALTER DATABASE {studio.database} SET search_path = public, "their own"',
        f"GRANT CONNECT ON DATABASE {studio.database} TO pg_monitor",
        tables,
    )
    settings = studio.as_role(role, "secret")
    before = studio.content()
    adoption = adopt(settings, {})
    assert adoption.backup is not None
    assert adoption.backup.manifest.tested_on == "the same server"
    migrated = studio.content()
    with pytest.raises(AdoptionError, match="update_updated_at_column") as caught:
        rollback(settings, adoption.backup.name)
    assert "REASSIGN OWNED" in (caught.value.remedy or ""), "the function is the superuser's"
    assert studio.content() == migrated

    studio.execute(f"ALTER FUNCTION update_updated_at_column() OWNER TO {role}")
    kept_as = rollback(settings, back_up(settings).name).kept_as
    assert studio.content() == migrated != before
    assert studio.scalar("SELECT tableowner FROM pg_tables WHERE tablename = 'stories'") == role
    assert studio.scalar("SHOW work_mem") == "5MB"
    assert studio.scalar("SHOW search_path") == 'public, "their own"'
    granted = "SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')"
    assert studio.scalar(granted) is True
    studio.server.execute(
        f"DROP DATABASE {kept_as}",
        f"DROP DATABASE {studio.database}",
        f"DROP ROLE {role}",
        f"CREATE DATABASE {studio.database}",
    )
