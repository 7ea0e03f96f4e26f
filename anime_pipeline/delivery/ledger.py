"""The record of deliveries: what was built from what, so that nothing is built twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery, MediaFile
from anime_pipeline.media.film import MediaInfo
from anime_pipeline.media.store import MediaStore, StoredFile
from anime_pipeline.quality.override_log import Override


def find_delivery(
    session: Session, store: MediaStore, scope_key: str, kind: str, content_sha256: str
) -> MediaFile | None:
    """The file that was delivered for the same content, if the store still has it."""
    query = (
        select(MediaFile)
        .join(Delivery, Delivery.sha256 == MediaFile.sha256)
        .where(
            Delivery.scope_key == scope_key,
            Delivery.kind == kind,
            Delivery.content_sha256 == content_sha256,
        )
        .order_by(Delivery.id.desc())
        .limit(1)
    )
    found = session.scalar(query)
    return found if found is not None and store.exists(found.sha256, found.suffix) else None


def find_deliveries(
    session: Session, store: MediaStore, kind: str, contents: Mapping[str, str]
) -> dict[str, MediaFile]:
    """As :func:`find_delivery`, of many scopes at once: content by scope key; the files by scope key."""
    newest = (
        select(func.max(Delivery.id))
        .where(Delivery.kind == kind, Delivery.scope_key.in_(list(contents)))
        .group_by(Delivery.scope_key, Delivery.content_sha256)
    )
    rows = session.execute(
        select(Delivery.scope_key, Delivery.content_sha256, MediaFile)
        .join(MediaFile, MediaFile.sha256 == Delivery.sha256)
        .where(Delivery.id.in_(newest))
    )
    found = {key: media for key, content, media in rows if content == contents[key]}
    there = store.present({f"{media.sha256}{media.suffix}" for media in found.values()})
    return {key: media for key, media in found.items() if f"{media.sha256}{media.suffix}" in there}


def record_delivery(
    session: Session,
    scope_key: str,
    kind: str,
    sha256: str,
    content_sha256: str,
    overrides: Sequence[Override] = (),
) -> None:
    """Make this the newest delivery of its kind for the scope; nothing changes where it already is.

    ``overrides`` are those that opened its gates: the same film built under others is another delivery.
    """
    under = [noted(override) for override in overrides]
    query = select(Delivery).where(Delivery.scope_key == scope_key, Delivery.kind == kind)
    newest = session.scalar(query.order_by(Delivery.id.desc()).limit(1))
    wanted = (sha256, content_sha256, under)
    if newest is None or (newest.sha256, newest.content_sha256, newest.overrides) != wanted:
        delivery = Delivery(
            scope_key=scope_key, kind=kind, sha256=sha256, content_sha256=content_sha256, overrides=under
        )
        session.add(delivery)
        session.flush()


def noted(override: Override) -> dict[str, object]:
    """What a delivery keeps of an override that opened one of its gates."""
    return {
        "id": override.id,
        "phase": override.phase,
        "by": override.overridden_by,
        "reason": override.reason,
    }


def record_media(session: Session, stored: StoredFile, kind: str, info: MediaInfo | None = None) -> None:
    """Know a stored file in the database; the same file is known once."""
    row = {
        "sha256": stored.sha256,
        "kind": kind,
        "suffix": stored.suffix,
        "bytes": stored.bytes,
        "location": stored.location,
    }
    if info is not None:
        row |= {
            "width": info.width,
            "height": info.height,
            "frame_count": info.frame_count,
            "fps": info.fps,
        }
    session.execute(insert(MediaFile).values(row).on_conflict_do_nothing())
