"""The faces that a project's characters are told by: anchors that are enrolled and have not changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, CharacterAnchor, FaceEmbedding
from anime_pipeline.story.pictures import stored_sha256

ENROLLED = "enrolled"
"""Key in an anchor's metadata: by backend, the picture and the weights that its embedding was made with."""

STORED_AS = np.dtype("<f4")


@dataclass(frozen=True)
class EnrolledFace:
    """An anchor's face as one backend sees it."""

    project_id: int | None
    character_id: int
    character: str
    anchor_id: int
    sha256: str
    backend: str
    weights_sha256: str | None
    embedding: npt.NDArray[np.float32]


def load_enrolled(
    session: Session, project_ids: Collection[int], character_ids: Collection[int] = ()
) -> list[EnrolledFace]:
    """The enrolled faces of projects and of single characters, by character and picture; one query.

    An embedding of a picture that its anchor no longer has is left out, as are omitted anchors and whatever
    an earlier system left in the table.
    """
    rows = session.execute(
        select(
            Character.project_id,
            Character.id,
            Character.name,
            FaceEmbedding.anchor_id,
            FaceEmbedding.embedding_type,
            FaceEmbedding.embedding_vector,
            CharacterAnchor.image_path,
            CharacterAnchor.metadata_,
            Character.metadata_.label("character_metadata"),
        )
        .join(CharacterAnchor, CharacterAnchor.id == FaceEmbedding.anchor_id)
        .join(Character, Character.id == CharacterAnchor.character_id)
        .where(or_(Character.project_id.in_(project_ids), Character.id.in_(character_ids)))
        .order_by(Character.name, CharacterAnchor.image_path, FaceEmbedding.id)
    )
    faces = []
    for row in rows:
        sha256 = stored_sha256(row.image_path)
        if is_omitted(row.metadata_) or is_omitted(row.character_metadata) or sha256 is None:
            continue
        made_with = enrolments(row.metadata_).get(row.embedding_type, {})
        if made_with.get("picture") != sha256:
            continue
        embedding = np.frombuffer(row.embedding_vector, STORED_AS).astype(np.float32)
        faces.append(
            EnrolledFace(
                row.project_id,
                row.id,
                row.name,
                row.anchor_id,
                sha256,
                row.embedding_type,
                made_with.get("weights_sha256"),
                embedding,
            )
        )
    return faces


def is_omitted(metadata: Mapping[str, Any] | None) -> bool:
    """Whether a character or anchor is gone from its production file."""
    return bool((metadata or {}).get("omitted"))


def enrolments(metadata: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """By backend, what an anchor's embedding was made with."""
    return dict((metadata or {}).get(ENROLLED, {}))


def references_sha256(faces: Iterable[EnrolledFace]) -> str:
    """The hash of who is told by which pictures, in any order."""
    lines = sorted(f"{face.character}\t{face.sha256}\n" for face in faces)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def stacked(faces: Iterable[EnrolledFace]) -> dict[str, npt.NDArray[np.float32]]:
    """Embeddings by character, N × width."""
    by_character: dict[str, list[npt.NDArray[np.float32]]] = {}
    for face in faces:
        by_character.setdefault(face.character, []).append(face.embedding)
    return {name: np.stack(embeddings) for name, embeddings in by_character.items()}
