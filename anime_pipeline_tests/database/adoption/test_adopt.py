"""Defends that a v1 installation comes over with every row, and goes back with every row, on both servers."""

from __future__ import annotations

from sqlalchemy import text

from anime_pipeline.database import migrations
from anime_pipeline.database.adoption import expected
from anime_pipeline.database.adoption.adopt import adopt, verify
from anime_pipeline.database.adoption.connections import transaction
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
