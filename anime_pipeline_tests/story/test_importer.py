"""Defends imports: what the difference shows is written, twice changes nothing, what is gone stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    CharacterAnchor,
    CharacterAttribute,
    CharacterVariation,
    Cut,
    CutProfile,
    Episode,
    MediaFile,
    Project,
    ProjectProfile,
    Scene,
    SceneCharacter,
    StoryBible,
)
from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.difference import Difference
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys, active_scene_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline_tests.story.files import EXAMPLE, picture, read, small

Bring = Callable[[Any], Difference]
TABLES = (
    Project, ProjectProfile, StoryBible, Character, CharacterAttribute, CharacterVariation, CharacterAnchor,
    Episode, Scene, SceneCharacter, Cut, CutProfile, MediaFile,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    """An empty media store."""
    return MediaStore(f"file://{tmp_path / 'media'}")


@pytest.fixture
def bring(session: Session, store: MediaStore, tmp_path: Path) -> Bring:
    """Imports data and commits; gives the difference that was written."""

    def bring(data: Any) -> Difference:
        production = read(tmp_path, data)
        difference = compare(session, production)
        apply(session, production, difference, store)
        session.commit()
        return difference

    return bring


def everything(session: Session) -> list[Any]:
    """All rows of the story, with their dates."""
    return [
        session.execute(select(model.__table__).order_by(*model.__table__.primary_key)).all()
        for model in TABLES
    ]


def entries(difference: Difference) -> set[tuple[str, str, str]]:
    """Kind, name and state of each entry."""
    return {(entry.kind, entry.name, entry.state) for entry in difference.entries}


def scenes_of(data: dict[str, Any]) -> Any:
    """The scenes of the first episode."""
    return data["episodes"][0]["scenes"]


def test_a_first_import_adds_everything(session: Session, bring: Bring) -> None:
    difference = bring(small())
    assert {entry.state for entry in difference.entries} == {"added"}
    assert ("cut", "small.e01.s001.c0030", "added") in entries(difference)
    assert active_cut_keys(session) == [
        "small.e01.s001.c0010",
        "small.e01.s001.c0020",
        "small.e01.s001.c0030",
        "small.e01.s002.c0010",
    ]
    assert active_cut_keys(session, "small.e01.s002") == ["small.e01.s002.c0010"]
    assert active_cut_keys(session, "small.e01.s001.c0020") == ["small.e01.s001.c0020"]
    assert active_cut_keys(session, "smal") == []
    assert active_scene_keys(session, "small") == ["small.e01.s001", "small.e01.s002"]
    assert active_episode_keys(session) == ["small.e01"]
    cut = session.scalars(select(Cut).where(Cut.cut_number == 30)).one()
    assert cut.dialogue == "Mika: hello\nToru: good evening"
    names = session.scalars(select(Character.name).where(Character.id.in_(cut.character_ids or [])))
    assert set(names) == {"Mika", "Toru"}
    assert session.scalars(select(Scene.duration_frames).where(Scene.scene_number == 1)).one() == 48 + 16 + 48


@pytest.mark.parametrize("which", ["small", "example"])
def test_the_same_file_twice_changes_nothing_at_all(
    session: Session, store: MediaStore, bring: Bring, which: str
) -> None:
    data = small() if which == "small" else EXAMPLE.read_text(encoding="utf-8")
    bring(data)
    before = everything(session)
    difference = bring(data)
    assert difference.is_empty
    assert difference.unchanged["cut"] == len(active_cut_keys(session))
    assert everything(session) == before


def test_a_dry_run_writes_nothing(session: Session, tmp_path: Path) -> None:
    before = everything(session)
    assert not compare(session, read(tmp_path, small())).is_empty
    assert everything(session) == before


def test_changes_are_named_by_field_with_old_and_new(session: Session, bring: Bring) -> None:
    bring(small())
    data = small()
    data["characters"][0]["attributes"][0]["value"] = "indigo"
    scenes_of(data)[0]["cuts"][2]["dialogue"] = ["Mika: good night"]
    scenes_of(data)[0]["mood"] = "calm"
    difference = bring(data)
    changes = {
        (entry.name, change.field): (change.old, change.new)
        for entry in difference.entries
        for change in entry.changes
    }
    assert changes == {
        ("Mika hair_color", "attribute_value"): ("teal", "indigo"),
        ("small.e01.s001.c0030", "dialogue"): (
            [{"speaker": "Mika", "text": "hello"}, {"speaker": "Toru", "text": "good evening"}],
            [{"speaker": "Mika", "text": "good night"}],
        ),
        ("small.e01.s001", "mood"): ("", "calm"),
    }
    assert bring(data).is_empty
    context = load_cut_contexts(session, ["small.e01.s001.c0030"])["small.e01.s001.c0030"]
    assert context.mood == "calm"
    assert [line.text for line in context.dialogue] == ["good night"]


def test_an_edited_bible_is_a_new_version(session: Session, bring: Bring) -> None:
    bring(small())
    data = small()
    data["bible"]["color_palette"]["sea"] = "#203040"
    data["bible"]["global_seed"] = 2**64 - 1
    difference = bring(data)
    assert entries(difference) == {("bible", "small", "changed")}
    assert session.scalars(select(StoryBible.version).order_by(StoryBible.version)).all() == [1, 2]
    bible = load_cut_contexts(session, ["small.e01.s001.c0010"])["small.e01.s001.c0010"].bible
    assert (bible.version, bible.color_palette, bible.global_seed) == (2, {"sea": "#203040"}, 2**64 - 1)
    assert bring(data).is_empty


def test_a_cut_that_is_gone_is_omitted_and_comes_back_as_the_same_cut(session: Session, bring: Bring) -> None:
    bring(small())
    before = session.scalars(select(CutProfile.cut_id).order_by(CutProfile.cut_key)).all()
    data = small()
    del scenes_of(data)[0]["cuts"][0]
    assert ("cut", "small.e01.s001.c0010", "omitted") in entries(bring(data))
    assert "small.e01.s001.c0010" not in active_cut_keys(session)
    gone = session.scalars(select(Cut).where(Cut.id == before[0])).one()
    assert gone.status == "omitted"
    assert bring(data).is_empty
    back = bring(small())
    entry = next(entry for entry in back.entries if entry.kind == "cut")
    assert [(change.field, change.old, change.new) for change in entry.changes] == [("omitted", True, False)]
    assert session.scalars(select(CutProfile.cut_id).order_by(CutProfile.cut_key)).all() == before
    session.expire_all()
    assert session.get_one(Cut, before[0]).status == "pending"
    assert "small.e01.s001.c0010" in active_cut_keys(session)


def test_a_scene_and_an_episode_that_are_gone_omit_their_cuts_once(session: Session, bring: Bring) -> None:
    bring(small())
    data = small()
    del scenes_of(data)[1]
    assert entries(bring(data)) == {
        ("scene", "small.e01.s002", "omitted"),
        ("cut", "small.e01.s002.c0010", "omitted"),
    }
    assert bring(data).is_empty
    data["episodes"] = []
    assert ("episode", "small.e01", "omitted") in entries(bring(data))
    assert bring(data).is_empty
    assert active_cut_keys(session) == []
    assert session.scalar(select(func.count()).select_from(Cut)) == 4


def test_a_new_number_is_another_cut(bring: Bring) -> None:
    bring(small())
    data = small()
    scenes_of(data)[0]["cuts"][0]["number"] = 15
    assert entries(bring(data)) == {
        ("cut", "small.e01.s001.c0015", "added"),
        ("cut", "small.e01.s001.c0010", "omitted"),
    }


def test_traits_that_are_gone_are_removed(session: Session, bring: Bring) -> None:
    bring(small())
    data = small()
    del data["characters"][0]["attributes"][0]
    del data["characters"][0]["variations"][1]
    del scenes_of(data)[0]["cast"][1]
    scenes_of(data)[0]["cuts"] = [{"number": 10, "kind": "still", "description": "rain"}]
    found = entries(bring(data))
    assert {
        ("attribute", "Mika hair_color", "omitted"),
        ("variation", "Mika smiling", "omitted"),
        ("cast", "small.e01.s001 Toru", "omitted"),
    } <= found
    figures = load_cut_contexts(session, ["small.e01.s001.c0010"])["small.e01.s001.c0010"].figures
    assert [figure.name for figure in figures] == ["Mika"]
    assert [attribute.type for attribute in figures[0].attributes] == ["outfit"]
    assert figures[0].expression is None
    assert figures[0].emotional_state == "smiling"


def test_a_character_that_is_gone_is_archived_and_comes_back(session: Session, bring: Bring) -> None:
    bring(small())
    data = small()
    data["characters"] = data["characters"][:1]
    scenes_of(data)[0]["cast"] = scenes_of(data)[0]["cast"][:1]
    scenes_of(data)[0]["cuts"] = scenes_of(data)[0]["cuts"][:1]
    assert ("character", "Toru", "omitted") in entries(bring(data))
    status = select(Character.status).where(Character.name == "Toru")
    assert session.scalar(status) == "archived"
    assert bring(data).is_empty
    bring(small())
    assert session.scalar(status) == "draft"
    assert bring(small()).is_empty


def test_characters_of_the_default_project_are_adopted_and_the_difference_says_so(
    session: Session, bring: Bring
) -> None:
    default = session.scalars(select(Project.id).where(Project.name == "Default Anime Project")).one()
    session.execute(
        insert(Character).values(
            name="Mika", project_id=default, description="from before", status="approved"
        )
    )
    session.execute(insert(Character).values(name="Stranger", project_id=default))
    session.commit()
    difference = bring(small())
    entry = next(entry for entry in difference.entries if entry.name == "Mika" and entry.kind == "character")
    assert entry.state == "changed"
    assert ("project", "Default Anime Project", "Small") in [(c.field, c.old, c.new) for c in entry.changes]
    mika = session.scalars(select(Character).where(Character.name == "Mika")).one()
    assert mika.project_id != default
    assert mika.status == "approved"
    assert session.scalar(select(Character.project_id).where(Character.name == "Stranger")) == default
    assert bring(small()).is_empty


def test_names_of_another_project_are_refused_by_name(session: Session, bring: Bring) -> None:
    bring(small())
    other = small()
    other["project"] |= {"slug": "other", "name": "Other"}
    before = everything(session)
    with pytest.raises(StoryError, match=r"Mika \(in Small\), Toru \(in Small\)"):
        bring(other)
    other["project"]["name"] = "Small"
    with pytest.raises(StoryError, match="belongs to another project"):
        bring(other)
    session.rollback()
    assert everything(session) == before


def test_a_project_without_a_profile_is_adopted(session: Session, bring: Bring) -> None:
    session.execute(insert(Project).values(name="Small", description="made by a client"))
    session.commit()
    bring(small())
    assert session.scalar(select(func.count()).select_from(Project).where(Project.name == "Small")) == 1
    assert bring(small()).is_empty


def test_cuts_and_traits_made_by_other_clients_are_brought_in_line(session: Session, bring: Bring) -> None:
    bring(small())
    key = "small.e01.s001.c0010"
    session.execute(delete(CutProfile).where(CutProfile.cut_key == key))
    mika = session.scalars(select(Character.id).where(Character.name == "Mika")).one()
    session.execute(
        insert(CharacterAttribute).values(
            character_id=mika, attribute_type="hair_color", attribute_value="pink"
        )
    )
    session.commit()
    bring(small())
    assert key in active_cut_keys(session)
    values = session.scalars(
        select(CharacterAttribute.attribute_value).where(CharacterAttribute.attribute_type == "hair_color")
    )
    assert sorted(values) == ["teal", "white"]
    assert bring(small()).is_empty


def test_pictures_go_into_the_store_and_are_found_again(
    session: Session, store: MediaStore, bring: Bring, tmp_path: Path
) -> None:
    data = small()
    mika = data["characters"][0]
    mika["variations"][0]["reference_image"] = "raincoat.png"
    mika["anchors"] = [{"name": "front", "type": "style_anchor", "image": "front.png"}]
    scenes_of(data)[0]["background_image"] = "harbour.jpg"
    scenes_of(data)[0]["style_overrides"] = {"line_weight": "thick"}
    for name, color in (("raincoat.png", "yellow"), ("front.png", "teal"), ("harbour.jpg", "navy")):
        picture(tmp_path / name, color)
    bring(data)
    context = load_cut_contexts(session, ["small.e01.s001.c0010"])["small.e01.s001.c0010"]
    assert context.style_overrides == {"line_weight": "thick"}
    [figure] = [figure for figure in context.figures if figure.name == "Mika"]
    assert figure.outfit is not None
    found = {context.background_sha256, figure.outfit.reference_sha256, *figure.anchor_sha256s}
    stored = {row.sha256: row for row in session.scalars(select(MediaFile))}
    assert found == set(stored)
    assert all(store.exists(row.sha256, row.suffix) for row in stored.values())
    assert bring(data).is_empty
    picture(tmp_path / "front.png", "black")
    session.execute(update(CharacterAnchor).values(face_embedding=b"old", quality_score=0.9))
    session.commit()
    assert entries(bring(data)) == {("anchor", "Mika style_anchor front", "changed")}
    anchor = session.scalars(select(CharacterAnchor)).one()
    assert (anchor.face_embedding, anchor.quality_score) == (None, None)
    del mika["anchors"]
    bring(data)
    after = load_cut_contexts(session, ["small.e01.s001.c0010"])["small.e01.s001.c0010"]
    assert after.figures[0].anchor_sha256s == ()
    assert session.scalar(select(func.count()).select_from(CharacterAnchor)) == 1
    assert bring(data).is_empty


def test_a_story_that_changed_meanwhile_is_not_written(
    session: Session, store: MediaStore, bring: Bring, tmp_path: Path
) -> None:
    bring(small())
    data = small()
    scenes_of(data)[0]["mood"] = "calm"
    production = read(tmp_path, data)
    difference = compare(session, production)
    session.execute(update(Scene).values(mood="stormy"))
    session.commit()
    with pytest.raises(StoryError, match="changed while"):
        apply(session, production, difference, store)


def test_a_failed_import_leaves_nothing(session: Session, store: MediaStore, tmp_path: Path) -> None:
    session.execute(text("ALTER TABLE cuts ADD CONSTRAINT no_thirty CHECK (cut_number <> 30)"))
    session.commit()
    before = everything(session)
    production = read(tmp_path, small())
    with pytest.raises(Exception, match="no_thirty"):
        apply(session, production, compare(session, production), store)
    session.rollback()
    assert everything(session) == before
