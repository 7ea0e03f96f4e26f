"""Defends that nothing is lost: any valid production comes back from the database as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import Session

from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.context import CutContext, Figure
from anime_pipeline.story.importer import apply, compare
from anime_pipeline.story.keys import CutKey
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.production import CharacterEntry, CutEntry, Production, SceneEntry
from anime_pipeline_tests.story.files import read
from anime_pipeline_tests.story.generated import productions


@given(productions())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_production_comes_back_as_written_and_twice_is_once(
    session: Session, tmp_path: Path, data: dict[str, Any]
) -> None:
    production = read(tmp_path, data)
    store = MediaStore(f"file://{tmp_path / 'media'}")
    try:
        apply(session, production, compare(session, production), store)
        assert compare(session, production).entries == ()
        written = {
            str(CutKey("made", episode.number, scene.number, cut.number)): (scene, cut)
            for episode in production.episodes
            for scene in episode.scenes
            for cut in scene.cuts
        }
        assert active_cut_keys(session) == sorted(written)
        contexts = load_cut_contexts(session, list(written))
        for key, (scene, cut) in written.items():
            check_cut(contexts[key], production, scene, cut)
    finally:
        session.rollback()


def check_cut(context: CutContext, production: Production, scene: SceneEntry, cut: CutEntry) -> None:
    """The context says what the file says of the cut."""
    project, bible = production.project, production.bible
    assert (context.kind, context.duration_frames) == (cut.kind, cut.duration_frames)
    assert (context.width, context.height, context.fps) == (64, 36, cut.fps or project.fps)
    assert (context.description, context.camera_angle) == (cut.description, cut.camera_angle)
    assert (context.action_notes, context.seed) == (cut.action_notes, cut.seed)
    assert (context.takes_wanted, context.lip_flap) == (cut.takes, cut.moves_lips)
    assert context.workflow == (cut.workflow or f"animatic-{cut.kind}")
    assert (context.location, context.time_of_day) == (scene.location, scene.time_of_day)
    assert (context.mood, context.style_overrides) == (scene.mood, scene.style_overrides)
    assert [(line.speaker, line.text) for line in context.dialogue] == [
        (line.speaker, line.text) for line in cut.dialogue
    ]
    assert (context.bible.art_style, context.bible.color_palette) == (bible.art_style, bible.color_palette)
    assert (context.bible.negative_prompt, context.bible.global_seed) == (
        bible.negative_prompt,
        bible.global_seed,
    )
    shown = cut.cast if cut.cast is not None else scene.cast
    assert [figure.name for figure in context.figures] == [member.character for member in shown]
    for figure in context.figures:
        entry = next(entry for entry in production.characters if entry.name == figure.name)
        check_figure(figure, entry, scene, cut)


def check_figure(figure: Figure, character: CharacterEntry, scene: SceneEntry, cut: CutEntry) -> None:
    """The figure wears, feels and is what the file says."""
    part = next(member for member in scene.cast if member.character == figure.name)
    own = next((member for member in cut.cast or () if member.character == figure.name), None)
    outfit = (own.variation if own else None) or part.costume_variant
    feeling = (own.expression if own else None) or part.emotional_state
    expressions = {entry.name for entry in character.variations if entry.type == "expression"}
    assert (figure.outfit.name if figure.outfit else None) == outfit
    assert figure.emotional_state == feeling
    assert (figure.expression.name if figure.expression else None) == (
        feeling if feeling in expressions else None
    )
    assert figure.position == ((own.position if own else None) or part.position)
    assert {(a.type, a.value, a.prompt_tokens, a.priority) for a in figure.attributes} == {
        (entry.type, entry.value, tuple(entry.prompt_tokens), entry.priority)
        for entry in character.attributes
    }
    assert figure.base_prompt == (character.base_prompt or None)
    assert figure.negative_tokens == tuple(character.negative_tokens)
