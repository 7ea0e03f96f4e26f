"""Defends the look at what was written: nothing is passed over, whatever the order of commits."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database import changes
from anime_pipeline.database.session import engine_for
from anime_pipeline.settings import Settings

ALL = changes.GATES


@pytest.fixture
def cuts(session: Session) -> list[int]:
    """Three cuts of one scene, committed."""
    session.execute(text("INSERT INTO projects (id, name) VALUES (100, 'Tiny')"))
    session.execute(
        text(
            "INSERT INTO studio.project_profiles (project_id, slug, width, height, fps) "
            "VALUES (100, 'tiny', 64, 64, 24)"
        )
    )
    session.execute(text("INSERT INTO episodes (id, project_id, episode_number) VALUES (1, 100, 1)"))
    session.execute(text("INSERT INTO scenes (id, episode_id, scene_number) VALUES (1, 1, 1)"))
    for number in (1, 2, 3):
        session.execute(text("INSERT INTO cuts (id, scene_id, cut_number) VALUES (:n, 1, :n)"), {"n": number})
        session.execute(
            text(
                "INSERT INTO studio.cut_profiles (cut_id, project_id, cut_key, kind, fps) "
                "VALUES (:n, 100, 'tiny.e01.s001.c000' || :n, 'still', 24)"
            ),
            {"n": number},
        )
    session.commit()
    return [1, 2, 3]


def written(session: Session, sql: str) -> None:
    """Run a statement and commit it."""
    session.execute(text(sql))
    session.commit()


def test_the_first_look_concerns_everything_and_the_next_one_nothing(
    session: Session, cuts: list[int]
) -> None:
    first = changes.look(session, ALL, None)
    assert first.cut_ids is None
    assert first.changed == ALL
    session.commit()
    again = changes.look(session, ALL, first.mark)
    assert again.changed == ()
    assert again.cut_ids == frozenset()


@pytest.mark.parametrize(
    ("sql", "table", "cut_ids"),
    [
        ("UPDATE cuts SET description = 'rain' WHERE id = 2", "cuts", {2}),
        ("UPDATE studio.cut_profiles SET omitted_at = now() WHERE cut_id = 3", "studio.cut_profiles", {3}),
        ("UPDATE scenes SET mood = 'calm'", "scenes", None),
        ("INSERT INTO characters (name, project_id) VALUES ('Mika', 100)", "characters", None),
        ("DELETE FROM studio.cut_profiles WHERE cut_id = 1", "studio.cut_profiles", None),
        ("UPDATE studio.project_profiles SET width = 128", "studio.project_profiles", None),
        ("UPDATE quality_gates SET threshold_value = 0.5", "quality_gates", None),
    ],
)
def test_each_change_names_its_table_and_its_cuts(
    session: Session, cuts: list[int], sql: str, table: str, cut_ids: set[int] | None
) -> None:
    mark = changes.look(session, ALL, None).mark
    session.commit()
    written(session, sql)
    found = changes.look(session, ALL, mark)
    assert found.changed == (table,)
    assert found.cut_ids == (None if cut_ids is None else frozenset(cut_ids))


def test_an_import_that_only_renews_the_hash_of_its_file_concerns_nothing_else(
    session: Session, cuts: list[int]
) -> None:
    mark = changes.look(session, ALL, None).mark
    session.commit()
    written(session, f"UPDATE studio.project_profiles SET source_sha256 = '{'a' * 64}', updated_at = now()")
    assert changes.look(session, ALL, mark).changed == ()


def test_a_transaction_that_was_open_during_a_look_is_told_by_the_next(
    session: Session, cuts: list[int], settings: Settings
) -> None:
    mark = changes.look(session, ALL, None).mark
    session.commit()
    with Session(engine_for(settings)) as slow, Session(engine_for(settings)) as quick:
        slow.execute(text("UPDATE cuts SET description = 'slow' WHERE id = 1"))
        written(quick, "UPDATE cuts SET description = 'quick' WHERE id = 2")
        between = changes.look(session, ALL, mark)
        session.commit()
        assert between.cut_ids == {2}
        slow.commit()
    after = changes.look(session, ALL, between.mark)
    assert after.cut_ids is not None
    assert 1 in after.cut_ids
    session.commit()
    assert changes.look(session, ALL, after.mark).changed == ()


def test_a_mark_of_another_cluster_or_of_other_tables_is_no_mark(session: Session, cuts: list[int]) -> None:
    mark = changes.look(session, ALL, None).mark
    assert changes.look(session, changes.STORY, mark).cut_ids is None
    from_the_future = mark.replace('"xid":', '"xid":9')
    assert changes.look(session, ALL, from_the_future).cut_ids is None


def test_every_watched_table_can_be_asked(session: Session) -> None:
    for tables in (changes.PARTITIONS, changes.STORY, changes.TAKES, changes.FILMS, changes.GATES):
        assert set(changes.look(session, tables, None).changed) == set(tables)
    with pytest.raises(ValueError, match="nobody watches"):
        changes.look(session, ("jobs",), None)
