"""How to get in to a render server: its address, and the user, password or token that a proxy before it asks.

Addresses are shown, logged and stored everywhere; what lets one in is told by the environment alone. A server
that ``ANIME_COMFYUI_URLS`` names as ``https://user:password@host/path?token=secret`` is known to everything
else as ``https://host/path``.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

_known: dict[str, ServerAccess] = {}


@dataclass(frozen=True)
class ServerAccess:
    """A server's address without a last slash, and what each request to it carries."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether nothing is needed to get in."""
        return not self.headers and not self.query

    def websocket_url(self, client_id: str) -> str:
        """Where the server tells a client how its prompts go on."""
        address = self.url.replace("http", "ws", 1)
        return f"{address}/ws?{urlencode({**self.query, 'clientId': client_id})}"


def access_in(url: str) -> ServerAccess:
    """What an address says with user, password and query in it. Raises ValueError for one that is none."""
    try:
        parts = urlsplit(url.strip())
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            f"{url.strip().rpartition('@')[2]} is no URL of a server; write it as http://host:8188"
        )
    address, _, host = parts.netloc.rpartition("@")
    user, _, password = address.partition(":")
    headers = {}
    if address:
        told = f"{unquote(user)}:{unquote(password)}".encode()
        headers["Authorization"] = f"Basic {b64encode(told).decode()}"
    bare = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    return ServerAccess(bare, headers, dict(parse_qsl(parts.query, keep_blank_values=True)))


def remember(access: ServerAccess) -> None:
    """Let :func:`access_to` find what lets one in to a server; for as long as this process lives."""
    if not access.is_open:
        _known[access.url] = access


def access_to(url: str) -> ServerAccess:
    """The access to a server by its address; what that itself carries goes before what is remembered."""
    access = access_in(url)
    return _known.get(access.url, access) if access.is_open else access


def own_authorities() -> str | None:
    """A file of certificates that this machine trusts, named as requests and curl do; None: the usual."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    return next((path for path in named if path), None)
