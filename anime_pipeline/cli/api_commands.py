"""``anime-pipeline api`` and ``audit``: the API's server, and what was changed through it."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import typer

from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.cli.ports import refuse_taken
from anime_pipeline.database.api_keys import any_usable_key
from anime_pipeline.database.audit import entries_since
from anime_pipeline.database.session import session_scope
from anime_pipeline.errors import UserError

# By name: the application lies above the commands, and each worker process makes its own.
_APPLICATION = "anime_pipeline.web.app:create_app"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8328,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=32)] = 1,
) -> None:
    """Serve the review room and the REST API, described at /docs and /openapi.json, until Ctrl-C."""
    import uvicorn  # here, so that other commands start without it

    house = open_house()
    with session_scope(house.settings) as session:
        has_key = any_usable_key(session)
    if not _is_loopback(host) and not has_key:
        raise UserError(
            f"{host} is reached from other machines, and there is no key to tell them by.",
            "anime-pipeline keys create NAME --role admin, or listen on 127.0.0.1",
        )
    refuse_taken(host, port)
    out.print(f"Review room: http://{host}:{port}/")
    out.print(f"API: http://{host}:{port}/api  (documentation at /docs; Ctrl-C stops it)")
    # Without proxy_headers: who calls is who connects, whatever X-Forwarded-For says.
    uvicorn.run(
        _APPLICATION, factory=True, host=host, port=port, workers=workers, proxy_headers=False,
        server_header=False, access_log=False, log_level="info", timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=120,  # a worker that still imports on a busy machine is not dead
    )  # fmt: skip


def audit(
    since: Annotated[
        str | None, typer.Option(help="A date or time in UTC, or an age such as 30m, 12h, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=100_000)] = 200,
    as_json: JsonOption = False,
) -> None:
    """Who changed what through the API, newest last. With --json also how it was before and after."""
    start = _time(since) if since else None
    house = open_house()
    with session_scope(house.settings) as session:
        entries = entries_since(session, start, limit)
    names = ("id", "at", "actor", "role", "key_id", "request_id", "action", "subject", "subject_id")
    if as_json:
        print_json(
            [{name: getattr(entry, name) for name in (*names, "before", "after")} for entry in entries]
        )
        return
    rows: list[tuple[Any, ...]] = [
        (
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.actor,
            entry.role,
            entry.action,
            f"{entry.subject} {entry.subject_id}",
        )
        for entry in entries
    ]
    print_table("Changes", ("at (UTC)", "who", "role", "did", "what"), rows)


def _time(text: str) -> datetime:
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and number.isdecimal():
            return datetime.now(timezone.utc) - timedelta(**{_UNITS[unit]: int(number)})
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UserError(
            f"{text} is no time.", "write 2026-05-01, 2026-05-01T12:00 or an age such as 12h"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=timezone.utc)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
