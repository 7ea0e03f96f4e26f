"""Whether pictures show a character: enrolling its reference picture, checking another one against it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import (
    Character,
    CharacterAnchor,
    FaceEmbedding,
    GenerationConsistency,
    ProjectProfile,
)
from anime_pipeline.quality.enrolment import EnrolledPicture, anchors_of, enroll
from anime_pipeline.quality.likeness import likeness
from anime_pipeline.quality.references import ENROLLED, enrolments
from anime_pipeline.story.lock import lock_story
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.pictures import named_picture
from anime_pipeline.web.problems import ProblemError, problems, unprocessable
from anime_pipeline.web.routes.characters import shown
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.rows import found
from anime_pipeline.web.schemas import Body, Model, PathId
from anime_pipeline.web.shapes.characters import PathText
from anime_pipeline.web.state import Db

router = api_router("characters")


class EmbeddingBody(Body):
    """The picture to enrol; without one, the character's anchors."""

    reference_image_path: PathText | None = None
    force_recompute: bool = Field(False, description="Look again at pictures that are enrolled already.")


class FaceShown(Model):
    """The one face of a picture, in pixels: left, top, right, bottom."""

    box: tuple[float, float, float, float]
    confidence: float


class PictureShown(Model):
    """What became of one picture."""

    picture: str
    state: Literal["enrolled", "unchanged", "refused"]
    face: FaceShown | None
    reason: str | None
    remedy: str | None


class EmbeddingShown(Model):
    """The character's pictures, as its project's identity backend sees them."""

    character_id: int
    backend: str = Field(examples=["ccip"])
    dimensions: int = Field(description="Of the newest embedding.", examples=[768])
    pictures: list[PictureShown]


class CheckBody(Body):
    """The picture to check."""

    image_path: PathText
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Unset: the project's gate.", examples=[0.7]
    )


class CheckShown(Model):
    """How like the character a picture is. Without a number (``not_measurable``) it has not passed."""

    id: int
    character_id: int
    image_path: str
    state: Literal["measured", "not_measurable"]
    score: float | None = Field(description="0 to 1.", examples=[0.83])
    threshold: float = Field(examples=[0.7])
    passed: bool
    backend: str = Field(examples=["ccip"])
    backend_version: str
    weights_sha256: str | None
    reason: str | None
    remedy: str | None


@router.put("/characters/{character_id}/embedding", responses=problems(404, 412, 428))
@requires("artist")
def put_embedding(character_id: PathId, body: EmbeddingBody, db: Db, change: ChangeOf) -> EmbeddingShown:
    """Enrol the one face of a reference picture, which becomes an anchor, or of the character's anchors.

    Without the backend's weights the answer is 409, which says how to get them. If-Match is the ETag of the
    character.
    """
    lock_story(db)
    row = found(db, Character, character_id, "character", lock=True)
    before = shown(db, row)
    change.check(before)
    profile = db.get(ProjectProfile, row.project_id) if row.project_id else None
    if profile is None:
        raise ProblemError(
            409, f"{row.name} belongs to no project with a slug.", "Give its project one: PATCH the project."
        )
    if body.force_recompute:
        _forget(db, row, profile.identity_backend)
    given = body.reference_image_path
    picture = named_picture(db, change.settings, given, "/reference_image_path") if given else None
    results = enroll(db, change.settings, profile.slug, row.name, [picture.path] if picture else [])
    if given and results[0].state == "refused":
        raise unprocessable("/reference_image_path", results[0].reason or "It is refused.", results[0].remedy)
    enrolled = EmbeddingShown(
        character_id=character_id,
        backend=profile.identity_backend,
        dimensions=_note_newest(db, row, profile.identity_backend),
        pictures=[_shown(result, given) for result in results],
    )
    change.done("enrol", "character", character_id, enrolled, before)
    return enrolled


@router.post("/characters/{character_id}/consistency-check", responses=problems(404))
@requires("artist")
def check_consistency(character_id: PathId, body: CheckBody, db: Db, change: ChangeOf) -> CheckShown:
    """Measure how like the character's enrolled pictures another picture is; kept in generation_consistency.

    Without the backend's weights the answer is 409, which says how to get them: never a number.
    """
    row = found(db, Character, character_id, "character")
    picture = named_picture(db, change.settings, body.image_path, "/image_path")
    found_like = likeness(db, change.settings, row, picture.path, body.threshold)
    score = found_like.score
    kept = GenerationConsistency(
        character_id=character_id,
        output_image_path=picture.location,
        face_similarity_score=score.value,
        quality_gates_passed=found_like.passed,
        validation_status="passed" if found_like.passed else "failed",
        metadata_={
            "state": score.state, "threshold": found_like.threshold, "backend": score.provenance.backend,
            "weights_sha256": score.provenance.weights_sha256, "reason": score.reason,
        },
    )  # fmt: skip
    db.add(kept)
    db.flush()
    checked = CheckShown(
        id=kept.id, character_id=character_id, image_path=body.image_path,
        state="measured" if score.value is not None else "not_measurable",
        score=score.value, threshold=found_like.threshold, passed=found_like.passed,
        backend=score.provenance.backend, backend_version=score.provenance.version,
        weights_sha256=score.provenance.weights_sha256, reason=score.reason, remedy=score.remedy,
    )  # fmt: skip
    change.done("check", "character", character_id, checked)
    return checked


def _forget(db: Session, row: Character, backend: str) -> None:
    """Let the anchors count as not enrolled by this backend; their embeddings go when they are made anew."""
    for anchor in anchors_of(db, [row.id]):
        others = {name: made for name, made in enrolments(anchor.metadata_).items() if name != backend}
        anchor.metadata_ = {**(anchor.metadata_ or {}), ENROLLED: others}
    db.flush()


def _note_newest(db: Session, row: Character, backend: str) -> int:
    """Keep the newest embedding where clients of the earlier system read it; its dimensions."""
    query = (
        select(FaceEmbedding.embedding_vector)
        .join(CharacterAnchor, CharacterAnchor.id == FaceEmbedding.anchor_id)
        .where(CharacterAnchor.character_id == row.id, FaceEmbedding.embedding_type == backend)
    )
    vector = db.scalars(query.order_by(FaceEmbedding.id.desc()).limit(1)).first()
    row.reference_embedding = vector
    db.flush()
    return len(vector or b"") // 4  # float32


def _shown(result: EnrolledPicture, given: str | None) -> PictureShown:
    return PictureShown(
        picture=given or result.picture,
        state=result.state,
        face=FaceShown(box=result.face.box, confidence=result.face.confidence) if result.face else None,
        reason=result.reason,
        remedy=result.remedy,
    )
