"""What a person sees of the fleet and does with it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline.rendering.probing import ServerFacts, probe
from anime_pipeline.rendering.registry import (
    ServerError,
    enlist,
    record_facts,
    remove,
    set_concurrency,
    unknown_server,
)
from anime_pipeline.server_access import access_in
from anime_pipeline.settings import Settings


@dataclass(frozen=True)
class ServerReport:
    """A server of the fleet as it stands. ``problem``: why it does not answer now; VRAM in bytes."""

    url: str
    origin: str
    state: str
    healthy: bool
    problem: str | None
    kind: str | None
    version: str | None
    devices: list[Any]
    vram_total: int | None
    vram_free: int | None
    node_classes: int
    models: dict[str, list[str]]
    loaded_models: dict[str, list[str]]
    concurrency: int
    in_flight: int
    failures: int
    suspect: bool
    last_error: str | None


def checked_url(url: str) -> str:
    """A server's URL without its last slash. Raises ServerError."""
    try:
        access = access_in(url)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ServerError(f"{message}.", remedy) from None
    if set(access.url) & set(" ,\t\n"):
        raise ServerError(f"{access.url} is no URL of a server.", "write it as http://host:8188")
    if not access.is_open:
        raise ServerError(
            f"A password or token for {access.url} would be shown to everybody who sees the fleet.",
            "name the server with it in ANIME_COMFYUI_URLS of each worker, and here without it",
        )
    return access.url


def reports(session: Session, settings: Settings) -> list[ServerReport]:
    """Every server of the settings and the database, each asked now; what it answers is noted."""
    known = session.scalars(text("SELECT url FROM studio.render_servers"))
    urls = sorted({*settings.comfyui_server_urls, *known})
    # Before anything is written: one that is silent takes long, and workers write here.
    answers = _probed(urls)
    enlist(session, settings.comfyui_server_urls, "settings")
    problems: dict[str, str] = {}
    for url, found in zip(urls, answers, strict=True):
        if isinstance(found, ServerFacts):
            record_facts(session, url, found)
        else:
            problems[url] = str(found)
    rows = session.execute(
        text("""
            SELECT s.*, (SELECT count(*) FROM studio.render_leases l WHERE l.server_url = s.url) AS in_flight
            FROM studio.render_servers s ORDER BY s.url
        """)
    )
    return [
        ServerReport(
            row.url, row.origin, row.state, row.url not in problems, problems.get(row.url), row.kind,
            row.version, row.devices, row.vram_total, row.vram_free, len(row.node_classes), row.models,
            row.loaded_models, row.concurrency or settings.prompts_in_flight, row.in_flight, row.failures,
            row.suspect, row.last_error,
        )
        for row in rows
    ]  # fmt: skip


def add_server(session: Session, url: str, concurrency: int | None = None) -> ServerFacts:
    """Add a server that answers. Raises ServerError or ComfyError."""
    checked = checked_url(url)
    facts = probe(ComfyClient(checked))
    enlist(session, [checked], "added")
    record_facts(session, checked, facts)
    if concurrency is not None:
        set_concurrency(session, checked, concurrency)
    return facts


def remove_server(session: Session, settings: Settings, url: str) -> None:
    """Take a server out of the fleet. Raises ServerError."""
    checked = checked_url(url)
    if checked in settings.comfyui_server_urls:
        raise ServerError(
            f"{checked} is named in ANIME_COMFYUI_URLS.",
            f"take it out of there, or: anime-pipeline servers pause {checked}",
        )
    if session.scalar(text("SELECT 1 FROM studio.render_servers WHERE url = :url"), {"url": checked}) is None:
        raise unknown_server(session, checked)
    remove(session, checked)


def _probed(urls: Sequence[str]) -> list[ServerFacts | ComfyError]:
    def asked(url: str) -> ServerFacts | ComfyError:
        try:
            return probe(ComfyClient(url))
        except ComfyError as error:
            return error

    if not urls:
        return []
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(asked, urls))
