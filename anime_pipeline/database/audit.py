"""The audit log: who changed what, written in the transaction of the change: neither is without the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import AuditEntry


@dataclass(frozen=True)
class Actor:
    """Who makes a change. ``key_id`` None: no key of the API was used."""

    name: str
    role: str
    key_id: int | None = None
    request_id: str | None = None


COMMAND_LINE = Actor("command line", "admin")


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: str,
    subject_id: object,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Note a change. ``before`` None: it was made; ``after`` None: it is gone. Both are plain JSON values."""
    session.execute(
        insert(AuditEntry).values(
            actor=actor.name,
            role=actor.role,
            key_id=actor.key_id,
            request_id=actor.request_id,
            action=action,
            subject=subject,
            subject_id=str(subject_id),
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )


def entries_since(session: Session, since: datetime | None = None, limit: int = 200) -> list[AuditEntry]:
    """The newest entries, oldest of them first; with ``since`` those from that time on."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return list(reversed(session.scalars(query).all()))
