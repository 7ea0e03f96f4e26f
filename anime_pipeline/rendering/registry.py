"""The fleet as the database knows it: states, running failures, blocks; every worker reads and writes it."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import RenderServer
from anime_pipeline.errors import UserError
from anime_pipeline.rendering.probing import ServerFacts

ServerState = Literal["active", "draining", "paused", "blocked"]
Origin = Literal["settings", "added"]

FAILURES_TO_BLOCK = 3
FIRST_BLOCK_SECONDS, LONGEST_BLOCK_SECONDS = 1.0, 300.0
# A server that only settings name belongs to the fleet while a worker with these settings is at work.
_SEEN = "(origin = 'added' OR seen_at > clock_timestamp() - interval '10 minutes')"


class ServerError(UserError):
    """A server that the fleet does not know, or that cannot be added."""


@dataclass(frozen=True)
class Standing:
    """Whether a server may be given takes now, and what else decides which.

    ``others``: the other active servers. ``vram_total`` and ``biggest`` (of all active servers): bytes.
    """

    state: ServerState = "active"
    concurrency: int | None = None
    suspect: bool = False
    probe_seconds: float = 0.0
    vram_total: int = 0
    biggest: int = 0
    loaded_models: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def enlist(session: Session, urls: Collection[str], origin: Origin) -> None:
    """Let servers be part of the fleet; a server that was added stays so, whatever the settings name."""
    if not urls:
        return
    row = insert(RenderServer).values([{"url": url, "origin": origin} for url in sorted(set(urls))])
    changed: dict[str, Any] = {"origin": "added"} if origin == "added" else {"seen_at": text("now()")}
    session.execute(row.on_conflict_do_update(index_elements=["url"], set_=changed))
    if origin == "settings":
        session.execute(
            update(RenderServer).where(RenderServer.url.in_(list(urls))).values(seen_at=text("now()"))
        )


def added_urls(session: Session) -> list[str]:
    """Servers that a person added."""
    query = select(RenderServer.url).where(RenderServer.origin == "added").order_by(RenderServer.url)
    return list(session.scalars(query))


def candidates(session: Session) -> set[str]:
    """Every server that some worker may use, now or when it is resumed."""
    return set(session.scalars(text(f"SELECT url FROM studio.render_servers WHERE {_SEEN}")))


def standing(session: Session, url: str) -> Standing | None:
    """How a server stands; None for one that the table does not have (removed, or the embedded one)."""
    rows = session.execute(
        text(f"""
            SELECT url, state, concurrency, suspect, COALESCE(vram_total, 0) AS vram_total, loaded_models,
                   GREATEST(0, extract(epoch FROM probe_after - clock_timestamp()))::float8 AS probe_seconds
            FROM studio.render_servers WHERE url = :url OR (state = 'active' AND {_SEEN})
        """),
        {"url": url},
    ).all()
    biggest = max((row.vram_total for row in rows if row.state == "active"), default=0)
    others = tuple(row.url for row in rows if row.url != url and row.state == "active")
    for row in rows:
        if row.url == url:
            return Standing(
                row.state, row.concurrency, row.suspect, row.probe_seconds or 0.0, row.vram_total, biggest,
                row.loaded_models, others,
            )  # fmt: skip
    return None


def record_facts(session: Session, url: str, facts: ServerFacts) -> None:
    """Note what a server has answered."""
    session.execute(
        update(RenderServer)
        .where(RenderServer.url == url)
        .values(
            kind=facts.kind, version=facts.version, devices=facts.devices, vram_total=facts.vram_total,
            vram_free=facts.vram_free, node_classes=facts.node_classes, models=facts.models,
            seen_at=text("now()"),
        )
    )  # fmt: skip


def note_success(session: Session, url: str, models: Mapping[str, Any]) -> None:
    """A take was finished there: its failures are over, and it has these models loaded."""
    session.execute(
        text("""
            UPDATE studio.render_servers
            SET failures = 0, blocks = 0, suspect = FALSE, last_error = NULL, probe_after = NULL,
                loaded_models = CAST(:models AS jsonb), seen_at = clock_timestamp()
            WHERE url = :url AND (failures > 0 OR blocks > 0 OR suspect OR last_error IS NOT NULL
                                  OR loaded_models <> CAST(:models AS jsonb))
        """),
        {"url": url, "models": json.dumps(models)},
    )


def note_failure(session: Session, url: str, message: str, suspect: bool = False) -> None:
    """Count a failure that may be the server's; the third running blocks it for a while."""
    failures = session.scalar(
        text("""
            UPDATE studio.render_servers
            SET failures = failures + 1, suspect = suspect OR :suspect, last_error = :message
            WHERE url = :url RETURNING failures
        """),
        {"url": url, "suspect": suspect, "message": message},
    )
    if failures is not None and failures >= FAILURES_TO_BLOCK:
        block(session, url, message)


def block(session: Session, url: str, message: str) -> None:
    """Give an active server no takes until it has been probed; each block running lasts twice as long."""
    blocks = session.scalar(
        text("""
            UPDATE studio.render_servers SET state = 'blocked', blocks = blocks + 1, last_error = :message
            WHERE url = :url AND state = 'active' RETURNING blocks
        """),
        {"url": url, "message": message},
    )
    if blocks is not None:
        session.execute(
            text(
                "UPDATE studio.render_servers "
                "SET probe_after = clock_timestamp() + make_interval(secs => :seconds) WHERE url = :url"
            ),
            {"url": url, "seconds": block_seconds(blocks)},
        )


def block_seconds(blocks: int) -> float:
    """How long a server is left alone at its n-th block running: 1 s doubling to 300 s, jitter below it."""
    longest = min(LONGEST_BLOCK_SECONDS, FIRST_BLOCK_SECONDS * 2.0 ** min(blocks - 1, 30))
    return longest * random.uniform(0.5, 1.0)


def unblock(session: Session, url: str) -> None:
    """A blocked server answered its probe: one take at a time until one is finished; a failure blocks it."""
    session.execute(
        text(
            "UPDATE studio.render_servers SET state = 'active', suspect = TRUE, failures = :failures, "
            "seen_at = clock_timestamp() WHERE url = :url AND state = 'blocked'"
        ),
        {"url": url, "failures": FAILURES_TO_BLOCK - 1},
    )


def settle(session: Session, url: str) -> None:
    """A draining server on which nothing is left is paused."""
    session.execute(
        text("""
            UPDATE studio.render_servers s SET state = 'paused' WHERE url = :url AND state = 'draining'
              AND NOT EXISTS (SELECT FROM studio.render_leases l WHERE l.server_url = s.url)
        """),
        {"url": url},
    )


def set_state(session: Session, url: str, state: ServerState) -> None:
    """A person's word. Resuming (``active``) forgets failures. Raises :class:`ServerError`."""
    values: dict[str, Any] = {"state": state}
    if state == "active":
        values |= {"failures": 0, "blocks": 0, "suspect": False, "last_error": None, "probe_after": None}
    query = update(RenderServer).where(RenderServer.url == url).values(**values)
    if session.scalar(query.returning(RenderServer.url)) is None:
        raise unknown_server(session, url)
    if state == "draining":
        settle(session, url)


def set_concurrency(session: Session, url: str, concurrency: int | None) -> None:
    """Prompts in flight on one server, 1 to 8; None: as ANIME_PROMPTS_IN_FLIGHT says."""
    session.execute(update(RenderServer).where(RenderServer.url == url).values(concurrency=concurrency))


def remove(session: Session, url: str) -> None:
    """Take a server out of the fleet; what it renders now is still collected. Raises ServerError."""
    if (
        session.scalar(delete(RenderServer).where(RenderServer.url == url).returning(RenderServer.url))
        is None
    ):
        raise unknown_server(session, url)


def unknown_server(session: Session, url: str) -> ServerError:
    """The error for a URL that the fleet does not have."""
    known = ", ".join(session.scalars(select(RenderServer.url).order_by(RenderServer.url)))
    return ServerError(
        f"The fleet has no server {url}.",
        f"known are {known}" if known else "anime-pipeline servers add http://host:8188",
    )
