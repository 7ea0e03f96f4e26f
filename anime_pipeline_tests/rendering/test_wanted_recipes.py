"""What is remembered of composing is what composing gives, whatever was edited, by whomever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from anime_pipeline.rendering import wanted_recipes as room
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.planning import picture_suffixes
from anime_pipeline.rendering.recipes import compose_recipe, recipe_hashes
from anime_pipeline.rendering.templates import TemplateError, TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.rendering.wanted_recipes import wanted_recipes
from anime_pipeline.settings import Settings
from anime_pipeline.story import told
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline_tests.made_production import Size, make_production

Found = dict[str, tuple[str, ...]]
OTHER = {
    "text": "{0} || ' and more'", "character varying": "left({0} || '7', 60)", "integer": "{0} + 1",
    "bigint": "{0} + 1", "jsonb": "'{{\"append\": [\"new\"]}}'", "ARRAY": "'{{new}}'", "boolean": "NOT {0}",
    "timestamp without time zone": "{0} + interval '1 day'",
}  # fmt: skip


@pytest.fixture
def keys(settings: Settings, tmp_path: Path) -> list[str]:
    """Two scenes' cuts, with takes, since some go on where the one before ends."""
    size = Size(cuts=8, episodes=2, takes=2)
    return list(make_production(settings, tmp_path, size, files=False, verdicts=False).cut_keys)


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the cuts that were composed since the list was last cleared."""
    seen: list[str] = []

    def noted(context, library, suffixes):  # type: ignore[no-untyped-def]
        seen.append(context.cut_key)
        return recipe_hashes(context, library, suffixes)

    monkeypatch.setattr(room, "recipe_hashes", noted)
    return seen


def slow(session: Session, settings: Settings, keys: list[str]) -> Found:
    """All of it composed."""
    contexts, library = load_render_contexts(session, settings, keys), TemplateLibrary.of(settings)
    suffixes = picture_suffixes(session, contexts.values())
    found: Found = {}
    for key, context in contexts.items():
        try:
            recipes = [
                compose_recipe(context, library, suffixes, Variant(n + 1))
                for n in range(context.takes_wanted)
            ]
            found[key] = tuple(recipe.recipe_hash for recipe in recipes)
        except TemplateError as error:
            found[key] = (str(error),)
    return found


def fast(session: Session, settings: Settings, keys: list[str]) -> Found:
    """What the room says."""
    wanted = wanted_recipes(session, settings, keys)
    assert list(wanted) == keys
    return {key: (str(one.error),) if one.error else one.recipe_hashes for key, one in wanted.items()}


def tables_read(session: Session, keys: list[str]) -> set[str]:
    """Tables that the loader asks."""
    statements: list[str] = []
    connection = session.connection()

    def note(_conn, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    load_cut_contexts(session, keys)
    event.remove(connection, "before_cursor_execute", note)
    return {
        name.removeprefix("studio.").removeprefix("public.")
        for statement in statements
        for name in re.findall(r"(?:FROM|JOIN) ([a-z_.]+)", statement)
    }


def test_every_table_that_the_loader_reads_is_told(session: Session, keys: list[str]) -> None:
    """Whole rows of each of them are hashed; a new table in the loader has to be named there."""
    asked = set(re.findall(r"(?:public|studio)\.([a-z_]+)", str(told._TOLD)))
    assert tables_read(session, keys) <= asked


def test_what_is_not_edited_is_composed_once(
    session: Session, settings: Settings, keys: list[str], composed: list[str]
) -> None:
    """An edit of one scene's place composes that scene's cuts again, and no other."""
    first = fast(session, settings, keys)
    assert sorted(composed) == keys
    assert first == slow(session, settings, keys)
    composed.clear()
    assert fast(session, settings, keys) == first
    assert not composed
    session.execute(text("UPDATE scenes SET location = 'roof' WHERE id = (SELECT min(id) FROM scenes)"))
    again = fast(session, settings, keys)
    assert {key.rpartition(".")[0] for key in composed} == {keys[0].rpartition(".")[0]}
    assert again == slow(session, settings, keys) != first


def test_no_edit_of_any_column_is_missed(session: Session, settings: Settings, keys: list[str]) -> None:
    """Each column of each table that the loader reads is changed by itself, in all rows, and undone."""
    fast(session, settings, keys)
    session.commit()
    columns = session.execute(
        text("""
            SELECT table_schema || '.' || table_name AS of, column_name AS name, data_type AS kind
            FROM information_schema.columns
            WHERE table_schema IN ('public', 'studio') AND table_name = ANY(:tables) AND column_name <> 'id'
        """),
        {"tables": sorted(tables_read(session, keys))},
    ).all()
    tried, mattered = 0, set()
    before = slow(session, settings, keys)
    for column in columns:
        if column.kind not in OTHER:
            continue
        undo = session.begin_nested()
        try:
            other = OTHER[column.kind].format(f'"{column.name}"')
            session.execute(
                text(f'UPDATE {column.of} SET "{column.name}" = {other.replace(":", chr(92) + ":")}')
            )
            expected = slow(session, settings, keys)
        except (DBAPIError, StoryError, LookupError, ValueError, TypeError, AttributeError):
            # What the tables refuse, or the loader cannot read, nobody can be told wrongly.
            undo.rollback()
            continue
        assert fast(session, settings, keys) == expected, f"{column.of}.{column.name}"
        tried += 1
        if expected != before:
            mattered.add(f"{column.of}.{column.name}")
        undo.rollback()
    assert tried > 50
    assert {"public.scenes.location", "public.characters.base_prompt", "studio.cut_profiles.takes_wanted",
            "public.character_attributes.attribute_value", "public.story_bibles.art_style_description",
            "studio.project_profiles.width"} <= mattered  # fmt: skip
    assert fast(session, settings, keys) == before


def test_another_take_before_a_cut_that_goes_on_is_seen(
    session: Session, settings: Settings, keys: list[str]
) -> None:
    """Its first frame is a take's, which no row of the story tells."""
    before = fast(session, settings, keys)
    session.execute(
        text("""
            UPDATE studio.takes SET last_frame_sha256 = (SELECT min(sha256) FROM studio.media_files
                                                         WHERE suffix = '.png')
            WHERE last_frame_sha256 IS NOT NULL
        """)
    )
    after = fast(session, settings, keys)
    assert after == slow(session, settings, keys) != before


def test_a_template_or_a_code_that_changed_composes_anew(
    session: Session,
    settings: Settings,
    keys: list[str],
    composed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The studio's own workflow of a shipped name, and another release."""
    before = fast(session, settings, keys)
    own = settings.home / "workflows"
    own.mkdir(parents=True)
    shipped = Path(room.__file__).parent / "workflows"
    for suffix in (".json", ".yaml"):
        (own / f"wan-video{suffix}").write_bytes((shipped / f"wan-video{suffix}").read_bytes())
    graph = own / "wan-video.json"
    graph.write_text(graph.read_text(encoding="utf-8").replace('"steps": ', '"steps": 1'), encoding="utf-8")
    after = fast(session, settings, keys)
    assert after == slow(session, settings, keys) != before
    composed.clear()
    monkeypatch.setattr(room, "COMPOSER_SHA256", "0" * 64)
    assert fast(session, settings, keys) == after
    assert set(composed) == set(keys)


def test_what_is_edited_while_it_is_composed_is_composed_again(
    session: Session, settings: Settings, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit between the hash and the reading must not be remembered under the hash from before."""
    load = room.load_render_contexts

    def edited(session: Session, settings: Settings, asked: list[str]):  # type: ignore[no-untyped-def]
        session.execute(text("UPDATE scenes SET location = 'roof'"))
        found = load(session, settings, asked)
        session.execute(text("UPDATE scenes SET location = 'harbour'"))
        return found

    monkeypatch.setattr(room, "load_render_contexts", edited)
    fast(session, settings, keys)
    monkeypatch.undo()
    assert session.scalar(text("SELECT count(*) FROM studio.composed_cuts")) == 0
    assert fast(session, settings, keys) == slow(session, settings, keys)


def test_a_reader_that_may_not_write_is_answered(
    session: Session, settings: Settings, keys: list[str]
) -> None:
    """Nothing is remembered then, and nobody fails."""
    session.execute(text("SET TRANSACTION READ ONLY"))
    assert fast(session, settings, keys) == slow(session, settings, keys)
    session.rollback()
    assert session.scalar(text("SELECT count(*) FROM studio.composed_cuts")) == 0
