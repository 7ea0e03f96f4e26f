"""What of the database names a file of the media store: only what nothing names may be removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from anime_pipeline.database.models import (
    Base,
    Calibration,
    CharacterAnchor,
    CharacterVariation,
    CutProfile,
    MediaFile,
    Recipe,
    Retake,
    Scene,
    Take,
    TakeMedia,
)

SHOWING_ROLES = ("film", "frame")
"""The media of a take that pruning frees; its thumbnail is small, and gates and lists show it."""

# Texts and JSON that name pictures by their sha256, with no foreign key.
_MENTIONS: tuple[InstrumentedAttribute[Any], ...] = (
    CharacterAnchor.image_path,
    CharacterVariation.reference_image_path,
    Scene.style_overrides,
    CutProfile.spec,
    Recipe.inputs,
    Calibration.pictures,
    Retake.changes,
)


def referred_to(session: Session, files: Collection[str], without: Collection[int] = ()) -> set[str]:
    """Which of these files (sha256) something names, other than as the film or frame of a pruned take.

    The takes ``without`` are looked at as if they were pruned. Every foreign key on ``media_files`` counts,
    of tables to come too, and every place of the story, of recipes and of retakes that names pictures.
    """
    wanted = set(files)
    if not wanted:
        return set()
    found = set(session.scalars(_shown_by_takes(wanted, without)))
    for column in _foreign_keys():
        found |= set(session.scalars(select(column).where(column.in_(wanted)).distinct()))
    return found | (wanted & mentioned(session))


def mentioned(session: Session) -> set[str]:
    """Every sha256 that the story, recipes, calibrations and retakes name."""
    found: set[str] = set()
    for column in _MENTIONS:
        said = cast(column, Text)
        hashes = func.regexp_matches(said, "[0-9a-f]{64}", "g").label("hashes")
        found |= {
            row.hashes[0] for row in session.execute(select(hashes).where(said.op("~")("[0-9a-f]{64}")))
        }
    return found


def _shown_by_takes(files: Collection[str], without: Collection[int]) -> Select[Any]:
    freed = and_(
        TakeMedia.role.in_(SHOWING_ROLES), or_(Take.pruned_at.is_not(None), Take.job_id.in_(list(without)))
    )
    return (
        select(TakeMedia.sha256)
        .join(Take, Take.job_id == TakeMedia.job_id)
        .where(TakeMedia.sha256.in_(files), ~freed)
        .distinct()
    )


def _foreign_keys() -> Iterator[ColumnElement[str]]:
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column is MediaFile.__table__.c.sha256 and table is not TakeMedia.__table__:
                yield key.parent
