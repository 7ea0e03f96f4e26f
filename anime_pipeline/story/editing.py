"""Single edits of the story, as the API makes them; what they write is what an import would have written.

A production file stays the word on what it holds: its next import shows such an edit as a difference and sets
it back. Callers hold :func:`lock.lock_story` and commit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from sqlalchemy import any_, func, literal, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Cut, Project, ProjectProfile, SceneCharacter, StoryBible
from anime_pipeline.story.crosschecks import NEGATIVE_KEY
from anime_pipeline.story.stored import BIBLE_COLUMNS

LONGEST_SLUG = 63
MARKS = frozenset({"imported", "omitted"})
"""Keys of a character's metadata that belong to the importer."""


def slug_for(session: Session, name: str) -> str:
    """A free slug that is like a project's name: ``Laternenpost!`` is laternenpost, or laternenpost-2."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: LONGEST_SLUG - 6].strip("-") or "project"
    taken = set(session.scalars(select(ProjectProfile.slug).where(ProjectProfile.slug.startswith(slug))))
    return slug if slug not in taken else next(s for n in range(2, 9999) if (s := f"{slug}-{n}") not in taken)


def newest_bible(session: Session, project_id: int) -> StoryBible | None:
    """The bible that counts."""
    query = select(StoryBible).where(StoryBible.project_id == project_id)
    return session.scalars(query.order_by(StoryBible.version.desc().nulls_last()).limit(1)).first()


def add_bible(session: Session, project: Project, values: Mapping[str, Any]) -> StoryBible:
    """A project's next bible. ``values`` are the columns and ``negative_prompt``, which lies in a column."""
    row = {name: values[name] for name in BIBLE_COLUMNS}
    requirements = dict(values["technical_requirements"])
    if values["negative_prompt"]:
        requirements[NEGATIVE_KEY] = values["negative_prompt"]
    versions = select(func.max(StoryBible.version)).where(StoryBible.project_id == project.id)
    version = (session.scalar(versions) or 0) + 1
    bible = StoryBible(project_id=project.id, version=version, technical_requirements=requirements, **row)
    session.add(bible)
    session.flush()
    session.refresh(bible)
    return bible


def is_cast(session: Session, character_id: int) -> bool:
    """Whether a scene or cut shows the character; cuts name it, so its name then stays."""
    in_scene = select(SceneCharacter.id).where(SceneCharacter.character_id == character_id).limit(1)
    in_cut = select(Cut.id).where(literal(character_id) == any_(Cut.character_ids)).limit(1)
    return session.scalar(in_scene) is not None or session.scalar(in_cut) is not None


def with_marks(metadata: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata as a client gives it, with the importer's marks as they were."""
    kept = {name: value for name, value in (stored or {}).items() if name in MARKS}
    return {**{name: value for name, value in metadata.items() if name not in MARKS}, **kept}


def without_marks(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata as clients see it."""
    return {name: value for name, value in (metadata or {}).items() if name not in MARKS}
