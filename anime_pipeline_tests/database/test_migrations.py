"""Defends the way of the schema: up, down without losing a row, up again, and one migrator at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import inspect, text

from anime_pipeline.database import migrations
from anime_pipeline.database.errors import MigrationError
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.settings import Settings

REVISIONS = sorted(file.name.removesuffix(".up.sql") for file in migrations.SQL_FOLDER.glob("*.up.sql"))


def execute(settings: Settings, *statements: str) -> None:
    with session_scope(settings) as session:
        for statement in statements:
            session.execute(text(statement))


def scalar(settings: Settings, query: str) -> object:
    with session_scope(settings) as session:
        return session.scalar(text(query))


def tables(settings: Settings, schema: str) -> set[str]:
    return set(inspect(engine_for(settings)).get_table_names(schema=schema))


def test_up_down_and_up_again(empty_settings: Settings) -> None:
    assert migrations.status(empty_settings).current is None
    assert migrations.upgrade(empty_settings) == REVISIONS
    assert migrations.downgrade(empty_settings, "base") == REVISIONS[::-1]
    assert tables(empty_settings, "public") == set()
    assert migrations.upgrade(empty_settings) == REVISIONS
    assert migrations.status(empty_settings).pending == ()


def test_up_twice_does_nothing(settings: Settings) -> None:
    assert migrations.upgrade(settings) == []


@pytest.mark.parametrize("revision", ["0002", "0002_v2"])
def test_down_to_a_revision_by_number_or_name(settings: Settings, revision: str) -> None:
    assert migrations.downgrade(settings, revision) == REVISIONS[:1:-1]
    assert migrations.status(settings).current == "0002_v2"


def test_an_unknown_revision_names_the_known_ones(settings: Settings) -> None:
    with pytest.raises(MigrationError) as caught:
        migrations.downgrade(settings, "0099")
    assert "0002_v2" in (caught.value.remedy or "")


def test_a_database_of_a_newer_version_is_left_alone(settings: Settings) -> None:
    execute(settings, "UPDATE studio.schema_revisions SET version_num = '9999_future'")
    with pytest.raises(MigrationError, match="9999_future"):
        migrations.upgrade(settings)


@pytest.mark.parametrize(
    ("statement", "target", "named"),
    [
        ("INSERT INTO stories (story_id, title) VALUES ('s', 'S')", "base", "stories"),
        (
            "UPDATE quality_gates SET threshold_value = 0.5 WHERE gate_name = 'style_clip_minimum'",
            "base",
            "own",
        ),
        ("INSERT INTO projects (name) VALUES ('Lantern Post')", "0001", "projects"),
        ("INSERT INTO characters (name, base_prompt) VALUES ('Mika', 'courier')", "0001", "characters"),
        ("INSERT INTO jobs (job_type) VALUES ('still_image')", "0001", "jobs"),
        (
            "INSERT INTO studio.media_files (sha256, kind, suffix, bytes, location) "
            "VALUES (repeat('a', 64), 'image', '.png', 1, 'aa')",
            "0002",
            "media_files",
        ),
        (
            "UPDATE quality_gates SET threshold_value = 0.2 WHERE gate_name = 'temporal_lpips_maximum'",
            "0003",
            "own",
        ),
        (
            "WITH file AS (INSERT INTO studio.media_files (sha256, kind, suffix, bytes, location) "
            "VALUES (repeat('a', 64), 'image', '.png', 1, 'aa') RETURNING sha256) "
            "INSERT INTO studio.style_pictures SELECT p.id, file.sha256, 'approved' FROM projects p, file",
            "0006",
            "style_pictures",
        ),
        (
            "INSERT INTO studio.gate_overrides (scope_key, phase, verdict_id, verdict, verdict_reason, "
            "judged_sha256, overridden_by, reason) "
            "VALUES ('show.e01', 'phase_3_video', 1, 'failed', 'why', repeat('a', 64), 'Aki', 'because')",
            "0010",
            "gate_overrides",
        ),
        (
            "INSERT INTO studio.threshold_changes (gate_name, changed_by) VALUES ('some_minimum', 'Mo')",
            "0010",
            "threshold_changes",
        ),
        (
            "INSERT INTO studio.render_environments (environment_hash, facts) VALUES (repeat('a', 64), '{}')",
            "0005",
            "render_environments",
        ),
        (
            "WITH job AS (INSERT INTO jobs (job_type) VALUES ('still_image') RETURNING id) "
            "INSERT INTO studio.job_callbacks (job_id, url) SELECT id, 'https://studio.example' FROM job",
            "0013",
            "job_callbacks",
        ),
        ("INSERT INTO studio.outbox (event_type, job_id) VALUES ('job.failed', 1)", "0012", "outbox"),
        (
            "INSERT INTO studio.inbox (event_id, source, body_sha256, signatures, state, reason) "
            "VALUES ('e', 'webhook', repeat('a', 64), '{}', 'refused', 'why')",
            "0012",
            "inbox",
        ),
        (
            "INSERT INTO studio.project_profiles (project_id, slug, width, height, fps, seed_policy) "
            "SELECT id, 'made', 64, 64, 24, 'random' FROM projects",
            "0008",
            "seed policies",
        ),
        (
            "INSERT INTO studio.project_profiles (project_id, slug, width, height, fps, retention) "
            "SELECT id, 'harbour', 64, 64, 24, '{\"keep\": 2}' FROM projects",
            "0009",
            "project_profiles",
        ),
        (
            "INSERT INTO studio.gate_thresholds SELECT id, 'style_clip_minimum', 0.8 FROM projects",
            "0003",
            "own",
        ),
    ],
)
def test_down_refuses_to_lose_rows(settings: Settings, statement: str, target: str, named: str) -> None:
    execute(settings, statement)
    with pytest.raises(MigrationError, match=named):
        migrations.downgrade(settings, target)
    assert migrations.status(settings).current == REVISIONS[-1], "a refusal undoes nothing"


def test_an_installation_of_v1_keeps_its_rows_and_thresholds(empty_settings: Settings) -> None:
    """A tower system has the 13 tables and rows, and no ledger."""
    first = (migrations.SQL_FOLDER / "0001_v1.up.sql").read_text()
    with engine_for(empty_settings).begin() as connection:
        connection.exec_driver_sql(first)
    execute(
        empty_settings,
        "INSERT INTO characters (name, updated_at) VALUES ('Mika', '2001-01-01')",
        "UPDATE quality_gates SET threshold_value = 0.6 WHERE gate_name = 'face_similarity_minimum'",
        "INSERT INTO quality_gates (gate_name, gate_type, threshold_value) "
        "VALUES ('temporal_lpips_maximum', 'theirs', 0.3)",
    )
    with engine_for(empty_settings).begin() as connection:
        migrations.upgrade_within(connection)
    gates = "SELECT threshold_value FROM quality_gates WHERE gate_name = "
    assert scalar(empty_settings, f"{gates} 'face_similarity_minimum'") == 0.6
    assert scalar(empty_settings, f"{gates} 'temporal_lpips_maximum'") == 0.3
    assert scalar(
        empty_settings, "SELECT p.name FROM characters c JOIN projects p ON p.id = c.project_id"
    ) == ("Default Anime Project")
    migrations.downgrade(empty_settings, "0001")
    assert scalar(empty_settings, f"{gates} 'temporal_lpips_maximum'") == 0.3
    assert scalar(empty_settings, "SELECT project_id IS NULL FROM characters") is True
    assert scalar(empty_settings, "SELECT updated_at = '2001-01-01' FROM characters") is True


def test_an_update_of_a_character_moves_updated_at(settings: Settings) -> None:
    execute(settings, "INSERT INTO characters (name, updated_at) VALUES ('Mika', '2001-01-01')")
    execute(settings, "UPDATE characters SET description = 'courier'")
    assert scalar(settings, "SELECT updated_at > '2001-01-02' FROM characters") is True


def test_each_metric_that_decides_has_its_gate(settings: Settings) -> None:
    assert scalar(settings, "SELECT count(DISTINCT phase) FROM studio.phase_metrics") == 4
    wrong_side = (
        "SELECT count(*) FROM studio.phase_metrics "
        "WHERE (comparison = 'at_least' AND gate_name NOT LIKE '%minimum') "
        "OR (comparison = 'at_most' AND gate_name NOT LIKE '%maximum')"
    )
    assert scalar(settings, wrong_side) == 0


def test_a_failed_file_leaves_nothing_behind(empty_settings: Settings) -> None:
    execute(empty_settings, "CREATE SCHEMA studio", "CREATE TABLE studio.recipes (something TEXT)")
    with pytest.raises(MigrationError, match="recipes"):
        migrations.upgrade(empty_settings)
    assert tables(empty_settings, "public") == set()
    assert migrations.status(empty_settings).current is None


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE characters (id SERIAL, name TEXT)", "INSERT INTO characters (name) VALUES ('Mika')"],
        ["CREATE TABLE cuts (something TEXT)"],
    ],
)
def test_an_earlier_system_s_tables_are_not_migrated_by_the_way(
    empty_settings: Settings, statements: list[str]
) -> None:
    execute(empty_settings, *statements)
    with pytest.raises(MigrationError, match="earlier system") as caught:
        migrations.upgrade(empty_settings)
    assert "anime-pipeline db migrate" in (caught.value.remedy or "")
    assert len(tables(empty_settings, "public")) == 1
    assert "studio" not in inspect(engine_for(empty_settings)).get_schema_names()


def test_empty_tables_of_v1_need_no_adoption(empty_settings: Settings) -> None:
    execute(empty_settings, "CREATE TABLE user_preferences (user_id VARCHAR(255) PRIMARY KEY)")
    assert migrations.upgrade(empty_settings) == REVISIONS


def test_two_migrators_at_once_apply_each_revision_once(empty_settings: Settings) -> None:
    applied: list[list[str]] = []
    together = threading.Barrier(3)

    def migrate() -> None:
        together.wait()
        applied.append(migrations.upgrade(empty_settings))

    in_threads(migrate, 3)
    assert sorted(applied) == [[], [], REVISIONS]


def test_a_migration_gives_up_on_a_table_in_use(
    empty_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TABLE_LOCK_TIMEOUT", "50ms")
    migrations.upgrade(empty_settings)
    migrations.downgrade(empty_settings, "0001")
    with engine_for(empty_settings).begin() as connection:
        connection.execute(text("LOCK TABLE characters IN ACCESS SHARE MODE"))
        with pytest.raises(MigrationError, match="in use"):
            migrations.upgrade(empty_settings)
    assert migrations.upgrade(empty_settings) == REVISIONS[1:]


def in_threads(work: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
