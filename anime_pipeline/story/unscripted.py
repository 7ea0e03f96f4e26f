"""Shots that someone asks for outside the story: each gets a cut of its own that no film shows.

A take belongs to a cut, so that it is queued, measured, selected and reproduced as any other. An unscripted
cut lies in an episode of its own (status ``unscripted``, the highest free number from 99 down) and is omitted
from the start: it has a key, and is in no partition, gate, reel or master.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    CharacterVariation,
    Cut,
    CutProfile,
    Episode,
    ProjectProfile,
    Scene,
    SceneCharacter,
)
from anime_pipeline.story.context import CutKind
from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE, CutKey
from anime_pipeline.story.mistakes import StoryError

UNSCRIPTED = "unscripted"
"""The status of the episode, and of its cuts."""


@dataclass(frozen=True)
class CastMember:
    """A character of the shot. ``variation`` names what it wears, ``expression`` what it feels."""

    character_id: int
    variation: str | None = None
    expression: str | None = None


@dataclass(frozen=True)
class Shot:
    """What is asked for. Sizes are pixels, ``frames`` those of a loop or video; None: as in the project."""

    prompt: str
    kind: CutKind
    frames: int = 1
    negative_prompt: str = ""
    fps: int | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    workflow: str | None = None
    cast: Sequence[CastMember] = ()


def place_shot(session: Session, project_id: int, shot: Shot) -> str:
    """Give a shot a cut of its own in a project; the cut's key. The caller commits.

    Raises :class:`StoryError` for a project without formats, and for characters or variations it has not.
    """
    profile = session.get(ProjectProfile, project_id)
    if profile is None:
        raise StoryError(
            f"Project {project_id} has no slug, resolution and frame rate, so nothing can be rendered.",
            "Import a production for it, or make the project with these fields.",
        )
    cast = [_member(session, profile, member) for member in shot.cast]
    # One at a time numbers the unscripted cuts of a project.
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.unscripted'), :project_id)"),
        {"project_id": project_id},
    )
    episode = _episode(session, profile)
    scene, number = _room(session, episode)
    _join_cast(session, scene.id, [member.character_id for member in shot.cast])
    key = str(CutKey(profile.slug, episode.episode_number, scene.scene_number, number))
    # The prompt is also the action: where a workflow draws without text, that is what it goes by.
    cut_id = session.scalar(
        insert(Cut)
        .values(
            scene_id=scene.id, cut_number=number, description=shot.prompt, action_notes=shot.prompt,
            duration_frames=1 if shot.kind == "still" else shot.frames, status=UNSCRIPTED,
            character_ids=[member.character_id for member in shot.cast],
        )
        .returning(Cut.id)
    )  # fmt: skip
    spec: dict[str, Any] = {
        "cast": cast, "seed": shot.seed, "width": shot.width, "height": shot.height,
        "negative_prompt": shot.negative_prompt or None, "lip_flap": False,
    }  # fmt: skip
    session.execute(
        insert(CutProfile).values(
            cut_id=cut_id, project_id=project_id, cut_key=key, kind=shot.kind, fps=shot.fps or profile.fps,
            workflow=shot.workflow, spec={name: value for name, value in spec.items() if value is not None},
            omitted_at=func.now(),
        )
    )  # fmt: skip
    return key


def _member(session: Session, profile: ProjectProfile, member: CastMember) -> dict[str, str]:
    character = session.get(Character, member.character_id)
    if character is None or character.project_id not in (None, profile.project_id):
        raise StoryError(
            f"There is no character {member.character_id} in {profile.slug}.",
            f"GET /api/anime/characters?project_id={profile.project_id} lists its characters.",
        )
    said = {"character": character.name}
    if member.variation is not None:
        known = session.scalars(
            select(CharacterVariation.variation_name).where(
                CharacterVariation.character_id == character.id,
                CharacterVariation.variation_type.is_distinct_from("expression"),
            )
        ).all()
        if member.variation not in known:
            listed = ", ".join(sorted(known)) or "none yet"
            raise StoryError(
                f"{character.name} has no outfit {member.variation}.", f"Its variations are: {listed}."
            )
        said["variation"] = member.variation
    if member.expression is not None:
        said["expression"] = member.expression
    return said


def _episode(session: Session, profile: ProjectProfile) -> Episode:
    episodes = session.scalars(select(Episode).where(Episode.project_id == profile.project_id)).all()
    found = next((episode for episode in episodes if episode.status == UNSCRIPTED), None)
    if found is not None:
        return found
    taken = {episode.episode_number for episode in episodes}
    free = next((number for number in range(MAX_EPISODE, -1, -1) if number not in taken), None)
    if free is None:
        raise StoryError(
            f"All episodes of {profile.slug} up to {MAX_EPISODE} are in use: unscripted shots have no place.",
            "Name a cut (cut_id) instead.",
        )
    episode = Episode(
        project_id=profile.project_id, episode_number=free, title="Unscripted shots", status=UNSCRIPTED
    )
    session.add(episode)
    session.flush()
    return episode


def _room(session: Session, episode: Episode) -> tuple[Scene, int]:
    """The scene that is being filled, and the next number in it."""
    scene = session.scalars(
        select(Scene).where(Scene.episode_id == episode.id).order_by(Scene.scene_number.desc()).limit(1)
    ).first()
    highest = None
    if scene is not None:
        highest = session.scalar(select(func.max(Cut.cut_number)).where(Cut.scene_id == scene.id))
    if scene is None or highest == MAX_CUT:
        number = 0 if scene is None else scene.scene_number + 1
        if number > MAX_SCENE:
            raise StoryError("There is no number left for an unscripted shot.", "Use another project.")
        scene = Scene(episode_id=episode.id, scene_number=number, name="Unscripted shots")
        session.add(scene)
        session.flush()
        highest = None
    return scene, 0 if highest is None else highest + 1


def _join_cast(session: Session, scene_id: int, character_ids: Sequence[int]) -> None:
    rows = [{"scene_id": scene_id, "character_id": character_id} for character_id in character_ids]
    if rows:
        session.execute(upsert(SceneCharacter).on_conflict_do_nothing(), rows)
