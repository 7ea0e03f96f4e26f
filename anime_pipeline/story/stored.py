"""What the database holds of a production, read with a handful of queries whatever its size."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    CharacterAnchor,
    CharacterAttribute,
    CharacterVariation,
    Cut,
    CutProfile,
    Episode,
    Project,
    ProjectProfile,
    Scene,
    SceneCharacter,
    StoryBible,
)
from anime_pipeline.story.crosschecks import BACKGROUND_KEY, NEGATIVE_KEY
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.unscripted import UNSCRIPTED
from anime_pipeline.story.wanted import KINDS, SPEC_FIELDS, Key, Rows, Values, empty_rows

DEFAULT_PROJECT = "Default Anime Project"
PROFILE_COLUMNS = (
    "width",
    "height",
    "fps",
    "workflows",
    "models",
    "identity_backend",
    "selection",
    "retention",
    "seed_policy",
    "budget",
)
BIBLE_COLUMNS = (
    "art_style_description",
    "color_palette",
    "character_design_rules",
    "world_building_notes",
    "line_weight",
    "shading_style",
    "mood_keywords",
    "setting_description",
    "time_period",
    "narrative_themes",
    "global_seed",
)


@dataclass
class Stored:
    """Rows by kind and key, as :mod:`wanted` names them, and the id of each row that has one."""

    project_id: int | None = None
    has_profile: bool = False
    bible_version: int = 0
    rows: Rows = field(default_factory=empty_rows)
    ids: dict[str, dict[Key, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def add(self, kind: str, key: Key, row_id: int, values: Values) -> None:
        """Note a row. A second row of one key, which other clients can make, gets a key of its own."""
        while key in self.rows[kind]:
            key = (*key, "again")
        self.rows[kind][key] = values
        self.ids[kind][key] = row_id


def load_stored(session: Session, slug: str, name: str, characters: Collection[str], wanted: Rows) -> Stored:
    """What is stored of the project ``slug`` and of the named characters, wherever those belong now."""
    stored = Stored()
    names = _load_project(session, stored, slug, name)
    if stored.project_id is not None:
        _load_bible(session, stored)
        _refuse_unscripted(session, stored.project_id, wanted)
        _load_scenes(session, stored)
        _load_cuts(session, stored)
    _load_characters(session, stored, name, characters, names)
    _load_traits(session, stored, wanted)
    return stored


def _load_project(session: Session, stored: Stored, slug: str, name: str) -> dict[int, str]:
    query = (
        select(Project, ProjectProfile)
        .join(ProjectProfile, ProjectProfile.project_id == Project.id, isouter=True)
        .order_by(Project.id)
    )
    rows = session.execute(query.execution_options(populate_existing=True))
    found: list[tuple[Project, ProjectProfile | None]] = [(row[0], row[1]) for row in rows]
    ours = next((pair for pair in found if pair[1] and pair[1].slug == slug), None)
    namesake = next((pair for pair in found if pair[0].name == name), None)
    if namesake and namesake is not ours and (ours or namesake[1]):
        other = namesake[1].slug if namesake[1] else "without a slug"
        raise StoryError(
            f"The name {name!r} belongs to another project ({other}).",
            "Change project.name, or project.slug if this is the same production.",
        )
    chosen = ours or namesake
    if chosen:
        _note_project(stored, *chosen)
    return {project.id: project.name for project, _ in found}


def _note_project(stored: Stored, project: Project, profile: ProjectProfile | None) -> None:
    stored.project_id, stored.has_profile = project.id, profile is not None
    values = {name: getattr(project, name) for name in ("name", "type", "description")}
    for name in PROFILE_COLUMNS:
        values[name] = getattr(profile, name) if profile else None
    stored.add("project", (), project.id, values)


def _load_bible(session: Session, stored: Stored) -> None:
    query = (
        select(StoryBible)
        .where(StoryBible.project_id == stored.project_id)
        .order_by(StoryBible.version.desc().nulls_last())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    bible = session.scalars(query).first()
    if bible is None:
        return
    stored.bible_version = bible.version or 0
    requirements = dict(bible.technical_requirements or {})
    values = {name: getattr(bible, name) for name in BIBLE_COLUMNS}
    values["negative_prompt"] = requirements.pop(NEGATIVE_KEY, None)
    stored.add("bible", (), bible.id, {**values, "technical_requirements": requirements})


def _refuse_unscripted(session: Session, project_id: int, wanted: Rows) -> None:
    """An episode of the file must not take the number under which unscripted shots lie."""
    numbers = session.scalars(
        select(Episode.episode_number).where(Episode.project_id == project_id, Episode.status == UNSCRIPTED)
    )
    for number in numbers:
        if (number,) in wanted["episode"]:
            raise StoryError(
                f"Episode {number} holds the project's unscripted shots, which came through the API.",
                "Give the episode of the file another number.",
            )


def _load_scenes(session: Session, stored: Stored) -> None:
    episodes = session.execute(
        select(
            Episode.id,
            Episode.episode_number,
            Episode.title,
            Episode.synopsis,
            Episode.target_duration_seconds,
        ).where(Episode.project_id == stored.project_id)
    )
    for row in episodes:
        names = ("title", "synopsis", "target_duration_seconds")
        stored.add("episode", (row.episode_number,), row.id, _values(row, names))
    columns = ("name", "description", "location", "time_of_day", "mood", "duration_frames")
    scenes = session.execute(
        select(
            Scene.id,
            Scene.scene_number,
            Episode.episode_number,
            Scene.style_overrides,
            *(getattr(Scene, c) for c in columns),
        )
        .join(Episode, Episode.id == Scene.episode_id)
        .where(Episode.project_id == stored.project_id)
    )
    for row in scenes:
        overrides = dict(row.style_overrides or {})
        background = overrides.pop(BACKGROUND_KEY, None)
        values = {**_values(row, columns), "style_overrides": overrides, "background_image": background}
        stored.add("scene", (row.episode_number, row.scene_number), row.id, values)
    cast_columns = ("role", "costume_variant", "emotional_state", "position_notes")
    cast = session.execute(
        select(
            SceneCharacter.id,
            Scene.scene_number,
            Episode.episode_number,
            Character.name.label("character"),
            *(getattr(SceneCharacter, c) for c in cast_columns),
        )
        .join(Scene, Scene.id == SceneCharacter.scene_id)
        .join(Episode, Episode.id == Scene.episode_id)
        .join(Character, Character.id == SceneCharacter.character_id)
        .where(Episode.project_id == stored.project_id)
    )
    for row in cast:
        key = (row.episode_number, row.scene_number, row.character)
        stored.add("cast", key, row.id, _values(row, cast_columns))


def _load_cuts(session: Session, stored: Stored) -> None:
    columns = ("description", "camera_angle", "duration_frames", "action_notes")
    profile = ("kind", "fps", "workflow", "takes_wanted")
    cuts = session.execute(
        select(
            Cut.id,
            Cut.cut_number,
            Scene.scene_number,
            Episode.episode_number,
            CutProfile.spec,
            CutProfile.omitted_at,
            *(getattr(Cut, c) for c in columns),
            *(getattr(CutProfile, c) for c in profile),
        )
        .join(Scene, Scene.id == Cut.scene_id)
        .join(Episode, Episode.id == Scene.episode_id)
        .join(CutProfile, CutProfile.cut_id == Cut.id, isouter=True)
        .where(Episode.project_id == stored.project_id)
    )
    for row in cuts:
        values = _values(row, columns + profile)
        spec = row.spec or {}
        values |= {name: spec.get(name) for name in SPEC_FIELDS}
        values["omitted"] = row.omitted_at is not None
        stored.add("cut", (row.episode_number, row.scene_number, row.cut_number), row.id, values)


def _load_characters(
    session: Session, stored: Stored, project: str, names: Collection[str], projects: dict[int, str]
) -> None:
    """Our characters and those whose names we want; one that another project owns is an error."""
    found = session.execute(
        select(
            Character.id,
            Character.name,
            Character.project_id,
            Character.description,
            Character.base_prompt,
            Character.negative_tokens,
            Character.lora_model_path,
            Character.metadata_,
        ).where(or_(Character.name.in_(list(names)), Character.project_id == stored.project_id))
    )
    taken = []
    for row in found:
        marks = row.metadata_ or {}
        owner = projects.get(row.project_id)
        ours = row.project_id is not None and row.project_id == stored.project_id
        if not ours and owner not in (None, DEFAULT_PROJECT):
            taken.append(f"{row.name} (in {owner})")
        if row.name not in names and not marks.get("imported"):
            continue  # made by someone else in this project: not ours to omit
        values = _values(row, ("description", "base_prompt", "negative_tokens", "lora_model_path"))
        values["project"] = project if ours else owner
        values["omitted"] = bool(marks.get("omitted"))
        stored.add("character", (row.name,), row.id, values)
    if taken:
        raise StoryError(
            f"Characters of these names belong to other projects: {', '.join(sorted(taken))}.",
            "A character's name is unique in an installation; choose another name.",
        )


def _load_traits(session: Session, stored: Stored, wanted: Rows) -> None:
    names = {row_id: key[0] for key, row_id in stored.ids["character"].items() if key in wanted["character"]}
    ids = list(names)
    attribute_columns = ("attribute_value", "prompt_tokens", "priority")
    attributes = select(CharacterAttribute).where(CharacterAttribute.character_id.in_(ids))
    for attribute in session.scalars(_fresh(attributes.order_by(CharacterAttribute.id))):
        key: Key = (names[attribute.character_id or 0], attribute.attribute_type)
        stored.add("attribute", key, attribute.id, {c: getattr(attribute, c) for c in attribute_columns})
    variation_columns = ("variation_type", "prompt_modifiers", "reference_image_path")
    variations = select(CharacterVariation).where(CharacterVariation.character_id.in_(ids))
    for variation in session.scalars(_fresh(variations.order_by(CharacterVariation.id))):
        key = (names[variation.character_id or 0], variation.variation_name)
        stored.add("variation", key, variation.id, {c: getattr(variation, c) for c in variation_columns})
    anchors = select(
        CharacterAnchor.id,
        CharacterAnchor.character_id,
        CharacterAnchor.anchor_type,
        CharacterAnchor.anchor_name,
        CharacterAnchor.description,
        CharacterAnchor.image_path,
        CharacterAnchor.metadata_,
    ).where(CharacterAnchor.character_id.in_(ids))
    for row in session.execute(anchors.order_by(CharacterAnchor.id)):
        key = (names[row.character_id], row.anchor_type, row.anchor_name)
        marks = row.metadata_ or {}
        if marks.get("imported") or key in wanted["anchor"]:
            values = {**_values(row, ("description", "image_path")), "omitted": bool(marks.get("omitted"))}
            stored.add("anchor", key, row.id, values)


def _fresh(query: Any) -> Any:
    return query.execution_options(populate_existing=True)


def _values(row: Any, names: Collection[str]) -> Values:
    return {name: getattr(row, name) for name in names}
