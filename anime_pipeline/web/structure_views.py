"""Episodes, scenes and cuts as the API shows them, with a handful of queries for any number of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    Cut,
    CutProfile,
    Episode,
    ProjectProfile,
    Scene,
    SceneCharacter,
)
from anime_pipeline.quality.gates import latest_verdicts
from anime_pipeline.quality.phases import PHASES
from anime_pipeline.story.crosschecks import BACKGROUND_KEY
from anime_pipeline.story.keys import EpisodeKey, SceneKey
from anime_pipeline.story.pictures import stored_sha256
from anime_pipeline.web.schemas import Model, Utc


class EpisodeView(Model):
    """An episode. ``omitted``: it has cuts, and all of them are omitted."""

    id: int
    project_id: int | None
    episode_key: str | None = Field(examples=["lantern-post.e01"])
    episode_number: int
    title: str | None
    synopsis: str | None
    status: str | None
    target_duration_seconds: int | None
    scenes: int
    scene_ids: list[int] = Field(description="Its scenes in the order of the story.")
    cuts: int = Field(description="Cuts that are not omitted.")
    omitted: bool
    created_at: Utc | None


class CastView(Model):
    """A character in a scene."""

    character_id: int | None
    character: str
    role: str | None
    costume_variant: str | None
    emotional_state: str | None
    position: str | None


class TakeView(Model):
    """The take that stands for a cut: the selected one, else the newest finished."""

    job_id: int
    take_number: int
    selected: bool
    server_kind: str | None
    media_url: str
    thumbnail_url: str


class VerdictView(Model):
    """The newest verdict on a take, or on a scene."""

    phase: str
    verdict: str = Field(examples=["passed"])
    reason: str
    created_at: Utc
    stale: bool = Field(
        False, description="Of a scene: a take, a measurement or a threshold has changed since it was judged."
    )


class CutView(Model):
    """A cut; ``duration_frames`` is one cycle of a loop, ``film_frames`` what it takes up in a film."""

    id: int
    scene_id: int | None
    cut_key: str | None = Field(examples=["lantern-post.e01.s003.c0040"])
    number: int
    kind: str | None
    description: str | None
    camera_angle: str | None
    action_notes: str | None
    dialogue: str | None
    duration_frames: int | None
    repeats: int
    film_frames: int
    fps: int | None
    seconds: float
    workflow: str | None
    takes: int = Field(description="How many takes are wanted.")
    continues: bool
    lip_flap: bool
    seed: int | None
    cast: list[dict[str, Any]]
    lines: list[dict[str, Any]] = Field(description="The dialogue, as a production file has it.")
    first_frame: str | None = Field(description="sha256 of the picture that it begins with.")
    last_frame: str | None
    status: str | None
    omitted: bool
    take: TakeView | None
    verdict: VerdictView | None


class SceneView(Model):
    """A scene with its cast and cuts."""

    id: int
    episode_id: int | None
    scene_key: str | None = Field(examples=["lantern-post.e01.s003"])
    number: int
    name: str | None
    description: str | None
    location: str | None
    time_of_day: str | None
    mood: str | None
    style_overrides: dict[str, Any]
    background_image: str | None = Field(description="sha256 of the background picture.")
    duration_frames: int
    seconds: float
    cast: list[CastView]
    cuts: list[CutView]
    verdicts: list[VerdictView] = Field(description="The newest of each phase.")


def show_episodes(session: Session, episodes: Sequence[Episode]) -> list[EpisodeView]:
    """Episodes in their order; three queries."""
    ids = [episode.id for episode in episodes]
    slugs = _slugs(session, {episode.project_id for episode in episodes})
    counts = {
        row.id: row
        for row in session.execute(
            select(
                Episode.id,
                func.count(func.distinct(Scene.id)).label("scenes"),
                func.count(CutProfile.cut_id).filter(CutProfile.omitted_at.is_(None)).label("cuts"),
                func.count(CutProfile.cut_id).label("all_cuts"),
            )
            .join(Scene, Scene.episode_id == Episode.id, isouter=True)
            .join(Cut, Cut.scene_id == Scene.id, isouter=True)
            .join(CutProfile, CutProfile.cut_id == Cut.id, isouter=True)
            .where(Episode.id.in_(ids))
            .group_by(Episode.id)
        )
    }
    scenes: dict[int | None, list[int]] = {}
    ordered = select(Scene.episode_id, Scene.id).where(Scene.episode_id.in_(ids)).order_by(Scene.scene_number)
    for row in session.execute(ordered):
        scenes.setdefault(row.episode_id, []).append(row.id)
    return [
        EpisodeView(
            id=one.id,
            project_id=one.project_id,
            episode_key=_episode_key(slugs.get(one.project_id or 0), one.episode_number),
            episode_number=one.episode_number,
            title=one.title,
            synopsis=one.synopsis,
            status=one.status,
            target_duration_seconds=one.target_duration_seconds,
            scenes=counts[one.id].scenes,
            scene_ids=scenes.get(one.id, []),
            cuts=counts[one.id].cuts,
            omitted=counts[one.id].all_cuts > 0 and counts[one.id].cuts == 0,
            created_at=one.created_at,
        )
        for one in episodes
    ]


def show_scenes(session: Session, scenes: Sequence[Scene], omitted: bool = False) -> list[SceneView]:
    """Scenes in their order with everything in them; ``omitted`` cuts only where asked for."""
    ids = [scene.id for scene in scenes]
    cuts = _cuts(session, Cut.scene_id.in_(ids), omitted)
    cast = _cast(session, ids)
    episodes = {
        row.id: row
        for row in session.execute(
            select(Episode.id, Episode.project_id, Episode.episode_number).where(
                Episode.id.in_({scene.episode_id for scene in scenes})
            )
        )
    }
    slugs = _slugs(session, {row.project_id for row in episodes.values()})
    keys = {
        scene.id: _scene_key(slugs, episodes.get(scene.episode_id or 0), scene.scene_number)
        for scene in scenes
    }
    verdicts = _scene_verdicts(session, [key for key in keys.values() if key])
    return [
        _scene(scene, keys[scene.id], cast.get(scene.id, []), cuts.get(scene.id, []), verdicts)
        for scene in scenes
    ]


def show_cut(session: Session, cut_id: int) -> CutView:
    """One cut, omitted or not."""
    [found] = [cut for cuts in _cuts(session, Cut.id == cut_id, True).values() for cut in cuts]
    return found


def show_cuts(session: Session, cut_ids: Sequence[int]) -> list[CutView]:
    """Cuts in the order of their ids."""
    found = {cut.id: cut for cuts in _cuts(session, Cut.id.in_(cut_ids), True).values() for cut in cuts}
    return [found[cut_id] for cut_id in cut_ids]


_TAKES = text("""
    SELECT DISTINCT ON (t.cut_id) t.cut_id, t.job_id, t.take_number, t.selected, t.server_kind,
           v.phase, v.verdict, v.reason, v.created_at
    FROM studio.takes t JOIN jobs j ON j.id = t.job_id
    LEFT JOIN LATERAL (
        SELECT phase, verdict, reason, created_at FROM studio.gate_verdicts
        WHERE job_id = t.job_id AND scope = 'cut' ORDER BY id DESC LIMIT 1
    ) v ON TRUE
    WHERE t.cut_id = ANY(:cut_ids) AND j.status IN ('completed', 'quality_check')
      AND t.reproduces_job_id IS NULL
    ORDER BY t.cut_id, t.selected DESC, t.take_number DESC
""")


def _cuts(session: Session, which: Any, omitted: bool) -> dict[int | None, list[CutView]]:
    query = (
        select(Cut, CutProfile).join(CutProfile, CutProfile.cut_id == Cut.id, isouter=True).where(which)
    ).order_by(Cut.scene_id, Cut.cut_number)
    if not omitted:
        query = query.where(CutProfile.omitted_at.is_(None))
    rows = session.execute(query, execution_options={"populate_existing": True}).all()
    takes = {row.cut_id: row for row in session.execute(_TAKES, {"cut_ids": [cut.id for cut, _ in rows]})}
    shown: dict[int | None, list[CutView]] = {}
    for cut, profile in rows:
        shown.setdefault(cut.scene_id, []).append(_cut(cut, profile, takes.get(cut.id)))
    return shown


def _cut(cut: Cut, profile: CutProfile | None, take: Any) -> CutView:
    spec: dict[str, Any] = profile.spec if profile else {}
    repeats = spec.get("repeats") or 1
    frames = (cut.duration_frames or 0) * repeats
    fps = profile.fps if profile else None
    return CutView(
        id=cut.id,
        scene_id=cut.scene_id,
        cut_key=profile.cut_key if profile else None,
        number=cut.cut_number,
        kind=profile.kind if profile else None,
        description=cut.description,
        camera_angle=cut.camera_angle,
        action_notes=cut.action_notes,
        dialogue=cut.dialogue,
        duration_frames=cut.duration_frames,
        repeats=repeats,
        film_frames=frames,
        fps=fps,
        seconds=_seconds(frames, fps),
        workflow=profile.workflow if profile else None,
        takes=profile.takes_wanted if profile else 1,
        continues=bool(spec.get("continues")),
        lip_flap=bool(spec.get("lip_flap")),
        seed=spec.get("seed"),
        cast=spec.get("cast") or [],
        lines=spec.get("dialogue") or [],
        first_frame=stored_sha256(spec.get("first_frame")),
        last_frame=stored_sha256(spec.get("last_frame")),
        status=cut.status,
        omitted=profile is not None and profile.omitted_at is not None,
        take=_take(take) if take else None,
        verdict=_verdict(take) if take and take.verdict else None,
    )


def _take(row: Any) -> TakeView:
    return TakeView(
        job_id=row.job_id,
        take_number=row.take_number,
        selected=row.selected,
        server_kind=row.server_kind,
        media_url=f"/api/anime/jobs/{row.job_id}/film",
        thumbnail_url=f"/api/anime/jobs/{row.job_id}/thumbnail",
    )


def _verdict(row: Any, stale: bool = False) -> VerdictView:
    return VerdictView(
        phase=row.phase, verdict=row.verdict, reason=row.reason, created_at=row.created_at, stale=stale
    )


def _scene(
    scene: Scene,
    key: str | None,
    cast: list[CastView],
    cuts: list[CutView],
    verdicts: dict[str, list[VerdictView]],
) -> SceneView:
    overrides = dict(scene.style_overrides or {})
    background = overrides.pop(BACKGROUND_KEY, None)
    active = [cut for cut in cuts if not cut.omitted]
    return SceneView(
        id=scene.id,
        episode_id=scene.episode_id,
        scene_key=key,
        number=scene.scene_number,
        name=scene.name,
        description=scene.description,
        location=scene.location,
        time_of_day=scene.time_of_day,
        mood=scene.mood,
        style_overrides=overrides,
        background_image=stored_sha256(background),
        duration_frames=sum(cut.film_frames for cut in active),
        seconds=round(sum(cut.seconds for cut in active), 3),
        cast=cast,
        cuts=cuts,
        verdicts=verdicts.get(key or "", []),
    )


def _cast(session: Session, scene_ids: Sequence[int]) -> dict[int | None, list[CastView]]:
    rows = session.execute(
        select(SceneCharacter, Character.name)
        .join(Character, Character.id == SceneCharacter.character_id)
        .where(SceneCharacter.scene_id.in_(scene_ids))
        .order_by(SceneCharacter.id)
    )
    found: dict[int | None, list[CastView]] = {}
    for member, name in rows:
        found.setdefault(member.scene_id, []).append(
            CastView(
                character_id=member.character_id,
                character=name,
                role=member.role,
                costume_variant=member.costume_variant,
                emotional_state=member.emotional_state,
                position=member.position_notes,
            )
        )
    return found


def _scene_verdicts(session: Session, keys: Sequence[str]) -> dict[str, list[VerdictView]]:
    found: dict[str, list[VerdictView]] = {}
    for phase in PHASES:
        for key, row in latest_verdicts(session, keys, phase).items():
            found.setdefault(key, []).append(_verdict(row, row.stale))
    return found


def _slugs(session: Session, project_ids: set[int | None]) -> dict[int, str]:
    query = select(ProjectProfile.project_id, ProjectProfile.slug)
    return {
        row.project_id: row.slug
        for row in session.execute(query.where(ProjectProfile.project_id.in_(project_ids)))
    }


def _episode_key(slug: str | None, number: int) -> str | None:
    return str(EpisodeKey(slug, number)) if slug and 0 <= number <= 99 else None


def _scene_key(slugs: dict[int, str], episode: Any, number: int) -> str | None:
    slug = slugs.get(episode.project_id) if episode else None
    if slug is None or not (0 <= episode.episode_number <= 99 and 0 <= number <= 999):
        return None
    return str(SceneKey(slug, episode.episode_number, number))


def _seconds(frames: int, fps: int | None) -> float:
    return round(frames / fps, 3) if fps else 0.0
