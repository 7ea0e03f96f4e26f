"""Defends contexts: scene and cut are resolved as the file says, with a constant number of queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.context import CutContext, DialogueLine
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline_tests.story.files import EXAMPLE, read, small


def imported(session: Session, folder: Path, data: Any) -> dict[str, CutContext]:
    """The contexts of all cuts of a production that is imported now."""
    production = read(folder, data)
    apply(session, production, compare(session, production), MediaStore(f"file://{folder / 'media'}"))
    return load_cut_contexts(session, active_cut_keys(session))


def test_a_palette_that_an_earlier_client_stored_as_a_list_is_read_and_shown_as_a_difference(
    session: Session, tmp_path: Path
) -> None:
    imported(session, tmp_path, small())
    session.execute(text('UPDATE story_bibles SET color_palette = \'["#102030", "#ffcc66"]\''))
    (context, *_) = load_cut_contexts(session, active_cut_keys(session)).values()
    assert context.bible.color_palette == {"#102030": "#102030", "#ffcc66": "#ffcc66"}
    assert not compare(session, read(tmp_path, small())).is_empty
    (context, *_) = imported(session, tmp_path, small()).values()
    assert context.bible.color_palette == {"sea": "#102030"}


def statements(session: Session, keys: list[str]) -> int:
    """How many statements loading the keys takes."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    load_cut_contexts(session, keys)
    event.remove(connection, "before_cursor_execute", note)
    return len(seen)


def test_a_cut_takes_costume_and_feeling_from_its_scene(session: Session, tmp_path: Path) -> None:
    context = imported(session, tmp_path, small())["small.e01.s001.c0010"]
    mika, toru = context.figures
    assert mika.outfit is not None
    assert mika.outfit.name == "raincoat"
    assert mika.outfit.prompt_modifiers == {"attributes": {"outfit": "raincoat"}}
    assert mika.expression is not None
    assert mika.expression.name == "smiling"
    assert (toru.outfit, toru.expression, toru.emotional_state) == (None, None, "calm")
    assert (context.kind, context.duration_frames, context.rendered_frames, context.film_frames) == (
        "still",
        48,
        1,
        48,
    )
    assert (context.scene_key, context.episode_key, context.project_slug) == (
        "small.e01.s001",
        "small.e01",
        "small",
    )
    assert (context.width, context.height, context.fps) == (320, 180, 24)
    assert (context.bible.art_style, context.bible.negative_prompt, context.bible.global_seed) == (
        "ink",
        "blur",
        7,
    )


def test_a_cut_overrides_its_scene(session: Session, tmp_path: Path) -> None:
    data = small()
    data["characters"][0]["variations"].append({"name": "yukata", "type": "outfit"})
    data["episodes"][0]["scenes"][0]["cuts"][0] |= {
        "cast": [
            "Toru",
            {"character": "Mika", "variation": "yukata", "expression": "sleepy", "position": "left"},
        ],
        "seed": 2**64 - 1,
        "workflow": "mine",
        "takes": 3,
    }
    contexts = imported(session, tmp_path, data)
    context = contexts["small.e01.s001.c0010"]
    assert [figure.name for figure in context.figures] == ["Toru", "Mika"]
    mika = context.figures[1]
    assert mika.outfit is not None
    assert (mika.outfit.name, mika.expression, mika.emotional_state, mika.position) == (
        "yukata",
        None,
        "sleepy",
        "left",
    )
    assert (context.seed, context.workflow, context.takes_wanted) == (2**64 - 1, "mine", 3)
    untouched = contexts["small.e01.s001.c0030"].figures[0]
    assert untouched.outfit is not None
    assert untouched.outfit.name == "raincoat"


def test_workflows_fall_back_to_the_project_and_then_to_animatics(session: Session, tmp_path: Path) -> None:
    data = small()
    data["project"]["workflows"] = {"still": "studio-still"}
    contexts = imported(session, tmp_path, data)
    assert contexts["small.e01.s001.c0010"].workflow == "studio-still"
    assert contexts["small.e01.s001.c0020"].workflow == "animatic-loop"
    assert contexts["small.e01.s001.c0030"].workflow == "animatic-video"


def test_lines_are_timed_within_the_film(session: Session, tmp_path: Path) -> None:
    data = small()
    data["episodes"][0]["scenes"][0]["cuts"][1] |= {"repeats": 3, "dialogue": ["Toru: well"]}
    contexts = imported(session, tmp_path, data)
    assert contexts["small.e01.s001.c0030"].dialogue == (
        DialogueLine("Mika", "hello", 0, 14),
        DialogueLine("Toru", "good evening", 14, 48),
    )
    loop = contexts["small.e01.s001.c0020"]
    assert (loop.rendered_frames, loop.film_frames) == (16, 48)
    assert loop.dialogue == (DialogueLine("Toru", "well", 0, 48),)


def test_the_number_of_queries_does_not_grow_with_the_cuts(session: Session, tmp_path: Path) -> None:
    keys = list(imported(session, tmp_path, EXAMPLE.read_text(encoding="utf-8")))
    assert len(keys) >= 14
    assert statements(session, keys) == statements(session, keys[:1]) <= 8


def test_contexts_come_in_the_order_asked_and_unknown_keys_are_named(
    session: Session, tmp_path: Path
) -> None:
    keys = list(reversed(imported(session, tmp_path, small())))
    assert list(load_cut_contexts(session, keys)) == keys
    assert load_cut_contexts(session, []) == {}
    with pytest.raises(StoryError, match=r"no cut small\.e09\.s001\.c0010\."):
        load_cut_contexts(session, [*keys, "small.e09.s001.c0010"])


def test_the_example_changes_clothes_for_its_last_scene(session: Session, tmp_path: Path) -> None:
    contexts = imported(session, tmp_path, EXAMPLE.read_text(encoding="utf-8"))
    worn = {
        key: figure.outfit.name
        for key, context in contexts.items()
        for figure in context.figures
        if figure.name == "Mika" and figure.outfit
    }
    raincoat = {key for key, name in worn.items() if name == "yellow raincoat"}
    yukata = {key for key, name in worn.items() if name == "indigo festival yukata"}
    assert raincoat
    assert yukata == {key for key in contexts if ".s004." in key}
    assert 0 < len(raincoat) < len(contexts) - len(yukata)
