"""Defends that small differences are completed or kept, and what can't be reconciled is refused by name."""

from __future__ import annotations

import pytest

from anime_pipeline.database.adoption.connections import transaction
from anime_pipeline.database.adoption.environment import verify_environment
from anime_pipeline.database.adoption.errors import AdoptionError
from anime_pipeline.database.adoption.migrating import Migration, find_differences, migrate_database
from anime_pipeline_tests.database.adoption.conftest import Studio


@pytest.fixture
def major() -> str:
    """The older of the two."""
    return "16"


def come_over(studio: Studio) -> Migration:
    return migrate_database(studio.url, {}, lambda _: None)


def levels(studio: Studio) -> dict[str, str]:
    """Message → level of every difference."""
    with transaction(studio.url, read_only=True) as connection:
        return {one.message: one.severity for one in find_differences(connection)}


def test_what_v1_made_has_no_difference(studio: Studio) -> None:
    assert levels(studio) == {}
    assert verify_environment(studio.settings).fit


COMPLETED = {
    "ALTER TABLE characters ALTER COLUMN status DROP DEFAULT": "characters.status has no default",
    "ALTER TABLE characters ALTER COLUMN id DROP DEFAULT": "characters.id has no default",
    "ALTER TABLE quality_gates ALTER COLUMN id DROP DEFAULT": "quality_gates.id has no default",
    "ALTER TABLE stories DROP COLUMN author": "stories.author is missing",
    "ALTER TABLE story_branches DROP COLUMN created_at": "story_branches.created_at is missing",
    "ALTER TABLE quality_gates DROP CONSTRAINT quality_gates_gate_name_key": "no unique key (gate_name)",
    "ALTER TABLE user_preferences DROP CONSTRAINT user_preferences_pkey": "no primary key (user_id)",
    "ALTER TABLE face_embeddings DROP CONSTRAINT face_embeddings_anchor_id_fkey": "is no foreign key",
    "SELECT setval('quality_gates_id_seq', 2)": "the counter of quality_gates.id stands at 2",
    "DROP TABLE user_interactions": "",
}


@pytest.mark.parametrize(("statement", "said"), COMPLETED.items())
def test_it_is_completed(studio: Studio, statement: str, said: str) -> None:
    studio.execute(statement)
    if said:
        ((message, level),) = levels(studio).items()
        assert said in message
        assert level == "mended"
    done = come_over(studio)
    assert any(said in message for message in done.mended) or not said
    assert done.verified.public_tables == 25
    assert levels(studio) == {}


KEPT = {
    "ALTER TABLE characters ADD COLUMN voice TEXT": ("characters.voice (text) is unknown", "note"),
    "ALTER TABLE stories ALTER COLUMN current_branch SET DEFAULT 'trunk'": (
        "has the default 'trunk'",
        "note",
    ),
    "ALTER TABLE stories ALTER COLUMN author TYPE TEXT": ("stories.author is text", "note"),
    "ALTER TABLE characters ALTER COLUMN id TYPE BIGINT": ("characters.id is bigint", "note"),
    "ALTER TABLE style_consistency ALTER COLUMN consistency_threshold TYPE NUMERIC "
    "USING NULLIF(NULLIF(consistency_threshold, 'Infinity'), '-Infinity')::numeric": ("is numeric", "note"),
    "ALTER TABLE user_interactions ALTER COLUMN timestamp TYPE TIMESTAMPTZ": ("with time zone", "note"),
    "ALTER TABLE stories ALTER COLUMN author TYPE VARCHAR(60)": ("longer values won't fit", "warning"),
    "ALTER TABLE stories ALTER COLUMN title DROP NOT NULL": ("stories.title may be NULL", "warning"),
    "ALTER TABLE face_embeddings DROP CONSTRAINT face_embeddings_anchor_id_fkey; "
    "UPDATE face_embeddings SET anchor_id = 777 WHERE id < 4": (
        "3 rows refer to none, for example 777",
        "warning",
    ),
}


@pytest.mark.parametrize(("statement", "expected"), KEPT.items())
def test_it_is_kept(studio: Studio, statement: str, expected: tuple[str, str]) -> None:
    studio.execute(statement)
    before = studio.content()
    found = levels(studio)
    assert [level for message, level in found.items() if expected[0] in message] == [expected[1]]
    come_over(studio)
    assert expected[0] in " ".join(levels(studio)), "it is still there"
    after = studio.content()
    assert after["public.stories"] == before["public.stories"]


REFUSED = {
    "ALTER TABLE characters ADD COLUMN studio TEXT NOT NULL DEFAULT 'x'; "
    "ALTER TABLE characters ALTER COLUMN studio DROP DEFAULT": "characters.studio is unknown",
    "ALTER TABLE stories DROP COLUMN title": "stories.title (text) is missing",
    "ALTER TABLE face_embeddings ALTER COLUMN embedding_vector TYPE TEXT USING 'x'": "is text, not bytea",
    "ALTER TABLE characters DROP CONSTRAINT characters_name_key; "
    "UPDATE characters SET name = 'Mika' WHERE id < 3": "values stand in twice: (Mika)",
    "CREATE VIEW jobs AS SELECT 1 AS id": "jobs is no table",
    "CREATE TABLE jobs (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), job_type TEXT NOT NULL)": "UUID draft",
    "ALTER TABLE characters ALTER COLUMN project_id TYPE UUID USING gen_random_uuid()": "UUID draft",
    "CREATE SCHEMA studio; CREATE TABLE studio.takes (id INT)": "studio.takes exists",
}


@pytest.mark.parametrize(("statement", "said"), REFUSED.items())
def test_it_is_refused(studio: Studio, statement: str, said: str) -> None:
    studio.execute(statement)
    before = studio.content()
    with pytest.raises(AdoptionError, match="can't be brought over") as caught:
        come_over(studio)
    assert said in str(caught.value)
    environment = verify_environment(studio.settings)
    assert not environment.fit
    assert any(said in finding.message for finding in environment.blocking)
    assert all(finding.remedy for finding in environment.blocking)
    assert studio.content() == before


HALF_WAY = """
CREATE TABLE projects (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, description TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
INSERT INTO projects (id, name) VALUES (7, 'Lantern Post'), (8, 'Default Anime Project');
UPDATE characters SET project_id = 8 WHERE id < 5;
CREATE TABLE jobs (id SERIAL PRIMARY KEY, project_id INTEGER, character_id INTEGER REFERENCES characters (id),
    job_type VARCHAR(100) NOT NULL, status VARCHAR(50), prompt TEXT);
INSERT INTO jobs (project_id, character_id, job_type) VALUES (7, 1, 'still_image'), (7, NULL, 'full_video');
CREATE TABLE cuts (id SERIAL PRIMARY KEY, scene_id INTEGER, cut_number INTEGER NOT NULL);
ALTER TABLE characters ADD COLUMN base_prompt TEXT;
UPDATE characters SET base_prompt = 'courier' WHERE id = 1
"""


def test_half_way_is_gone_to_the_end(studio: Studio) -> None:
    """Some of the 12 tables stand already, with rows, made by hand."""
    studio.execute(*HALF_WAY.split(";"))
    jobs = studio.content()["public.jobs"].rows
    done = come_over(studio)
    assert done.verified.public_tables == 25
    assert done.verified.tables_compared == 16
    assert {"jobs.priority is missing", "jobs has no index idx_jobs_status"} <= set(done.mended)
    assert any("jobs.project_id → projects is no foreign key" in message for message in done.mended)
    assert levels(studio) == {
        "jobs.character_id → characters is ON DELETE NO ACTION, not SET NULL; it is kept": "note"
    }
    assert studio.content()["public.jobs"].rows == jobs
    assert studio.scalar("SELECT count(*) FROM projects") == 2
    assert studio.scalar("SELECT project_id FROM characters WHERE id = 1") == 8
    assert studio.scalar("SELECT base_prompt FROM characters WHERE id = 1") == "courier"
    assert studio.scalar("INSERT INTO projects (name) VALUES ('New') RETURNING id > 8") is True


def test_tables_of_one_s_own_are_kept(studio: Studio) -> None:
    studio.execute("CREATE TABLE invoices (id INT)", "INSERT INTO invoices VALUES (1)")
    assert come_over(studio).verified.other_tables == ("invoices",)
    assert studio.content()["public.invoices"].rows == 1


def test_the_default_project_takes_no_number_that_is_in_use(studio: Studio) -> None:
    studio.execute("UPDATE characters SET project_id = 41 WHERE id = 1")
    come_over(studio)
    assert studio.scalar("SELECT id FROM projects WHERE name = 'Default Anime Project'") == 42
    assert studio.scalar("SELECT project_id FROM characters WHERE id = 1") == 41


def test_an_own_trigger_sleeps_and_wakes(studio: Studio) -> None:
    studio.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$",
        "CREATE TRIGGER own BEFORE UPDATE ON characters FOR EACH ROW EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER asleep BEFORE UPDATE ON characters FOR EACH ROW EXECUTE FUNCTION refuse()",
        "ALTER TABLE characters ENABLE ALWAYS TRIGGER own",
        "ALTER TABLE characters DISABLE TRIGGER asleep",
    )
    come_over(studio)
    states = "SELECT string_agg(tgenabled::text, '' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = "
    assert studio.scalar(f"{states} 'characters'::regclass AND NOT tgisinternal") == "DAO"


def test_an_empty_database_becomes_a_new_studio(empty_studio: Studio) -> None:
    assert come_over(empty_studio).verified.public_tables == 25
    assert come_over(empty_studio).applied == ()
