"""A picture is checked against a character's enrolled faces: the task consistency_check."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import ProjectProfile
from anime_pipeline.echo_brain.events import ConsistencyCheck
from anime_pipeline.echo_brain.pictures import named_character, named_picture
from anime_pipeline.quality.engines.face_similarity import METRIC
from anime_pipeline.quality.engines.registry import absence
from anime_pipeline.quality.likeness import likeness
from anime_pipeline.settings import Settings


def check_consistency(session: Session, settings: Settings, wanted: ConsistencyCheck) -> dict[str, Any]:
    """How like the character a picture is. Raises UserError where nothing can be measured here."""
    character = named_character(session, wanted.character_id)
    picture = named_picture(session, settings, character, wanted.image_path)
    found = likeness(session, settings, character, picture.path, wanted.threshold)
    return {
        "character_id": character.id,
        "image_path": picture.location,
        "state": found.score.state,
        "score": found.score.value,
        "threshold": found.threshold,
        "passed": found.passed,
        "reason": found.score.reason,
    }


def can_check(session: Session, settings: Settings) -> bool:
    """Whether the identity backend of some project can be used here."""
    backends = session.scalars(select(ProjectProfile.identity_backend).distinct())
    return any(absence(METRIC, backend, settings.models_path) is None for backend in backends)
