"""Single edits of episodes, scenes and cuts, checked by the rules of a production file.

What is written is what an import would have written, so that keys, staleness and partitions follow by
themselves; the next import of a file that says otherwise shows the edit as a difference. Callers hold
:func:`lock.lock_story` and commit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from sqlalchemy import func, select, text, update
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
from anime_pipeline.story.crosschecks import BACKGROUND_KEY, check
from anime_pipeline.story.entries import Entry
from anime_pipeline.story.keys import MAX_CUT, MAX_EPISODE, MAX_SCENE, CutKey
from anime_pipeline.story.mistakes import StoryError
from anime_pipeline.story.production import CastEntry, CutEntry, EpisodeEntry, SceneEntry
from anime_pipeline.story.unscripted import UNSCRIPTED
from anime_pipeline.story.wanted import SPEC_FIELDS, cut_values, dialogue_text, member_values
from anime_pipeline.story.wording import words_for
from anime_pipeline.story.yaml_reading import Location

Values = Mapping[str, Any]
Checked = TypeVar("Checked", bound=Entry)

_SCENE_TEXTS = ("name", "description", "location", "time_of_day", "mood")
_SCENE_PLACE: Location = ("episodes", 0, "scenes", 0)


class StructureError(StoryError):
    """An edit that a production file could not say either; ``pointer`` (as ``/cast/0``) is at fault."""

    def __init__(self, message: str, remedy: str | None = None, pointer: str = "") -> None:
        super().__init__(message, remedy)
        self.pointer = pointer


def add_episode(session: Session, project_id: int, values: Values) -> Episode:
    """Make an episode; without a ``number`` it gets the next one."""
    profile_of(session, project_id)
    taken = set(session.scalars(select(Episode.episode_number).where(Episode.project_id == project_id)))
    scripted = select(Episode.episode_number).where(
        Episode.project_id == project_id, Episode.status.is_distinct_from(UNSCRIPTED)
    )
    last = max(session.scalars(scripted), default=0)
    number = _free("episode", values.get("number"), taken, last + 1, MAX_EPISODE)
    entry = _checked(EpisodeEntry, {**values, "number": number})
    episode = Episode(project_id=project_id, episode_number=number)
    _set_episode(episode, entry)
    _added(session, episode)
    return episode


def change_episode(session: Session, episode: Episode, values: Values) -> None:
    """Change an episode's title, synopsis or target length."""
    stored = {
        "number": episode.episode_number,
        "title": episode.title or "",
        "synopsis": episode.synopsis or "",
        "target_duration_seconds": episode.target_duration_seconds,
    }
    _set_episode(episode, _checked(EpisodeEntry, {**stored, **values}))
    session.flush()


def add_scene(session: Session, episode: Episode, values: Values) -> Scene:
    """Make a scene with its cast; without a ``number`` it gets the next one."""
    _require_scripted(episode)
    taken = set(session.scalars(select(Scene.scene_number).where(Scene.episode_id == episode.id)))
    number = _free("scene", values.get("number"), taken, max(taken, default=0) + 1, MAX_SCENE)
    entry = _checked(SceneEntry, {**values, "number": number})
    _crosscheck(session, episode, entry)
    scene = Scene(episode_id=episode.id, scene_number=number, duration_frames=0)
    _set_scene(scene, entry)
    _added(session, scene)
    _set_cast(session, scene, entry.cast)
    return scene


def change_scene(session: Session, scene: Scene, values: Values) -> None:
    """Change a scene; a cast replaces the one before, and its cuts must still be possible with it."""
    episode = _episode_of(session, scene)
    stored = scene_values(session, scene)
    entry = _checked(SceneEntry, {**stored, **values})
    cuts = session.scalars(
        select(Cut).join(CutProfile).where(Cut.scene_id == scene.id, CutProfile.omitted_at.is_(None))
    ).all()
    whole = entry.model_copy(update={"cuts": [_checked(CutEntry, stored_cut(session, cut)) for cut in cuts]})
    _crosscheck(session, episode, whole)
    _set_scene(scene, entry)
    if "cast" in values:
        _set_cast(session, scene, entry.cast)
    session.flush()


def add_cut(session: Session, scene: Scene, values: Values) -> Cut:
    """Make a cut; without a ``number`` it gets the next ten."""
    episode = _episode_of(session, scene)
    profile = profile_of(session, episode.project_id)
    taken = set(session.scalars(select(Cut.cut_number).where(Cut.scene_id == scene.id)))
    number = _free("cut", values.get("number"), taken, (max(taken, default=0) // 10 + 1) * 10, MAX_CUT)
    cut = Cut(scene_id=scene.id, cut_number=number)
    entry = _checked(CutEntry, {**values, "number": number})
    whole = _crosscheck_cut(session, scene, episode, entry)
    row = _set_cut(session, cut, whole, entry, profile)
    _added(session, cut)
    key = str(CutKey(profile.slug, episode.episode_number, scene.scene_number, number))
    session.add(CutProfile(cut_id=cut.id, project_id=profile.project_id, cut_key=key, **row))
    session.flush()
    refresh_durations(session, [scene.id])
    return cut


def change_cut(session: Session, cut: Cut, values: Values) -> None:
    """Change a cut; its takes stay, and become stale where the change decides their pixels."""
    scene = session.get_one(Scene, cut.scene_id)
    episode = _episode_of(session, scene)
    profile = profile_of(session, episode.project_id)
    entry = _checked(CutEntry, {**stored_cut(session, cut), **values})
    whole = _crosscheck_cut(session, scene, episode, entry)
    row = _set_cut(session, cut, whole, entry, profile)
    stored = session.get_one(CutProfile, cut.id)
    row["spec"] = {**stored.spec, **row["spec"]}
    for name, value in row.items():
        setattr(stored, name, value)
    stored.updated_at = func.now()
    session.flush()
    refresh_durations(session, [scene.id])


def omit(session: Session, cut_ids: Collection[int]) -> None:
    """Take cuts out of the story: they keep their takes, and no film, gate or partition has them."""
    _set_omitted(session, cut_ids, True)


def restore(session: Session, cut_ids: Collection[int]) -> None:
    """Put omitted cuts back."""
    _set_omitted(session, cut_ids, False)


def scripted_cuts(
    session: Session, *, scene_id: int | None = None, episode_id: int | None = None
) -> list[int]:
    """Ids of all cuts of a scene or an episode, omitted ones too."""
    query = select(Cut.id).join(Scene, Scene.id == Cut.scene_id).join(CutProfile, CutProfile.cut_id == Cut.id)
    query = query.where(Scene.id == scene_id) if scene_id is not None else query
    return list(session.scalars(query.where(Scene.episode_id == episode_id) if episode_id else query))


def scene_values(session: Session, scene: Scene) -> dict[str, Any]:
    """A stored scene as a production file says it, without its cuts; pictures as the store's location."""
    overrides = dict(scene.style_overrides or {})
    background = overrides.pop(BACKGROUND_KEY, None)
    values: dict[str, Any] = {name: getattr(scene, name) or "" for name in _SCENE_TEXTS}
    values |= {"number": scene.scene_number, "background_image": background, "style_overrides": overrides}
    rows = session.execute(
        select(SceneCharacter, Character.name)
        .join(Character, Character.id == SceneCharacter.character_id)
        .where(SceneCharacter.scene_id == scene.id)
        .order_by(SceneCharacter.id)
    )
    values["cast"] = [
        {
            "character": name,
            "role": member.role,
            "costume_variant": member.costume_variant,
            "emotional_state": member.emotional_state,
            "position": member.position_notes,
        }
        for member, name in rows
    ]
    return values


def stored_cut(session: Session, cut: Cut) -> dict[str, Any]:
    """A stored cut as a production file says it; pictures as the media store's location."""
    profile = session.get(CutProfile, cut.id)
    if profile is None:
        raise StructureError(
            f"Cut {cut.id} came from an earlier system and has no kind.", "Import its project."
        )
    spec = {name: value for name, value in profile.spec.items() if name in CutEntry.model_fields}
    return {
        "number": cut.cut_number,
        "description": cut.description or "",
        "camera_angle": cut.camera_angle or "",
        "action_notes": cut.action_notes or "",
        "duration_frames": cut.duration_frames,
        "kind": profile.kind,
        "fps": profile.fps,
        "workflow": profile.workflow,
        "takes": profile.takes_wanted,
        **{name: value for name, value in spec.items() if value is not None},
    }


def refresh_durations(session: Session, scene_ids: Collection[int]) -> None:
    """Let scenes be as long as their cuts."""
    session.execute(
        text("""
            UPDATE scenes s SET duration_frames = COALESCE((
                SELECT sum(c.duration_frames * COALESCE((p.spec->>'repeats')::int, 1))
                FROM cuts c JOIN studio.cut_profiles p ON p.cut_id = c.id
                WHERE c.scene_id = s.id AND p.omitted_at IS NULL), 0)
            WHERE s.id = ANY(:ids)
        """),
        {"ids": list(scene_ids)},
    )
    session.expire_all()


def profile_of(session: Session, project_id: int | None) -> ProjectProfile:
    """A project's formats; :class:`StructureError` for a project without any."""
    profile = session.get(ProjectProfile, project_id) if project_id is not None else None
    if profile is None:
        raise StructureError(
            f"Project {project_id} has no slug, resolution and frame rate yet.",
            "PATCH /api/anime/projects/{id} with slug, resolution and fps.",
        )
    return profile


def _episode_of(session: Session, scene: Scene) -> Episode:
    episode = session.get_one(Episode, scene.episode_id)
    _require_scripted(episode)
    return episode


def _require_scripted(episode: Episode) -> None:
    if episode.status == UNSCRIPTED:
        raise StructureError(
            "This episode holds shots that stand in no story.", "POST /api/anime/generate adds to it."
        )


def _free(what: str, wanted: int | None, taken: set[int], following: int, largest: int) -> int:
    number = following if wanted is None else wanted
    if number in taken:
        raise StructureError(
            f"There is a {what} {number} already, perhaps an omitted one.", "Leave number out.", "/number"
        )
    if number > largest:
        raise StructureError(f"A {what}'s number goes to {largest}.", "Name a free number.", "/number")
    return number


def _checked(model: type[Checked], values: Values) -> Checked:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message, suggestion = words_for(first)
        raise StructureError(message, suggestion, _pointer(tuple(first["loc"]))) from None


def _crosscheck(session: Session, episode: Episode, scene: SceneEntry) -> None:
    """The checks of a file that holds this scene and the project's characters."""
    profile = profile_of(session, episode.project_id)
    data = {
        "project": {"fps": profile.fps},
        "characters": project_characters(session, profile.project_id),
        "episodes": [{"number": episode.episode_number, "scenes": [scene.model_dump(exclude_none=True)]}],
    }
    for mistake in check(data).mistakes:
        if mistake.location[:4] == _SCENE_PLACE:
            location = mistake.location[4:]
            raise StructureError(mistake.message, mistake.suggestion, _pointer(location))


def _crosscheck_cut(session: Session, scene: Scene, episode: Episode, entry: CutEntry) -> SceneEntry:
    """The scene with this cut alone, checked."""
    whole = _checked(SceneEntry, scene_values(session, scene)).model_copy(update={"cuts": [entry]})
    try:
        _crosscheck(session, episode, whole)
    except StructureError as error:
        raise StructureError(str(error), error.remedy, error.pointer.removeprefix("/cuts/0")) from None
    return whole


def project_characters(session: Session, project_id: int) -> list[dict[str, Any]]:
    """A project's characters with their variations, as a production file names them."""
    rows = session.execute(
        select(Character.name, CharacterVariation.variation_name, CharacterVariation.variation_type)
        .join(CharacterVariation, CharacterVariation.character_id == Character.id, isouter=True)
        .where(Character.project_id == project_id)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for name, variation, kind in rows:
        found.setdefault(name, []).extend([{"name": variation, "type": kind}] if variation else [])
    return [{"name": name, "variations": variations} for name, variations in found.items()]


def _set_episode(episode: Episode, entry: EpisodeEntry) -> None:
    episode.title, episode.synopsis = entry.title, entry.synopsis
    episode.target_duration_seconds = entry.target_duration_seconds


def _set_scene(scene: Scene, entry: SceneEntry) -> None:
    for name in _SCENE_TEXTS:
        setattr(scene, name, getattr(entry, name))
    overrides: dict[str, Any] = dict(entry.style_overrides)
    if entry.background_image:
        overrides[BACKGROUND_KEY] = entry.background_image
    scene.style_overrides = overrides


def _set_cast(session: Session, scene: Scene, cast: Collection[CastEntry]) -> None:
    """Replace a scene's cast, keeping the rows of those who stay."""
    ids = _character_ids(session, [member.character for member in cast])
    stored = {
        row.character_id: row
        for row in session.scalars(select(SceneCharacter).where(SceneCharacter.scene_id == scene.id))
    }
    wanted = {ids[member.character]: member_values(member) for member in cast}
    for character_id, row in stored.items():
        if character_id not in wanted:
            session.delete(row)
    for character_id, values in wanted.items():
        row = stored.get(character_id) or SceneCharacter(scene_id=scene.id, character_id=character_id)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
    session.flush()


def _set_cut(
    session: Session, cut: Cut, scene: SceneEntry, entry: CutEntry, profile: ProjectProfile
) -> dict[str, Any]:
    """Write a cut's columns; those of its profile."""
    values = cut_values(entry, scene, profile.fps)
    values |= {"first_frame": entry.first_frame, "last_frame": entry.last_frame}
    ids = _character_ids(session, [who["character"] for who in values["cast"]])
    for name in ("description", "camera_angle", "duration_frames", "action_notes"):
        setattr(cut, name, values[name])
    cut.character_ids = [ids[who["character"]] for who in values["cast"]]
    cut.dialogue = dialogue_text(values["dialogue"]) or None
    spec = {name: values[name] for name in SPEC_FIELDS}
    return {**{name: values[name] for name in ("kind", "fps", "workflow", "takes_wanted")}, "spec": spec}


def _character_ids(session: Session, names: Collection[str]) -> dict[str, int]:
    rows = session.execute(select(Character.name, Character.id).where(Character.name.in_(list(names))))
    return {row.name: row.id for row in rows}


def _set_omitted(session: Session, cut_ids: Collection[int], omitted: bool) -> None:
    ids = list(
        session.scalars(
            select(Cut.id).where(Cut.id.in_(list(cut_ids)), Cut.status.is_distinct_from(UNSCRIPTED))
        )
    )
    state = CutProfile.omitted_at.is_(None) if omitted else CutProfile.omitted_at.is_not(None)
    changed = session.scalars(
        update(CutProfile)
        .where(CutProfile.cut_id.in_(ids), state)
        .values(omitted_at=func.now() if omitted else None, updated_at=func.now())
        .returning(CutProfile.cut_id)
    ).all()
    session.execute(update(Cut).where(Cut.id.in_(changed)).values(status="omitted" if omitted else "pending"))
    scene_ids = session.scalars(select(Cut.scene_id).where(Cut.id.in_(changed)).distinct())
    refresh_durations(session, [scene_id for scene_id in scene_ids if scene_id is not None])


def _pointer(location: Location) -> str:
    return "".join(f"/{part}" for part in location)


def _added(session: Session, row: Episode | Scene | Cut) -> None:
    session.add(row)
    session.flush()
    session.refresh(row)
