"""A project is calibrated: its own pictures say what metrics can tell apart, and where thresholds fall."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Calibration as StoredCalibration
from anime_pipeline.database.models import ProjectProfile
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.plots import draw_distributions, png
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.calibrations import newest_calibrations
from anime_pipeline.quality.engines.face_similarity import FaceSimilarity, face_backend
from anime_pipeline.quality.engines.registry import absence
from anime_pipeline.quality.engines.style_adherence import EMBEDDERS
from anime_pipeline.quality.engines.weights import weights_sha256
from anime_pipeline.quality.enrolment import project_profile
from anime_pipeline.quality.errors import CalibrationError
from anime_pipeline.quality.phases import load_phases
from anime_pipeline.quality.pictures import keep_picture, readable_picture
from anime_pipeline.quality.references import load_enrolled, references_sha256, stacked
from anime_pipeline.quality.separation import Separation, separate_identities, separate_styles
from anime_pipeline.quality.style_pictures import style_pictures
from anime_pipeline.settings import Settings

Subject = Literal["identity", "style"]

METRICS: dict[Subject, str] = {"identity": "face_similarity", "style": "style_adherence"}


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration as it was made; ``plot`` is a PNG of both distributions, in the home."""

    id: int
    subject: Subject
    metric: str
    backend: str
    references_sha256: str
    separation: Separation
    threshold: float | None
    plot: Path
    is_new: bool


def calibrate_identity(session: Session, settings: Settings, project: str) -> CalibrationReport:
    """How well the project's identity backend tells its enrolled characters apart.

    Raises :class:`CalibrationError` for an absent backend and for too few faces or faces that were enrolled
    with other weights.
    """
    profile = project_profile(session, project)
    name = profile.identity_backend
    weights = _weights("identity", name, FaceSimilarity(settings.models_path, name).weights, settings)
    faces = [
        face
        for face in load_enrolled(session, [profile.project_id])
        if face.backend == name and face.project_id == profile.project_id
    ]
    if any(face.weights_sha256 != weights for face in faces):
        raise CalibrationError(
            "some faces were enrolled with other weights", f"anime-pipeline characters enroll {project}"
        )
    backend = face_backend(name, settings.models_path)
    separation = separate_identities(backend, stacked(faces))
    pictures = [{"character": face.character, "sha256": face.sha256} for face in faces]
    return _keep(
        session, settings, profile, "identity", name, weights, references_sha256(faces), pictures, separation
    )


def calibrate_style(session: Session, settings: Settings, project: str, backend: str) -> CalibrationReport:
    """How well ``backend`` (csd or clip) tells the project's approved pictures from pictures of other styles.

    Approved are the pictures given to the project and its anchors of type style_anchor. Raises
    :class:`CalibrationError` for an absent backend, StyleReferenceError for too few pictures or styles that
    cannot be told apart at all.
    """
    profile = project_profile(session, project)
    embedder = EMBEDDERS[backend]
    weights = _weights("style", backend, (embedder.weights,), settings)
    approved, others = style_pictures(session, profile.project_id)
    store = MediaStore.of(settings)

    def embedded(pictures: dict[str, str]) -> npt.NDArray[np.float32]:
        found = []
        for sha256, suffix in pictures.items():
            frame = next(iter_frames(store.local_path(sha256, suffix)))
            found.append(embedder.embed(frame[None], settings.models_path)[0])
        return np.stack(found) if found else np.zeros((0, 1), np.float32)

    names = [f"approved {sha256}" for sha256 in approved] + [f"other {sha256}" for sha256 in others]
    references = hashlib.sha256("\n".join(names).encode()).hexdigest()
    separation = separate_styles(backend, embedded(approved), embedded(others), references)
    pictures = [dict(zip(("role", "sha256"), name.split(), strict=True)) for name in names]
    return _keep(session, settings, profile, "style", backend, weights, references, pictures, separation)


def _weights(subject: Subject, backend: str, names: tuple[str, ...], settings: Settings) -> str:
    lack = absence(METRICS[subject], backend, settings.models_path)
    if lack is not None:
        raise CalibrationError(f"the {subject} backend {backend} is unavailable: {lack.reason}", lack.remedy)
    return weights_sha256(names, settings.models_path) or ""


def _keep(
    session: Session,
    settings: Settings,
    profile: ProjectProfile,
    subject: Subject,
    backend: str,
    weights: str,
    references: str,
    pictures: list[dict[str, Any]],
    separation: Separation,
) -> CalibrationReport:
    """Store a calibration with its plot, unless the newest is the same."""
    threshold = _threshold(session, profile.project_id, METRICS[subject])
    title = f"{profile.slug}: {METRICS[subject]} by {backend}"
    plot = _plot(title, references, separation, threshold)
    exported = settings.home / "calibrations" / profile.slug / f"{subject}-{backend}-{references[:12]}.png"
    exported.parent.mkdir(parents=True, exist_ok=True)
    exported.write_bytes(plot)
    newest = newest_calibrations(session, [profile.project_id]).get((profile.project_id, subject))
    made_of = (backend, weights, references, threshold, separation.auc)
    known = newest and (
        newest.backend,
        newest.weights_sha256,
        newest.references_sha256,
        newest.threshold,
        newest.auc,
    )
    if newest is None or known != made_of:
        newest = StoredCalibration(
            project_id=profile.project_id,
            subject=subject,
            backend=backend,
            weights_sha256=weights,
            references_sha256=references,
            pictures=pictures,
            same=list(separation.same),
            different=list(separation.different),
            raw={"same": list(separation.raw_same), "different": list(separation.raw_different)},
            scale=dict(separation.scale),
            auc=separation.auc,
            threshold=threshold,
            plot_sha256=_store_plot(session, settings, exported),
        )
        session.add(newest)
        session.flush()
    return CalibrationReport(
        newest.id,
        subject,
        METRICS[subject],
        backend,
        references,
        separation,
        threshold,
        exported,
        known != made_of,
    )


def _threshold(session: Session, project_id: int, metric: str) -> float | None:
    phases = load_phases(session, [project_id])[project_id]
    limits = [rule.threshold for phase in phases.values() for rule in phase.rules if rule.metric == metric]
    return next((limit for limit in limits if limit is not None), None)


def _plot(title: str, references: str, separation: Separation, threshold: float | None) -> bytes:
    said = f"AUC {separation.auc:.3f}" + ("" if separation.separates else ": cannot separate")
    passing = separation.passing(threshold)
    if passing is not None:
        said += f"; {passing[0]:.0%} of the same and {passing[1]:.0%} of the different pass {threshold:g}"
    picture = draw_distributions(
        title, f"{said} · references {references[:12]}", separation.same, separation.different, threshold
    )
    return png(picture)


def _store_plot(session: Session, settings: Settings, path: Path) -> str:
    picture = readable_picture(path)
    keep_picture(session, MediaStore.of(settings), picture)
    return picture.sha256
