"""Pictures in and out: /view and /upload/image."""

from __future__ import annotations

import asyncio
import hashlib
import io
import mimetypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from anime_pipeline.preview.folders import FolderType, OutsideFolderError
from anime_pipeline.preview.nodes.encoding import whole_file
from anime_pipeline.preview.routes.base import Route

if TYPE_CHECKING:
    from anime_pipeline.preview.server import PreviewServer

# A browser must not run what someone uploaded.
_UNSAFE_TYPES = frozenset(
    {"text/html", "text/javascript", "text/css", "image/svg+xml", "application/xhtml+xml"}
)
# In bytes. A disk takes 255, and what is written has a longer name until it is whole.
_LONGEST_NAME = 240


def file_routes(server: PreviewServer) -> list[Route]:
    """The routes of this subject."""
    files = _Files(server)
    return [Route("GET", "/view", files.view), Route("POST", "/upload/image", files.upload)]


class _Files:
    def __init__(self, server: PreviewServer) -> None:
        self._server = server

    async def view(self, request: web.Request) -> web.StreamResponse:
        filename = request.query.get("filename")
        if not filename:
            raise web.HTTPNotFound
        if filename.startswith("/") or ".." in filename:
            raise web.HTTPBadRequest
        path = self._place(request.query.get("type", "output"), request.query.get("subfolder", ""), filename)
        if not path.is_file():
            raise web.HTTPNotFound
        preview, channel = request.query.get("preview"), request.query.get("channel", "rgba")
        if preview or channel != "rgba":
            try:
                body, kind = await asyncio.to_thread(_converted, path, preview, channel)
            except UnidentifiedImageError:
                raise web.HTTPBadRequest(text=f"{path.name} is no picture") from None
            return web.Response(body=body, content_type=kind)
        kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        kind = "application/octet-stream" if kind in _UNSAFE_TYPES else kind
        disposition = 'filename="{}"'.format(path.name.replace('"', "'"))
        return web.FileResponse(path, headers={"Content-Type": kind, "Content-Disposition": disposition})

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            raise web.HTTPBadRequest
        kind, subfolder = str(form.get("type", "input")), str(form.get("subfolder", ""))
        overwrite = str(form.get("overwrite", "")).lower() in ("true", "1")
        path = self._place(kind, subfolder, image.filename)
        body = image.file.read()
        faults = self._server.misbehaviours.for_upload(image.filename)
        if "upload_too_large" in faults:
            raise web.HTTPRequestEntityTooLarge(max_size=0, actual_size=len(body))
        if "upload_renamed" in faults:
            path = _renamed(path, 1)
        elif not overwrite:
            path = _free_name(path, hashlib.sha256(body).digest())
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(body)
        name = path.relative_to(self._server.folders.inside(cast(FolderType, kind), subfolder)).as_posix()
        return web.json_response({"name": name, "subfolder": subfolder, "type": kind})

    def _place(self, kind: str, subfolder: str, filename: str) -> Path:
        if kind not in get_args(FolderType):
            raise web.HTTPBadRequest
        try:
            folder = self._server.folders.inside(cast(FolderType, kind), subfolder)
            path = self._server.folders.inside(cast(FolderType, kind), subfolder, filename)
        except (OutsideFolderError, ValueError):
            raise web.HTTPForbidden from None
        too_long = any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts)
        if path == folder or folder not in path.parents or too_long or "\0" in str(path):
            raise web.HTTPBadRequest
        return path


def _renamed(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem} ({number}){path.suffix}")


def _free_name(path: Path, sha256: bytes) -> Path:
    """``path``, or ``stem (1).ext`` and so on where another picture has the name already."""
    candidate, number = path, 0
    while candidate.exists() and hashlib.sha256(candidate.read_bytes()).digest() != sha256:
        number += 1
        candidate = _renamed(path, number)
    return candidate


def _converted(path: Path, preview: str | None, channel: str) -> tuple[bytes, str]:
    """The picture as a smaller preview (``webp;90``) or with one channel; its metadata is lost."""
    wanted, _, quality = (preview or "png").partition(";")
    wanted = wanted if wanted in ("webp", "jpeg", "png") else "webp"
    buffer = io.BytesIO()
    with Image.open(path) as opened:
        picture: Image.Image = opened
        if channel == "a":
            picture = picture.convert("RGBA").getchannel("A")
        elif channel == "rgb" or wanted == "jpeg":
            picture = picture.convert("RGB")
        options = {} if wanted == "png" else {"quality": min(100, int(quality)) if quality.isdigit() else 90}
        picture.save(buffer, format=wanted, **options)
    return buffer.getvalue(), f"image/{wanted}"
