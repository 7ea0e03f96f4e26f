"""Callbacks: whoever asked for a take may have its end posted to a URL, if the studio allows the host.

A host is allowed by name (``ANIME_CALLBACK_HOSTS``, none by default). Where it resolves to an address of this
machine or of a private network, nothing is sent unless ``ANIME_CALLBACK_PRIVATE_ADDRESSES`` says so; the
connection goes to the very address that was looked at, and redirects are not followed. At least once: tried
again with back-off until a 2xx, under one event id.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

import urllib3
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Job, JobCallback
from anime_pipeline.database.session import session_scope
from anime_pipeline.echo_brain.backoff import wait_after
from anime_pipeline.echo_brain.signing import signed_headers
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings

MOST_FAILURES = 20
_ENDED = ("completed", "failed", "timeout", "cancelled")
_PORTS = {"http": 80, "https": 443}
_TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
_BATCH = 50
_WITH_IPV4_AT_THE_END = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))


class CallbackError(UserError):
    """A URL that callbacks may not go to, or that did not take one."""


@dataclass(frozen=True)
class Callbacks:
    """How many callbacks of one go were taken, will be tried again, and are given up."""

    delivered: int = 0
    failed: int = 0
    died: int = 0


def check_callback_url(settings: Settings, url: str) -> SplitResult:
    """A URL whose host is allowed. Raises :class:`CallbackError`; nothing is looked up or sent."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise CallbackError("The callback URL cannot be read.", "Send one like https://host/path.") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise CallbackError("The callback URL is not http(s) with a host and no user.", "https://host/path")
    allowed = settings.callback_host_names
    if not {parts.hostname, f"{parts.hostname}:{port}"} & allowed:
        raise CallbackError(
            f"Callbacks may not go to {parts.hostname}.", "An operator allows hosts in ANIME_CALLBACK_HOSTS."
        )
    return parts


def want_callback(session: Session, settings: Settings, job_id: int, url: str) -> None:
    """Have the end of a job posted to ``url``. Raises :class:`CallbackError`; the caller commits."""
    check_callback_url(settings, url)
    session.add(JobCallback(job_id=job_id, url=url))
    session.flush()


def deliver_callbacks(settings: Settings, now: datetime) -> Callbacks:
    """Post what is due, each in a transaction of its own; other processes pass over those in hand."""
    delivered = failed = died = 0
    for _ in range(_BATCH):
        with session_scope(settings) as session:
            due = session.scalars(_due(now)).first()
            if due is None:
                break
            try:
                _post(settings, due.url, _told(session, due), str(due.event_id), now)
            except CallbackError as error:
                due.failures += 1
                due.last_error, due.not_before = str(error), now + wait_after(due.failures)
                if due.failures >= MOST_FAILURES:
                    due.state, died = "dead", died + 1
                else:
                    failed += 1
            else:
                due.state, due.delivered_at, due.last_error = "delivered", func.now(), None
                delivered += 1
    return Callbacks(delivered, failed, died)


def _due(now: datetime) -> Select[JobCallback]:
    return (
        select(JobCallback)
        .join(Job, Job.id == JobCallback.job_id)
        .where(
            JobCallback.state == "waiting",
            Job.status.in_(_ENDED),
            or_(JobCallback.not_before.is_(None), JobCallback.not_before <= now),
        )
        .order_by(JobCallback.job_id)
        .limit(1)
        .with_for_update(of=JobCallback, skip_locked=True)
    )


def _told(session: Session, due: JobCallback) -> bytes:
    job = session.get_one(Job, due.job_id)
    told = {
        "event_id": str(due.event_id),
        "event_type": "job.completed" if job.status == "completed" else "job.failed",
        "job_id": job.id,
        "status": job.status,
        "error_message": job.error_message,
        "completed_at": job.completed_at.isoformat() + "Z" if job.completed_at else None,
        "url": f"/api/anime/jobs/{job.id}",
    }
    return json.dumps(told).encode()


def _post(settings: Settings, url: str, body: bytes, event_id: str, now: datetime) -> None:
    parts = check_callback_url(settings, url)
    host = str(parts.hostname)
    port = parts.port or _PORTS[parts.scheme]
    headers = {"Content-Type": "application/json", "Host": parts.netloc, "X-Event-Id": event_id}
    if settings.callback_secret:
        headers |= signed_headers(settings.callback_secret, body, now)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _pool(parts.scheme, _address(settings, host, port), host, port) as pool:
        try:
            # Of the answer, nobody reads more than the status, however long it is.
            answer = pool.urlopen(
                "POST", path, body, headers, redirect=False, retries=False, timeout=_TIMEOUT,
                preload_content=False,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise CallbackError(f"{host} did not take it: {error}") from None
        answer.close()
    if not 200 <= answer.status < 300:
        raise CallbackError(f"{host} answered {answer.status}")


def _pool(scheme: str, address: str, host: str, port: int) -> urllib3.HTTPConnectionPool:
    """Connections to the address that was looked at, as the host that is meant."""
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port)
    return urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host)


def is_outer(address: str) -> bool:
    """Whether an address is of the open internet, one of IPv4 within it (6to4, NAT64, mapped) too."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if within is None and any(found in net for net in _WITH_IPV4_AT_THE_END):
            within = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        found = within or found
    return found.is_global and not found.is_multicast


def _address(settings: Settings, host: str, port: int) -> str:
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise CallbackError(f"{host} has no address: {error}") from None
    inner = [one for one in found if not is_outer(one)]
    if inner and not settings.callback_private_addresses:
        raise CallbackError(
            f"{host} is {inner[0]}, an address of this machine or of a private network",
            "ANIME_CALLBACK_PRIVATE_ADDRESSES=true allows such addresses",
        )
    return found[0]
