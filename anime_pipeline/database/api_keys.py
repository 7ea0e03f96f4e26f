"""Keys of the API: made, found, revoked.

A key is 32 random bytes, so one SHA-256 of it is hash enough: a slow hash protects secrets that can be
guessed, and 2^256 keys cannot. The key itself is shown once and kept nowhere.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta, timezone
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.audit import COMMAND_LINE, record
from anime_pipeline.database.models import ApiKey
from anime_pipeline.errors import UserError

Role = Literal["viewer", "artist", "supervisor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
_MARK = "anime_"
_SHOWN = len(_MARK) + 6


def create_key(session: Session, name: str, role: str, days: int | None = None) -> tuple[ApiKey, str]:
    """A new key and its secret, which is never to be had again. Raises :class:`UserError`."""
    if role not in ROLES:
        raise UserError(f"there is no role {role}", f"choose one of {', '.join(ROLES)}")
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise UserError(
            "a key's name has 1 to 100 printable characters", "name who uses it, such as review-room"
        )
    if session.scalar(select(ApiKey.id).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))):
        raise UserError(f"a key is called {name} already", "choose another name, or revoke that one first")
    secret = _MARK + secrets.token_urlsafe(32)
    expires_at = datetime.now(timezone.utc) + timedelta(days=days) if days else None
    key = ApiKey(
        name=name, role=role, prefix=secret[:_SHOWN], key_sha256=sha256_of(secret), expires_at=expires_at
    )
    session.add(key)
    session.flush()
    record(session, COMMAND_LINE, "create", "api_key", key.id, None, {"name": name, "role": role})
    return key, secret


def revoke_key(session: Session, key_id: int) -> ApiKey:
    """Revoke a key for good, at once for every server on this database. Raises :class:`UserError`."""
    key = session.get(ApiKey, key_id, with_for_update=True)
    if key is None:
        raise UserError(f"there is no key {key_id}", "anime-pipeline keys list")
    if key.revoked_at is None:
        key.revoked_at = func.now()
        facts = {"name": key.name, "role": key.role}
        record(session, COMMAND_LINE, "revoke", "api_key", key.id, facts, None)
        session.flush()
        session.refresh(key)
    return key


def all_keys(session: Session) -> list[ApiKey]:
    """Every key that was ever made, oldest first."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.id)))


def any_usable_key(session: Session) -> bool:
    """Whether some key lets anyone in now."""
    return session.scalar(select(ApiKey.id).where(*USABLE).limit(1)) is not None


def sha256_of(secret: str) -> str:
    """What the database keeps of a key."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


USABLE = (
    ApiKey.revoked_at.is_(None),
    func.coalesce(ApiKey.expires_at, "infinity") > func.now(),
)
"""Conditions of a key that lets its holder in."""
