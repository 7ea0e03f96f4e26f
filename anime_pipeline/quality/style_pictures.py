"""The pictures of a project's style, and those of other styles that it is told from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile, StylePicture
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.enrolment import STYLE_ANCHOR, anchors_of, characters_of, project_profile
from anime_pipeline.quality.errors import CalibrationError
from anime_pipeline.quality.pictures import keep_picture, readable_picture
from anime_pipeline.settings import Settings
from anime_pipeline.story.pictures import stored_sha256

_SHORT = 12  # digits of a sha256 that people read
_FEWEST = 6  # that name a picture


def add_style_pictures(
    session: Session, settings: Settings, project: str, approved: Sequence[Path], others: Sequence[Path]
) -> None:
    """Keep pictures as a project's style, and others as what it is told from; a picture has its last role."""
    profile, store = project_profile(session, project), MediaStore.of(settings)
    for role, paths in (("approved", approved), ("other", others)):
        for path in paths:
            picture = readable_picture(path)
            keep_picture(session, store, picture)
            row = {"project_id": profile.project_id, "sha256": picture.sha256, "role": role}
            adding = insert(StylePicture).values(row)
            keys = ["project_id", "sha256"]
            session.execute(adding.on_conflict_do_update(index_elements=keys, set_={"role": role}))


def remove_style_pictures(session: Session, project: str, named: Sequence[str]) -> None:
    """Let a project's style know nothing more of pictures: files, or beginnings of their sha256.

    The media store keeps them, since earlier calibrations were made of them. Raises :class:`CalibrationError`
    for what names none or several of the pictures that were given, and says which there are.
    """
    profile = project_profile(session, project)
    query = select(StylePicture).where(StylePicture.project_id == profile.project_id)
    kept = {row.sha256: row.role for row in session.scalars(query.order_by(StylePicture.created_at))}
    for name in named:
        sha256 = _kept_as(name, kept)
        session.execute(
            delete(StylePicture).where(
                StylePicture.project_id == profile.project_id, StylePicture.sha256 == sha256
            )
        )


def _kept_as(name: str, kept: dict[str, str]) -> str:
    sought = readable_picture(Path(name)).sha256 if Path(name).is_file() else name.lower()
    found = [sha256 for sha256 in kept if sha256.startswith(sought) and len(sought) >= _FEWEST]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{sha256[:_SHORT]} ({role})" for sha256, role in kept.items()) or "none"
    several = "names several of the style's pictures" if found else "is none of the style's pictures"
    raise CalibrationError(
        f"{name} {several}", f"name a file, or {_FEWEST} digits or more of a sha256; there are: {there}"
    )


def style_pictures(session: Session, project_id: int) -> tuple[dict[str, str], dict[str, str]]:
    """Approved pictures, also anchors of type style_anchor, and others; each sha256 → suffix, sorted."""
    rows = session.execute(
        select(StylePicture.role, MediaFile.sha256, MediaFile.suffix)
        .join(MediaFile, MediaFile.sha256 == StylePicture.sha256)
        .where(StylePicture.project_id == project_id)
    )
    found: dict[str, dict[str, str]] = {"approved": {}, "other": {}}
    for role, sha256, suffix in rows:
        found[role][sha256] = suffix
    characters = characters_of(session, project_id)
    for anchor in anchors_of(session, [row.id for row in characters]):
        anchored = stored_sha256(anchor.image_path)
        if anchor.anchor_type == STYLE_ANCHOR and anchored is not None and anchored not in found["other"]:
            found["approved"][anchored] = Path(anchor.image_path).suffix
    return dict(sorted(found["approved"].items())), dict(sorted(found["other"].items()))
