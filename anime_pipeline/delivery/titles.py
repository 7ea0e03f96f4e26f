"""What a scope is called by people: the names of its project, episode and scene."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Episode, Project, Scene
from anime_pipeline.story.keys import CutKey, EpisodeKey, SceneKey, parse_scope


def scope_title(session: Session, scope_key: str, project_id: int) -> str:
    """The names of the project, episode and scene, as far as the scope has them."""
    scope = parse_scope(scope_key)
    parts = [session.scalar(select(Project.name).where(Project.id == project_id)) or scope_key]
    if not isinstance(scope, str):
        parts.append(_episode_title(session, scope, project_id))
    if isinstance(scope, SceneKey | CutKey):
        parts.append(_scene_title(session, scope, project_id))
    if isinstance(scope, CutKey):
        parts.append(f"Cut {scope.cut}")
    return " · ".join(parts)


def _episode_title(session: Session, scope: EpisodeKey | SceneKey | CutKey, project_id: int) -> str:
    query = select(Episode.title).where(
        Episode.project_id == project_id, Episode.episode_number == scope.episode
    )
    title = session.scalar(query)
    return f"Episode {scope.episode}: {title}" if title else f"Episode {scope.episode}"


def _scene_title(session: Session, scope: SceneKey | CutKey, project_id: int) -> str:
    query = (
        select(Scene.name)
        .join(Episode, Episode.id == Scene.episode_id)
        .where(
            Episode.project_id == project_id,
            Episode.episode_number == scope.episode,
            Scene.scene_number == scope.scene,
        )
    )
    name = session.scalar(query)
    return f"Scene {scope.scene}: {name}" if name else f"Scene {scope.scene}"
