"""Characters are enrolled: the one face of each approved picture becomes an embedding in the database."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Character, CharacterAnchor, FaceEmbedding, ProjectProfile
from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.engines.face_similarity import FaceSimilarity, face_backend
from anime_pipeline.quality.engines.faces import Face, FaceBackend, FaceError, only_face
from anime_pipeline.quality.engines.registry import absence
from anime_pipeline.quality.engines.weights import weights_sha256
from anime_pipeline.quality.errors import EnrolmentError, UnknownScopeError
from anime_pipeline.quality.pictures import keep_picture, readable_picture
from anime_pipeline.quality.references import ENROLLED, STORED_AS, enrolments, is_omitted
from anime_pipeline.settings import Settings
from anime_pipeline.story.pictures import stored_sha256

GIVEN_ANCHOR = "face_reference"
"""The type of an anchor that was given to the command and not by the production file."""

STYLE_ANCHOR = "style_anchor"
"""The type of an anchor that shows the show's style, and hardly ever one face."""

State = Literal["enrolled", "unchanged", "refused"]


@dataclass(frozen=True)
class EnrolledPicture:
    """What became of one picture; ``reason`` and ``remedy`` where it was refused."""

    character: str
    picture: str
    state: State
    face: Face | None = None
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class _Eye:
    """A loaded backend, and the hash of the weights that it sees with."""

    name: str
    backend: FaceBackend
    weights_sha256: str | None


def project_profile(session: Session, slug: str) -> ProjectProfile:
    """The profile of a project. Raises :class:`UnknownScopeError`."""
    profile = session.scalar(select(ProjectProfile).where(ProjectProfile.slug == slug))
    if profile is None:
        raise UnknownScopeError(f"no project is called {slug}", "anime-pipeline import production.yaml")
    return profile


def characters_of(session: Session, project_id: int, name: str | None = None) -> list[Character]:
    """A project's characters by name, or the one that is called ``name``, whatever its case.

    Raises :class:`EnrolmentError` for a name that none has.
    """
    query = select(Character).where(Character.project_id == project_id).order_by(Character.name)
    characters = [row for row in session.scalars(query) if not is_omitted(row.metadata_)]
    if name is None:
        return characters
    found = [row for row in characters if row.name.lower() == name.lower()]
    if not found:
        near = difflib.get_close_matches(name, [row.name for row in characters], 1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise EnrolmentError(f"no character is called {name}{guess}", "anime-pipeline characters list")
    return found


def anchors_of(session: Session, character_ids: Sequence[int]) -> list[CharacterAnchor]:
    """The anchors of characters, without those gone from the production file."""
    query = select(CharacterAnchor).where(CharacterAnchor.character_id.in_(character_ids))
    rows = session.scalars(query.order_by(CharacterAnchor.character_id, CharacterAnchor.id))
    return [row for row in rows if not is_omitted(row.metadata_)]


def enroll(
    session: Session,
    settings: Settings,
    project: str,
    character: str | None = None,
    images: Sequence[Path] = (),
) -> list[EnrolledPicture]:
    """Enrol a project's characters, or one of them, for the project's identity backend.

    Without ``images``, from the anchors that are there but those of the style; with them, from these files,
    which become anchors of the one character. A picture with no face or with several is refused and costs no
    other picture. Nothing is committed here. Raises :class:`EnrolmentError` where the backend, its packages
    or its weights are absent, for an unknown character, and where there is no picture.
    """
    profile = project_profile(session, project)
    chosen = characters_of(session, profile.project_id, character)
    if images and character is None:
        raise EnrolmentError(
            "pictures are enrolled for one character",
            f"anime-pipeline characters enroll {project} NAME --image …",
        )
    eye = _eye(profile.identity_backend, settings.models_path)
    store = MediaStore.of(settings)
    anchors = anchors_of(session, [row.id for row in chosen])
    if images:
        return [_given(session, store, eye, chosen[0], anchors, path) for path in images]
    of_faces = [row for row in anchors if row.anchor_type != STYLE_ANCHOR]
    if not of_faces:
        whose = character or "any character"
        raise EnrolmentError(
            f"there is no anchor of {whose} to enrol",
            f"anime-pipeline characters enroll {project} NAME --image FILE, or `anchors` in production.yaml",
        )
    names = {row.id: row.name for row in chosen}
    return [_known(session, store, eye, names[row.character_id or 0], row) for row in of_faces]


def _eye(name: str, models_dir: Path) -> _Eye:
    lack = absence("face_similarity", name, models_dir)
    if lack is not None:
        raise EnrolmentError(f"the face backend {name} is unavailable: {lack.reason}", lack.remedy)
    weights = FaceSimilarity(models_dir, name).weights
    return _Eye(name, face_backend(name, models_dir), weights_sha256(weights, models_dir))


def _known(
    session: Session, store: MediaStore, eye: _Eye, character: str, anchor: CharacterAnchor
) -> EnrolledPicture:
    """Enrol an anchor that the database has."""
    shown = f"{anchor.anchor_type} {anchor.anchor_name}"
    sha256 = stored_sha256(anchor.image_path)
    if sha256 is None:
        reason = f"{anchor.image_path} is not in the media store"
        return EnrolledPicture(character, shown, "refused", None, reason, "enrol its file with --image")
    made_with = {"picture": sha256, "weights_sha256": eye.weights_sha256}
    if enrolments(anchor.metadata_).get(eye.name) == made_with:
        return EnrolledPicture(character, shown, "unchanged")
    return _looked_at(
        character,
        shown,
        eye,
        lambda: store.local_path(sha256, Path(anchor.image_path).suffix),
        lambda face: _write(session, eye, anchor, sha256, face),
    )


def _given(
    session: Session,
    store: MediaStore,
    eye: _Eye,
    character: Character,
    anchors: list[CharacterAnchor],
    path: Path,
) -> EnrolledPicture:
    """Enrol a file, as the anchor that has it already or as a new one."""
    picture = readable_picture(path)
    for anchor in anchors:
        if stored_sha256(anchor.image_path) == picture.sha256:
            return _known(session, store, eye, character.name, anchor)

    def write(face: Face) -> None:
        keep_picture(session, store, picture)
        anchor = CharacterAnchor(
            character_id=character.id,
            anchor_type=GIVEN_ANCHOR,
            anchor_name=path.stem,
            image_path=picture.location,
        )
        session.add(anchor)
        session.flush()
        anchors.append(anchor)
        _write(session, eye, anchor, picture.sha256, face)

    return _looked_at(character.name, str(path), eye, lambda: path, write)


def _looked_at(
    character: str, shown: str, eye: _Eye, locate: Callable[[], Path], write: Callable[[Face], None]
) -> EnrolledPicture:
    try:
        face = only_face(next(iter_frames(locate())), eye.backend)
    except (FaceError, MediaError) as refusal:
        return EnrolledPicture(character, shown, "refused", None, str(refusal), refusal.remedy)
    write(face)
    return EnrolledPicture(character, shown, "enrolled", face)


def _write(session: Session, eye: _Eye, anchor: CharacterAnchor, sha256: str, face: Face) -> None:
    """The anchor's one embedding by this backend, in place of an earlier one."""
    vector = face.embedding.astype(STORED_AS).tobytes()
    left, top, right, bottom = face.box
    session.execute(
        delete(FaceEmbedding).where(
            FaceEmbedding.anchor_id == anchor.id, FaceEmbedding.embedding_type == eye.name
        )
    )
    session.add(
        FaceEmbedding(
            character_id=anchor.character_id,
            anchor_id=anchor.id,
            embedding_type=eye.name,
            embedding_vector=vector,
            face_bbox={"left": left, "top": top, "right": right, "bottom": bottom},
            face_landmarks={"points": [list(point) for point in face.landmarks]} if face.landmarks else None,
            confidence_score=face.confidence,
        )
    )
    anchor.face_embedding = vector
    made_with = {"picture": sha256, "weights_sha256": eye.weights_sha256}
    all_of_it = {**enrolments(anchor.metadata_), eye.name: made_with}
    anchor.metadata_ = {**(anchor.metadata_ or {}), ENROLLED: all_of_it}
    session.flush()
