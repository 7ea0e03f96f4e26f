"""Who may talk to the server: no web page of another site, and nobody with more than 100 MB at once."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from anime_pipeline.preview.system import MAX_UPLOAD_BYTES

# The form around an uploaded file is not the file.
_FORM_BYTES = 64 * 1024


@web.middleware
async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """403 for pages of other origins on a loopback server, 413 for bodies that are too large."""
    if _is_foreign(request):
        return web.Response(status=403, text="pages of another site may not use this server")
    if (request.content_length or 0) > MAX_UPLOAD_BYTES + _FORM_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_UPLOAD_BYTES, request.content_length or 0)
    return await handler(request)


def _is_foreign(request: web.Request) -> bool:
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return True
    origin = request.headers.get("Origin")
    if origin is None or not _is_loopback(urlsplit(f"//{request.host}").hostname):
        return False
    return urlsplit(origin).netloc.lower() != request.host.lower()


def _is_loopback(host: str | None) -> bool:
    if host in (None, "localhost"):
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
