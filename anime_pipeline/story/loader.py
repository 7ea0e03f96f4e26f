"""Cuts with everything that shows in them, read with a constant number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Cut,
    CutProfile,
    Episode,
    ProjectProfile,
    Scene,
    SceneCharacter,
    StoryBible,
)
from anime_pipeline.story.context import (
    Bible,
    CutContext,
    CutKind,
    DialogueLine,
    Direction,
    Figure,
    SeedPolicy,
)
from anime_pipeline.story.crosschecks import BACKGROUND_KEY, NEGATIVE_KEY
from anime_pipeline.story.directions import directed, directed_cast, impossible, standing_directions
from anime_pipeline.story.figures import StoredCharacter, figure_of, load_characters
from anime_pipeline.story.keys import CutKey
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.pictures import stored_sha256
from anime_pipeline.story.timing import SpokenText, speaking_times

_NO_BIBLE = Bible(0, "", {}, "", "", "", 0)

# The character's name → the character and its row of the scene's cast.
Present = dict[str, tuple[StoredCharacter, Any]]


def load_cut_contexts(session: Session, cut_keys: Collection[str]) -> dict[str, CutContext]:
    """The context of each cut by its key, omitted cuts too, in the order of ``cut_keys``.

    Raises :class:`StoryError` naming the keys that are not stored.
    """
    rows = {row.cut_key: row for row in session.execute(_cuts_query(cut_keys))}
    missing = [key for key in cut_keys if key not in rows]
    if missing:
        listed = ", ".join(missing[:10]) + (" …" if len(missing) > 10 else "")
        raise StoryError(f"There is no cut {listed}.", "anime-pipeline status lists the cuts")
    bibles = load_bibles(session, {row.project_id for row in rows.values()})
    parts = _load_parts(session, {row.scene_id for row in rows.values()})
    directions = standing_directions(session, [row.cut_id for row in rows.values()])
    return {
        key: _context(
            rows[key],
            bibles.get(rows[key].project_id, _NO_BIBLE),
            parts.get(rows[key].scene_id, {}),
            directions.get(rows[key].cut_id, ()),
        )
        for key in cut_keys
    }


def _cuts_query(cut_keys: Collection[str]) -> Any:
    return (
        select(
            CutProfile.cut_id,
            CutProfile.cut_key,
            CutProfile.kind,
            CutProfile.fps,
            CutProfile.workflow,
            CutProfile.takes_wanted,
            CutProfile.spec,
            CutProfile.project_id,
            CutProfile.drawn_seed,
            Cut.description,
            Cut.camera_angle,
            Cut.duration_frames,
            Cut.action_notes,
            Cut.scene_id,
            Scene.location,
            Scene.time_of_day,
            Scene.mood,
            Scene.style_overrides,
            ProjectProfile.slug,
            ProjectProfile.width,
            ProjectProfile.height,
            ProjectProfile.workflows,
            ProjectProfile.models,
            ProjectProfile.seed_policy,
        )
        .join(Cut, Cut.id == CutProfile.cut_id)
        .join(Scene, Scene.id == Cut.scene_id)
        .join(Episode, Episode.id == Scene.episode_id)
        .join(ProjectProfile, ProjectProfile.project_id == CutProfile.project_id)
        .where(CutProfile.cut_key.in_(list(cut_keys)))
    )


def load_bibles(session: Session, project_ids: Iterable[int]) -> dict[int, Bible]:
    """The newest bible of each of these projects that has one."""
    query = select(StoryBible).where(StoryBible.project_id.in_(list(project_ids)))
    query = query.order_by(StoryBible.version.nulls_first()).execution_options(populate_existing=True)
    by_version = session.scalars(query)
    newest = {bible.project_id: bible for bible in by_version}
    return {project_id: _bible(bible) for project_id, bible in newest.items() if project_id is not None}


def _bible(stored: StoryBible) -> Bible:
    requirements = stored.technical_requirements or {}
    return Bible(
        version=stored.version or 0,
        art_style=stored.art_style_description or "",
        color_palette=dict(sorted(palette_of(stored).items())),
        character_design_rules=stored.character_design_rules or "",
        world_building_notes=stored.world_building_notes or "",
        negative_prompt=requirements.get(NEGATIVE_KEY) or "",
        global_seed=stored.global_seed or 0,
        line_weight=stored.line_weight or "",
        shading_style=stored.shading_style or "",
        mood_keywords=tuple(stored.mood_keywords or ()),
    )


def palette_of(bible: StoryBible) -> dict[str, Any]:
    """Its colours by name. An earlier client may have stored a list: its colours are named by themselves."""
    stored: Any = bible.color_palette or {}
    if isinstance(stored, dict):
        return stored
    return {str(colour): colour for colour in (stored if isinstance(stored, list) else [stored])}


def _load_parts(session: Session, scene_ids: Iterable[int]) -> dict[int, Present]:
    query = select(
        SceneCharacter.scene_id,
        SceneCharacter.character_id,
        SceneCharacter.role,
        SceneCharacter.costume_variant,
        SceneCharacter.emotional_state,
        SceneCharacter.position_notes,
    ).where(SceneCharacter.scene_id.in_(list(scene_ids)))
    rows = session.execute(query).all()
    characters = load_characters(session, {row.character_id for row in rows})
    parts: dict[int, Present] = {}
    for row in rows:
        character = characters[row.character_id]
        parts.setdefault(row.scene_id, {})[character.name] = (character, row)
    return parts


def _context(row: Row[Any], bible: Bible, present: Present, directions: tuple[Direction, ...]) -> CutContext:
    key = CutKey.parse(row.cut_key)
    spec = row.spec or {}
    overrides = dict(row.style_overrides or {})
    background = stored_sha256(overrides.pop(BACKGROUND_KEY, None))
    repeats = spec.get("repeats") or 1
    frames = row.duration_frames or 1
    cast_shown = directed_cast(spec.get("cast") or [], directions)
    worn = {
        who["character"]: present[who["character"]][0].worn
        for who in cast_shown
        if who["character"] in present
    }
    return CutContext(
        cut_id=row.cut_id,
        cut_key=row.cut_key,
        scene_key=str(key.scene_key),
        episode_key=str(key.episode_key),
        project_id=row.project_id,
        project_slug=row.slug,
        kind=cast(CutKind, row.kind),
        width=spec.get("width") or row.width,
        height=spec.get("height") or row.height,
        fps=row.fps,
        duration_frames=frames,
        workflow=row.workflow or row.workflows.get(row.kind) or f"animatic-{row.kind}",
        takes_wanted=row.takes_wanted,
        description=row.description or "",
        camera_angle=directed(directions, "camera", row.camera_angle or ""),
        action_notes=directed(directions, "action", row.action_notes or ""),
        location=row.location or "",
        time_of_day=row.time_of_day or "",
        mood=row.mood or "",
        style_overrides={name: str(overrides[name]) for name in sorted(overrides)},
        bible=bible,
        figures=_figures(present, cast_shown),
        dialogue=_dialogue(spec.get("dialogue") or [], frames * repeats),
        lip_flap=bool(spec.get("lip_flap", row.kind != "still")),
        seed=directed(directions, "seed", spec.get("seed")),
        background_sha256=background,
        repeats=repeats,
        model=row.models.get(row.kind),
        first_frame_sha256=stored_sha256(spec.get("first_frame")),
        last_frame_sha256=stored_sha256(spec.get("last_frame")),
        continues=bool(spec.get("continues")),
        continuous=bool(spec.get("continuous", spec.get("continues"))),
        negative_prompt=spec.get("negative_prompt") or "",
        seed_key=spec.get("seed_key") or row.cut_key,
        seed_policy=cast(SeedPolicy, spec.get("seed_policy") or row.seed_policy),
        has_own_seed_policy=bool(spec.get("seed_policy")),
        drawn_seed=row.drawn_seed,
        directions=directions,
        impossible=impossible(worn, directions),
    )


def _figures(present: Present, shown: Sequence[dict[str, Any]]) -> tuple[Figure, ...]:
    return tuple(figure_of(*present[who["character"]], who) for who in shown if who["character"] in present)


def _dialogue(lines: Sequence[dict[str, Any]], frames: int) -> tuple[DialogueLine, ...]:
    times = speaking_times([SpokenText(x["text"], x.get("start"), x.get("end")) for x in lines], frames)
    return tuple(
        DialogueLine(line["speaker"], line["text"], start, end)
        for line, (start, end) in zip(lines, times, strict=True)
    )
