"""One picture against one character: is it the same one? With the engine that takes are measured with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, ProjectProfile
from anime_pipeline.media.film import iter_frames
from anime_pipeline.quality.calibrations import identity_of, newest_calibrations
from anime_pipeline.quality.engines.face_similarity import METRIC, FaceSimilarity
from anime_pipeline.quality.engines.protocol import Score, TakeFacts
from anime_pipeline.quality.engines.registry import absence
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.errors import QualityError
from anime_pipeline.quality.phases import load_phases
from anime_pipeline.quality.references import load_enrolled, stacked
from anime_pipeline.settings import Settings

PHASE = "phase_1_still"


@dataclass(frozen=True)
class Likeness:
    """A picture's score and the threshold that it is held to; what is not measured has not passed."""

    score: Score
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the picture was measured and reaches the threshold."""
        return self.score.value is not None and self.score.value >= self.threshold


def likeness(
    session: Session, settings: Settings, character: Character, picture: Path, threshold: float | None = None
) -> Likeness:
    """How like the character's enrolled pictures the one in ``picture`` is, 0 to 1.

    ``threshold`` None: the project's for stills. Raises :class:`QualityError` where the backend, its packages
    or its weights are absent, or no threshold is kept: there is no number then.
    """
    profile = session.get(ProjectProfile, character.project_id) if character.project_id else None
    if profile is None:
        raise QualityError(
            f"{character.name} belongs to no project with a slug, so no identity backend is chosen for it",
            "give its project a slug (PATCH /api/anime/projects/{id}), or import a production with it",
        )
    lack = absence(METRIC, profile.identity_backend, settings.models_path)
    if lack is not None:
        raise QualityError(f"{METRIC} cannot be measured: {lack.reason}", lack.remedy)
    limit = threshold if threshold is not None else _threshold(session, profile.project_id)
    engine = FaceSimilarity(settings.models_path, profile.identity_backend)
    stream = EngineStream([engine], _facts(session, profile, character))
    stream.add(next(iter_frames(picture)))
    score = stream.finish()[METRIC]
    if score.state == "unavailable":
        raise QualityError(f"{METRIC} cannot be measured: {score.reason}", score.remedy)
    return Likeness(score, limit)


def _facts(session: Session, profile: ProjectProfile, character: Character) -> TakeFacts:
    backend = profile.identity_backend
    seen = [face for face in load_enrolled(session, [profile.project_id]) if face.backend == backend]
    faces = [face for face in seen if face.character_id == character.id]
    calibration = newest_calibrations(session, [profile.project_id]).get((profile.project_id, "identity"))
    return TakeFacts(
        kind="still",
        figures=(character.name,),
        anchors={character.name: tuple(face.sha256 for face in faces)},
        face_anchors=stacked(faces),
        anchor_weights=frozenset(face.weights_sha256 for face in faces),
        identity_backend=backend,
        identity_calibration=identity_of(calibration, seen),
    )


def _threshold(session: Session, project_id: int) -> float:
    rules = load_phases(session, [project_id])[project_id][PHASE].rules
    threshold = next((rule.threshold for rule in rules if rule.metric == METRIC), None)
    if threshold is None:
        raise QualityError(
            f"no active gate says what {METRIC} must reach", "send a threshold, or put the gate back"
        )
    return threshold
