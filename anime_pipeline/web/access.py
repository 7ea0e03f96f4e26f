"""Who is calling and what they may do: decided before a request's body is read.

A caller shows a key as ``Authorization: Bearer …``. Without one, only a program on this machine gets in, and
only where ANIME_API_OPEN_ON_LOOPBACK says so. "On this machine" means that the connection itself comes from a
loopback address, that no proxy says to have forwarded it, that the Host header names this machine (a foreign
name that resolves to 127.0.0.1 is a rebinding attack), and that no web page of another origin sent it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, delete, func, or_, select, update
from starlette.requests import HTTPConnection

from anime_pipeline.database.api_keys import ROLES, USABLE, Role, sha256_of
from anime_pipeline.database.audit import Actor
from anime_pipeline.database.models import ApiKey, EventTicket
from anime_pipeline.settings import Settings
from anime_pipeline.web.problems import ProblemError
from anime_pipeline.web.state import state_of
from anime_pipeline.web.transactions import in_one_transaction

Access = Literal["anyone", "viewer", "artist", "supervisor", "admin"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

TICKET_PATHS = ("/api/anime/events", "/api/anime/ws")
"""What a browser opens without headers of its own: there a ticket, valid once, stands for the key."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OTHER_SITES = ("cross-site", "same-site")  # the same site is this machine's other ports, too
_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_CREATE_A_KEY = "anime-pipeline keys create NAME --role viewer; send it as Authorization: Bearer …"
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Caller:
    """Who a request comes from; ``key_id`` None: someone on this machine, or anyone where anyone may."""

    name: str
    role: Role
    key_id: int | None = None

    def may(self, access: Access) -> bool:
        """Whether the caller's role is ``access`` or above it."""
        return access == "anyone" or ROLES.index(self.role) >= ROLES.index(access)


def requires(access: Access) -> Callable[[Endpoint], Endpoint]:
    """What a route asks of its callers; each route has exactly one. Put it right above the function.

    A plain ``def`` then also runs in one transaction: see :mod:`transactions`.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        marked = in_one_transaction(endpoint)
        marked.access = access  # type: ignore[attr-defined]
        return marked

    return mark


async def admit(connection: HTTPConnection, access: Access) -> Caller:
    """The caller of a request or WebSocket, who may do what asks for ``access``.

    Raises a problem: 401 without a valid key, 403 for a role that is too low or a foreign page, 429.
    """
    caller = await _identified(connection, access)
    if not caller.may(access):
        raise ProblemError(
            403,
            f"This needs the role {access}; the key {caller.name} has {caller.role}.",
            f"anime-pipeline keys create NAME --role {access}",
        )
    connection.state.caller = caller
    return caller


async def _identified(connection: HTTPConnection, access: Access) -> Caller:
    state = state_of(connection)
    address = connection.client.host if connection.client else "unknown"
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if not scheme and "ticket" in connection.query_params and connection.url.path.startswith(TICKET_PATHS):
        state.rate.spend(f"address {address}")
        holder = await run_in_threadpool(redeem, state.engine, connection.query_params["ticket"])
        if holder is None:
            raise _unauthorized("The ticket is unknown, used or expired.")
        return holder
    if not scheme:
        state.rate.spend(f"address {address}")
        if access == "anyone":
            return Caller(address, "viewer")
        if state.settings.api_open_on_loopback and is_local(address):
            refuse_strangers(connection, state.settings)
            return Caller("this machine", "admin")
        raise _unauthorized("No key was sent.")
    if scheme.lower() != "bearer" or not secret:
        state.rate.spend(f"address {address}")
        raise _unauthorized("The Authorization header is not `Bearer` and a key.")
    caller = await run_in_threadpool(find_caller, state.engine, secret.strip())
    state.rate.spend(f"key {caller.key_id}" if caller else f"address {address}")
    if caller is None:
        raise _unauthorized("The key is unknown, expired or revoked.")
    return caller


def redeem(engine: Engine, ticket: str) -> Caller | None:
    """The holder of a ticket, which is used up by this; None for one that is unknown, used or expired."""
    query = (
        delete(EventTicket)
        .where(EventTicket.ticket_sha256 == sha256_of(ticket))
        .returning(EventTicket.actor, EventTicket.role, EventTicket.expires_at > func.now())
    )
    with engine.begin() as connection:
        row = connection.execute(query).one_or_none()
    return Caller(row[0], cast(Role, row[1])) if row is not None and row[2] else None


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(401, detail, _CREATE_A_KEY, headers={"WWW-Authenticate": "Bearer"})


def is_local(address: str) -> bool:
    """Whether a peer's address is a loopback address."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_strangers(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse a keyless request that only looks local. Raises a problem: 401 or 403."""
    forwarded = next((name for name in _FORWARDING if name in connection.headers), None)
    if forwarded:
        raise _unauthorized(
            f"The request was forwarded ({forwarded}), so it does not come from this machine."
        )
    allowed = LOCAL_NAMES | settings.api_allowed_host_names
    host = _name(connection.headers.get("host", ""))
    if host not in allowed:
        raise ProblemError(
            403,
            f"{host or 'No host'} is not a name of this server.",
            "use localhost, or ANIME_API_ALLOWED_HOSTS",
        )
    refuse_foreign_pages(connection, settings)
    if "origin" not in connection.headers and connection.headers.get("sec-fetch-site") in _OTHER_SITES:
        raise ProblemError(403, "Pages of another origin may not call this server.", "ANIME_API_CORS_ORIGINS")


def refuse_foreign_pages(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse what a page of another origin sends, another port of this machine among them: 403."""
    origin = connection.headers.get("origin")
    if origin is None or origin in settings.api_cors_origin_list:
        return
    if origin.partition("://")[2].lower() != connection.headers.get("host", "").lower():
        raise ProblemError(403, f"Pages of {origin} may not call this server.", "ANIME_API_CORS_ORIGINS")


def _name(host: str) -> str:
    """The name in a Host header, without its port; empty where there is none."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def find_caller(engine: Engine, secret: str) -> Caller | None:
    """The holder of a key that is valid now; a use is noted at most once a minute."""
    columns = (ApiKey.id, ApiKey.name, ApiKey.role)
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - _USE_NOTED_EVERY)
    query = select(*columns, stale.label("stale")).where(ApiKey.key_sha256 == sha256_of(secret), *USABLE)
    # A transaction around the one look would be two further round trips of each request.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.stale:
            connection.execute(update(ApiKey).where(ApiKey.id == row.id).values(last_used_at=func.now()))
        return Caller(row.name, cast(Role, row.role), row.id)


async def _caller(connection: HTTPConnection) -> Caller:
    caller: Caller = connection.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller)]
"""Parameter of a route: who calls it."""


def actor_of(connection: HTTPConnection) -> Actor:
    """The caller as the audit log names it."""
    caller: Caller = connection.state.caller
    return Actor(caller.name, caller.role, caller.key_id, connection.state.request_id)
