"""What is active: keys of episodes, scenes and cuts that are in the story, in story order."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile
from anime_pipeline.story.keys import parse_scope


def active_cut_keys(session: Session, scope: str | None = None) -> list[str]:
    """Keys of the cuts that are not omitted, in story order.

    ``scope`` is a project slug or the key of an episode, scene or cut; None means every project.
    """
    query = select(CutProfile.cut_key).where(CutProfile.omitted_at.is_(None))
    if scope is not None:
        parse_scope(scope)
        query = query.where(or_(CutProfile.cut_key == scope, CutProfile.cut_key.startswith(f"{scope}.")))
    # Sorted here: a database's collation may pass over dots and hyphens.
    return sorted(session.scalars(query))


def active_scene_keys(session: Session, scope: str | None = None) -> list[str]:
    """Keys of the scenes with at least one active cut in ``scope``, in story order."""
    return sorted({key.rpartition(".")[0] for key in active_cut_keys(session, scope)})


def active_episode_keys(session: Session, scope: str | None = None) -> list[str]:
    """Keys of the episodes with at least one active cut in ``scope``, in story order."""
    return sorted({key.rpartition(".")[0] for key in active_scene_keys(session, scope)})
