"""Idempotency-Key on POST: a request that is sent again is answered again, and done once.

The key is claimed in the transaction of the change, so there is never one without the other. A second request
of the same key waits for the first on the index, then gets its answer; an error rolls the claim back, so that
the request can be tried again. Answers are kept for a day.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header, Request, Response
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from anime_pipeline.database.models import IdempotentAnswer
from anime_pipeline.web.problems import ProblemError, unprocessable

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_LOCK_TIMEOUT_SECONDS = 10
_BLOCK = 1 << 20
# Rows that another request is at work on are left to it.
_FORGET = text("""
    DELETE FROM studio.idempotent_answers WHERE (actor, key) IN (
        SELECT actor, key FROM studio.idempotent_answers
        WHERE created_at < now() - interval '24 hours' LIMIT 100 FOR UPDATE SKIP LOCKED
    )
""")
_KEPT_HEADERS = ("etag", "content-type")


async def idempotency_key(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]*$",
            description="The same key and body are answered the same for 24 hours.",
        ),
    ] = None,
) -> None:
    """Dependency of every POST route: notes the key and what was asked with it."""
    if key is None:
        return
    asked = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    # A form is what its parts say: the boundary between them is another one each time.
    if request.headers.get("content-type", "").startswith(("multipart/", "application/x-www-form")):
        for name, part in (await request.form()).multi_items():
            asked.update(f"{name}\n".encode("utf-8", "replace"))
            asked.update(await _sha256_of_part(part))
    else:
        asked.update(await request.body())
    request.state.idempotency = (key, asked.hexdigest())


async def _sha256_of_part(part: UploadFile | str) -> bytes:
    if isinstance(part, str):
        return hashlib.sha256(part.encode("utf-8", "replace")).digest()
    found = hashlib.sha256()
    while block := await part.read(_BLOCK):
        found.update(block)
    await part.seek(0)
    return found.digest()


def answered_before(session: Session, request: Request) -> Response | None:
    """The answer that this key got before; None where it is new, and now claimed.

    Raises a problem: 422 where the key was used for another request, 409 where the first is still at work.
    """
    claim: tuple[str, str] | None = getattr(request.state, "idempotency", None)
    if claim is None:
        return None
    key, request_sha256 = claim
    actor = _actor(request)
    session.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'"))
    session.execute(_FORGET)
    values = {"actor": actor, "key": key, "request_sha256": request_sha256}
    try:
        claimed = session.execute(
            insert(IdempotentAnswer)
            .values(values)
            .on_conflict_do_nothing()
            .returning(IdempotentAnswer.request_sha256)
        ).one_or_none()
    except OperationalError as error:
        raise _at_work() from error
    if claimed is not None:
        session.execute(text("SET LOCAL lock_timeout = 0"))
        return None
    kept = session.scalars(
        select(IdempotentAnswer).where(IdempotentAnswer.actor == actor, IdempotentAnswer.key == key)
    ).one()
    if kept.request_sha256 != request_sha256:
        detail = "The key was used for another request."
        raise unprocessable(f"/{HEADER}", detail, "Use a new key for a new request.", "header")
    if kept.status is None:
        raise _at_work()
    return Response(kept.body, kept.status, {**(kept.headers or {}), "Idempotent-Replayed": "true"})


def keep_answer(session: Session, request: Request, response: Response) -> None:
    """Keep the answer, which for a POST is always JSON, under the key that was claimed."""
    claim: tuple[str, str] | None = getattr(request.state, "idempotency", None)
    if claim is None:
        return
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.actor == _actor(request), IdempotentAnswer.key == claim[0])
        .values(status=response.status_code, headers=headers, body=bytes(response.body).decode())
    )


def _actor(request: Request) -> str:
    caller = request.state.caller
    return f"key {caller.key_id}" if caller.key_id else caller.name


def _at_work() -> ProblemError:
    return ProblemError(
        409, "A request with this key has not been answered yet.", "Ask again in a moment, or use a new key."
    )
