"""The product's own queries, which a migrated database must answer before the migration is committed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.adoption.verification import ProductQueries
from anime_pipeline.database.models import Character, Project
from anime_pipeline.quality.phases import load_phases
from anime_pipeline.quality.scores import unmeasured_takes
from anime_pipeline.rendering.queue import unfinished
from anime_pipeline.story.figures import load_characters
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys, active_scene_keys
from anime_pipeline.story.loader import load_cut_contexts

_SAMPLE = 500


def _characters(session: Session) -> object:
    return load_characters(session, session.scalars(select(Character.id).limit(_SAMPLE)).all())


def _cuts(session: Session) -> object:
    return load_cut_contexts(session, active_cut_keys(session)[:_SAMPLE])


def _phases(session: Session) -> object:
    return load_phases(session, session.scalars(select(Project.id).limit(_SAMPLE)).all())


PRODUCT_QUERIES: ProductQueries = {
    "listing episodes": active_episode_keys,
    "listing scenes": active_scene_keys,
    "describing characters": _characters,
    "describing cuts": _cuts,
    "reading gates": _phases,
    "looking for unmeasured takes": unmeasured_takes,
    "looking at the render queue": unfinished,
}
