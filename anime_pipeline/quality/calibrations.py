"""Stored calibrations: the newest of a subject is the one that new scores are made with."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Calibration as StoredCalibration
from anime_pipeline.quality.engines.calibration import Calibration
from anime_pipeline.quality.engines.style_reference import StyleReference
from anime_pipeline.quality.references import EnrolledFace, references_sha256


def newest_calibrations(
    session: Session, project_ids: Collection[int]
) -> dict[tuple[int, str], StoredCalibration]:
    """The newest calibration of each project and subject (identity, style), by both; one query."""
    newest = (
        select(func.max(StoredCalibration.id))
        .where(StoredCalibration.project_id.in_(project_ids))
        .group_by(StoredCalibration.project_id, StoredCalibration.subject)
    )
    rows = session.scalars(select(StoredCalibration).where(StoredCalibration.id.in_(newest)))
    return {(row.project_id, row.subject): row for row in rows}


def style_of(row: StoredCalibration | None) -> StyleReference | None:
    """The style that a calibration holds; None for none."""
    if row is None:
        return None
    scale = row.scale
    return StyleReference(
        row.backend,
        tuple(scale["prototype"]),
        scale["low"],
        scale["approved"],
        scale["best"],
        row.references_sha256,
        row.auc,
        row.weights_sha256,
    )


def identity_of(row: StoredCalibration | None, faces: Collection[EnrolledFace]) -> Calibration | None:
    """What an identity calibration says of these faces; None where it was made of others.

    The same pictures, seen by another backend or with other weights, are other faces.
    """
    if row is None or row.references_sha256 != references_sha256(faces):
        return None
    if {(face.backend, face.weights_sha256) for face in faces} != {(row.backend, row.weights_sha256)}:
        return None
    return Calibration(row.references_sha256, row.auc)
