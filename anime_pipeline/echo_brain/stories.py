"""The story was changed at the supervisor's: which cuts that concerns, and which of them are stale."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import record
from anime_pipeline.database.models import Character, Project
from anime_pipeline.echo_brain.events import StoryUpdated
from anime_pipeline.echo_brain.renders import SUPERVISOR
from anime_pipeline.errors import UserError
from anime_pipeline.quality.references import is_omitted
from anime_pipeline.rendering.staleness import states_of
from anime_pipeline.settings import Settings

_SHOWN = 200
_CUTS = text("""
    SELECT p.cut_key FROM studio.cut_profiles p JOIN cuts c ON c.id = p.cut_id
    WHERE p.project_id = :project_id AND p.omitted_at IS NULL
      AND (:everyone OR c.character_ids && CAST(:character_ids AS integer[]))
""")


def story_updated(session: Session, settings: Settings, updated: StoryUpdated) -> dict[str, Any]:
    """Report the cuts that show these characters (none named: all cuts), and how they stand now.

    Our story is the production file's, so nothing is rendered and nothing of it is changed: what has to be
    rendered again is what `anime-pipeline status` calls stale. Raises UserError for what is not there.
    """
    if session.get(Project, updated.project_id) is None:
        raise UserError(f"There is no project {updated.project_id}.", "anime-pipeline status")
    character_ids = _characters(session, updated)
    rows = session.scalars(
        _CUTS,
        {
            "project_id": updated.project_id, "everyone": not updated.affected_characters,
            "character_ids": character_ids,
        },
    )  # fmt: skip
    states = states_of(session, settings, sorted(rows), check_files=False)
    by_state: dict[str, list[str]] = {}
    for state in states:
        by_state.setdefault(state.state, []).append(state.cut_key)
    told = {"cuts": len(states), **{state: len(keys) for state, keys in sorted(by_state.items())}}
    record(session, SUPERVISOR, "report", "story", updated.project_id, None, told)
    listed = {state: keys[:_SHOWN] for state, keys in sorted(by_state.items()) if state != "current"}
    return {**told, "characters": character_ids, "listed": listed}


def _characters(session: Session, updated: StoryUpdated) -> list[int]:
    query = select(Character).where(Character.project_id == updated.project_id)
    known = [row for row in session.scalars(query) if not is_omitted(row.metadata_)]
    by_name: dict[int | str, int] = {row.name.lower(): row.id for row in known}
    by_name |= {row.id: row.id for row in known}
    found, unknown = set(), []
    for named in updated.affected_characters:
        character_id = by_name.get(named.lower() if isinstance(named, str) else named)
        unknown.append(str(named)) if character_id is None else found.add(character_id)
    if unknown:
        raise UserError(
            f"Project {updated.project_id} has no character {', '.join(unknown[:10])}.",
            "name its characters by id or name; GET /api/anime/characters lists them",
        )
    return sorted(found)
