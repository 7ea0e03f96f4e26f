"""Which takes show the story as it is now: those whose own variant still composes to their recipe."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Take
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.planning import picture_suffixes
from anime_pipeline.rendering.recipes import is_current
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.settings import Settings


def current_takes(session: Session, settings: Settings, cut_keys: Collection[str]) -> dict[str, set[int]]:
    """Job ids of each cut's takes of the current story, finished or not, without reproductions.

    A constant number of queries.
    """
    keys = sorted(set(cut_keys))
    contexts = load_render_contexts(session, settings, keys)
    library, suffixes = TemplateLibrary.of(settings), picture_suffixes(session, contexts.values())
    by_cut = {context.cut_id: context for context in contexts.values()}
    found: dict[str, set[int]] = {key: set() for key in keys}
    rows = session.execute(
        select(Take.job_id, Take.cut_id, Take.recipe_hash, Take.variant).where(
            Take.cut_id.in_(list(by_cut)), Take.reproduces_job_id.is_(None)
        )
    )
    for row in rows:
        context = by_cut[row.cut_id]
        if is_current(context, library, suffixes, row.recipe_hash, Variant.from_json(row.variant)):
            found[context.cut_key].add(row.job_id)
    return found
