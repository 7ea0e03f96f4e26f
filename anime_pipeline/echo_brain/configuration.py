"""The supervisor as the settings name it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import urlsplit

from anime_pipeline.echo_brain.signing import SHORTEST_SECRET
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings

DEFAULT_CALLBACK_URL = "http://127.0.0.1:8328/api/anime/echo"
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Link:
    """Where the supervisor is, where it finds us, and the secret that both sign with."""

    url: str
    callback_url: str
    secret: str = field(repr=False)


def supervisor_link(settings: Settings) -> Link | None:
    """The supervisor of the settings, None where there is none.

    Raises :class:`UserError` for an address that is none, and for a secret that is missing or too short.
    """
    if settings.echo_brain_url is None:
        return None
    url = _address("ANIME_ECHO_BRAIN_URL", settings.echo_brain_url)
    callback = settings.echo_brain_callback_url or DEFAULT_CALLBACK_URL
    return Link(url, _address("ANIME_ECHO_BRAIN_CALLBACK_URL", callback), checked_secret(settings))


def require_link(settings: Settings) -> Link:
    """The supervisor of the settings. Raises :class:`UserError` also where there is none."""
    link = supervisor_link(settings)
    if link is None:
        raise UserError("No supervisor is configured.", "set ANIME_ECHO_BRAIN_URL, such as http://host:8309")
    return link


def checked_secret(settings: Settings) -> str:
    """The secret of the settings. Raises :class:`UserError` where it is missing or too short."""
    secret = settings.echo_brain_secret
    if secret is None or len(secret) < SHORTEST_SECRET:
        said = "is not set" if secret is None else f"has fewer than {SHORTEST_SECRET} characters"
        raise UserError(
            f"ANIME_ECHO_BRAIN_SECRET {said}.",
            "set it to the supervisor's secret; `openssl rand -hex 32` makes a new one for both sides",
        )
    return secret


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(timezone.utc)


def _address(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise UserError(f"{name} is {url}, which is no address.", "write it as http://host:port")
    return url.rstrip("/")
