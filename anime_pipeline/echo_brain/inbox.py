"""Messages of the supervisor: verified, taken once, and kept with what came of them.

A message and its effect are written in one transaction, so that a kill in between leaves neither. What is
genuine and cannot be followed is kept too: unknown kinds, payloads that are refused, effects that failed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import InboxMessage
from anime_pipeline.echo_brain.configuration import Clock, checked_secret, utc_now
from anime_pipeline.echo_brain.errors import MessageError, NotConfiguredError, ReplayedError, TooLargeError
from anime_pipeline.echo_brain.events import LONGEST_MESSAGE, Message, Task, parse_object, validated
from anime_pipeline.echo_brain.handlers import UnknownKindError, apply_message, apply_task
from anime_pipeline.echo_brain.signing import verify
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.patience import DATABASE_GONE
from anime_pipeline.settings import Settings

Source = Literal["webhook", "task"]
State = Literal["applied", "refused", "unknown", "failed"]
STATES: tuple[State, ...] = ("applied", "refused", "unknown", "failed")
_KEPT_OF_RAW = 16 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """What came of a message. ``duplicate``: it was here before, and nothing was done again."""

    event_id: str
    event_type: str | None
    task_id: str | None
    state: State
    reason: str | None
    outcome: dict[str, Any]
    duplicate: bool = False


@dataclass(frozen=True)
class _Parsed:
    """A message as far as it could be read; ``problem`` says why it goes no further."""

    event_id: str
    content_sha256: str
    event_type: str | None = None
    task_id: str | None = None
    body: dict[str, Any] | None = None
    message: Message | Task | None = None
    problem: MessageError | None = None


def receive(
    session: Session,
    settings: Settings,
    source: Source,
    body: bytes,
    headers: Mapping[str, str],
    clock: Clock = utc_now,
) -> Receipt:
    """Take a message; commits.

    Raises :class:`MessageError` with nothing kept for what is oversized, forged, late, or replayed. An
    effect that fails by a mistake of ours is kept as failed and raised on, so that the sender tries again.
    """
    if len(body) > LONGEST_MESSAGE:
        raise TooLargeError(f"A message has {LONGEST_MESSAGE} bytes at most.", "send fewer cuts at once")
    try:
        secret = checked_secret(settings)
    except UserError as error:
        raise NotConfiguredError("This worker takes no messages: it has no secret.", error.remedy) from None
    signature = verify(secret, headers, body, clock())
    parsed = _parse(source, body)
    _one_at_a_time(session, parsed.event_id)
    known = session.get(InboxMessage, parsed.event_id)
    if known is not None and known.state != "failed":
        receipt = _again(known, parsed, signature, clock())
        session.commit()
        return receipt
    row = known or InboxMessage(
        event_id=parsed.event_id, source=source, event_type=parsed.event_type, task_id=parsed.task_id,
        body=parsed.body, raw=None if parsed.body is not None else _readable(body),
        body_sha256=parsed.content_sha256, signatures=[signature], state="failed", reason="not done yet",
        outcome={}, receipts=1, received_at=clock(),
    )  # fmt: skip
    return _follow(session, settings, row, parsed, clock())


def retry(session: Session, settings: Settings, event_id: str, clock: Clock = utc_now) -> Receipt:
    """Follow a message anew that was refused, unknown or failed; commits. Raises :class:`UserError`."""
    _one_at_a_time(session, event_id)
    row = session.get(InboxMessage, event_id)
    if row is None:
        raise UserError(f"The inbox has no message {event_id}.", "anime-pipeline echo inbox list")
    if row.state == "applied":
        raise UserError(f"{event_id} is applied already.", "anime-pipeline echo inbox list --state refused")
    if row.body is None:
        raise UserError(f"{event_id} is no JSON, so nothing can be tried again.", "have it sent anew")
    body = json.dumps(row.body).encode()
    parsed = _parse("task" if row.source == "task" else "webhook", body)
    return _follow(session, settings, row, parsed, clock())


def list_messages(session: Session, states: Collection[str] = STATES, limit: int = 100) -> list[InboxMessage]:
    """The newest messages in these states, newest first."""
    query = select(InboxMessage).where(InboxMessage.state.in_(list(states)))
    return list(session.scalars(query.order_by(InboxMessage.received_at.desc()).limit(limit)))


def drop(session: Session, event_id: str) -> None:
    """Delete a message that was refused, unknown or failed and that nobody will follow. Raises UserError.

    Sent again, it is followed as if it were new.
    """
    _one_at_a_time(session, event_id)
    row = session.get(InboxMessage, event_id)
    if row is None:
        raise UserError(f"The inbox has no message {event_id}.", "anime-pipeline echo inbox list")
    if row.state == "applied":
        raise UserError(
            f"{event_id} is applied: it is kept so that it is not followed twice.",
            "ANIME_ECHO_BRAIN_INBOX_DAYS says for how long",
        )
    session.delete(row)


def prune(session: Session, settings: Settings, now: datetime) -> int:
    """Delete applied messages that came last more than ``echo_brain_inbox_days`` ago; how many.

    A sending within the window in which a signature holds is so never forgotten, since the days are one at
    least. What was not followed stays until it is retried or dropped.
    """
    before = now - timedelta(days=settings.echo_brain_inbox_days)
    gone = delete(InboxMessage).where(InboxMessage.state == "applied", InboxMessage.received_at < before)
    return len(session.scalars(gone.returning(InboxMessage.event_id)).all())


def _follow(
    session: Session, settings: Settings, row: InboxMessage, parsed: _Parsed, now: datetime
) -> Receipt:
    """Do what the message says and keep it with what came of it, in one transaction."""
    try:
        row.state, row.reason, row.outcome = _effect(session, settings, parsed)
    except DATABASE_GONE:
        raise  # nothing was done, and nothing can be kept: the sender tries again
    except Exception as error:
        _log.exception("message %s failed", row.event_id)
        session.rollback()
        _keep(session, row, "failed", f"a mistake of this worker: {error}"[:2000])
        raise
    row.applied_at = now if row.state == "applied" else None
    receipt = _receipt(row)
    session.add(row)
    session.commit()
    return receipt


def _effect(
    session: Session, settings: Settings, parsed: _Parsed
) -> tuple[State, str | None, dict[str, Any]]:
    if parsed.problem is not None:
        return "refused", _said(parsed.problem), {}
    try:
        with session.begin_nested():  # what a refused message had begun is undone
            if isinstance(parsed.message, Task):
                return "applied", None, apply_task(session, settings, parsed.message)
            assert parsed.message is not None
            return "applied", None, apply_message(session, settings, parsed.message)
    except UnknownKindError as unknown:
        return "unknown", _said(unknown), {}
    except UserError as refusal:
        return "refused", _said(refusal), {}


def _keep(session: Session, row: InboxMessage, state: State, reason: str) -> None:
    values = {column.name: getattr(row, column.name) for column in InboxMessage.__table__.columns}
    values |= {"state": state, "reason": reason, "outcome": {}, "applied_at": None}
    session.expunge_all()
    session.merge(InboxMessage(**{name: value for name, value in values.items() if value is not None}))
    session.commit()


def _again(known: InboxMessage, parsed: _Parsed, signature: str, now: datetime) -> Receipt:
    """The message was here before: another sending of it is answered as the first one was."""
    if signature in known.signatures:
        raise ReplayedError(
            f"{known.event_id} was received before with this very signature.",
            "sign each sending anew",
        )
    if known.body_sha256 != parsed.content_sha256:
        raise ReplayedError(
            f"{known.event_id} was received before, with another content.", "give each event an id of its own"
        )
    known.receipts += 1
    known.received_at = now  # what still comes is not forgotten: see prune
    known.signatures = [*known.signatures, signature]
    return _receipt(known, duplicate=True)


def _receipt(row: InboxMessage, duplicate: bool = False) -> Receipt:
    state: Any = row.state
    return Receipt(row.event_id, row.event_type, row.task_id, state, row.reason, row.outcome, duplicate)


def _parse(source: Source, body: bytes) -> _Parsed:
    """Read a body. One without a usable id is named by its hash, so that it can be kept."""
    unnamed = f"sha256:{hashlib.sha256(body).hexdigest()}"
    try:
        value = parse_object(body)
    except MessageError as problem:
        return _Parsed(unnamed, unnamed[7:], problem=problem)
    try:
        if source == "task":
            task = validated(Task, value)
            content = _hash([task.task_type, task.project_id, task.payload])
            return _Parsed(f"task:{task.task_id}", content, task.task_type, task.task_id, value, task)
        message = validated(Message, value)
        content = _hash([message.event_type, message.task_id, message.data])
        return _Parsed(message.event_id, content, message.event_type, message.task_id, value, message)
    except MessageError as problem:
        kind = value.get("task_type" if source == "task" else "event_type")
        kind = kind[:100] if isinstance(kind, str) else None
        return _Parsed(unnamed, unnamed[7:], kind, None, value, problem=problem)


def _hash(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _one_at_a_time(session: Session, event_id: str) -> None:
    """Hold off another receipt of the same message until this transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('anime_pipeline.inbox'), hashtext(:id))"),
        {"id": event_id},
    )


def _readable(body: bytes) -> str:
    return body[:_KEPT_OF_RAW].decode("utf-8", "replace").replace("\x00", "\ufffd")


def _said(error: UserError) -> str:
    return f"{error} ({error.remedy})" if error.remedy else str(error)
