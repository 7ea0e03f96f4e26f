"""ETags and If-Match: two people who edit the same thing don't overwrite each other unawares.

An ETag is the hash of a thing's representation. A change with If-Match is refused with 412 where the thing is
no longer as the ETag says. Clients of the earlier system know no If-Match and are let through without one,
unless ANIME_API_REQUIRE_IF_MATCH says otherwise: then they get 428.
"""

from __future__ import annotations

import hashlib

from pydantic import BaseModel
from starlette.requests import Request

from anime_pipeline.settings import Settings
from anime_pipeline.web.problems import ProblemError


def etag_of(body: str | BaseModel) -> str:
    """The strong ETag of a representation."""
    text = body if isinstance(body, str) else body.model_dump_json(by_alias=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_fresh(header: str | None, etag: str) -> bool:
    """Whether If-None-Match or If-Match names this ETag (a ``W/`` before it does not matter here)."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def check_unchanged(request: Request, settings: Settings, current: BaseModel | None) -> None:
    """Refuse a change that If-Match says was meant for another version. Raises a problem: 412 or 428.

    Read ``current`` from locked rows (``FOR UPDATE``), so that it stays true until the change is written.
    """
    wanted = request.headers.get("if-match")
    if wanted is None and settings.api_require_if_match and current is not None:
        raise ProblemError(428, "Changes need If-Match here.", "GET it first and send its ETag as If-Match.")
    if wanted is not None and (current is None or not is_fresh(wanted, etag_of(current))):
        raise ProblemError(
            412, "It was changed since you read it.", "GET it again, then send your change with the new ETag."
        )
