"""Files of the media store as answers: whole or in part, by content hash, never by a path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from anime_pipeline.database.models import MediaFile
from anime_pipeline.media.errors import MissingMediaError
from anime_pipeline.media.store import MediaStore
from anime_pipeline.web.problems import ProblemError
from anime_pipeline.web.versions import is_fresh

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".ass": "text/x-ssa",
}
OTHER = "application/octet-stream"
_BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = dict.fromkeys(sorted({*TYPES.values(), OTHER}), _BYTES)
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": _CONTENT},
    206: {"description": "The part that Range asks for.", "content": _CONTENT},
}


@dataclass(frozen=True)
class Part:
    """Bytes ``first`` to ``last`` (inclusive) of a file of ``size`` bytes."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1


def file_answer(
    request: Request, store: MediaStore, file: MediaFile, *, is_named_by_hash: bool = False
) -> Response:
    """A stored file. HEAD gets the headers; If-None-Match, Range and If-Range are heeded.

    ``is_named_by_hash``: the address can't ever lead to another file. Raises a problem: 410 for a file that
    the store has lost or dropped, 416 for a range outside it.
    """
    tag = f'"{file.sha256}"'
    headers = _headers(tag, TYPES.get(file.suffix, OTHER), file.sha256[:16] + file.suffix)
    if is_named_by_hash:
        headers["Cache-Control"] = "private, max-age=31536000, immutable"
    if is_fresh(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    part = _part(request, file.bytes, tag)
    try:
        source = store.open(file.sha256, file.suffix)
    except MissingMediaError as error:
        raise ProblemError(410, "The file is no longer in the media store.", error.remedy) from error
    status = 200
    if part is not None:
        status = 206
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{part.size}"
    else:
        part = Part(0, file.bytes - 1, file.bytes)
    headers["Content-Length"] = str(part.length)
    if request.method == "HEAD":
        source.close()
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_blocks(source, part), status, headers)


def bytes_answer(request: Request, content: bytes, tag: str, kind: str, name: str) -> Response:
    """Bytes that were made for this request, such as one frame of a film; their tag names what made them."""
    headers = _headers(tag, kind, name)
    if is_fresh(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers)


def _headers(tag: str, kind: str, name: str) -> dict[str, str]:
    inline = kind.startswith(("image/", "video/"))
    return {
        "Content-Type": kind,
        "ETag": tag,
        "Accept-Ranges": "bytes",
        # A key is asked for, so no shared cache may keep it. The newest contact sheet of a scope is another
        # one tomorrow, and job 7 of a home that is made anew another job: the browser asks by the ETag.
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'{"inline" if inline else "attachment"}; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }


def _part(request: Request, size: int, tag: str) -> Part | None:
    """The one range that is asked for; None for the whole file, which several ranges get too."""
    header = request.headers.get("range")
    if header is None or request.headers.get("if-range", tag) != tag:
        return None
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None:
        return None
    start, end, suffix = match.groups()
    if suffix is not None:
        first, last = max(0, size - int(suffix)), size - 1
        outside = int(suffix) == 0 or size == 0
    else:
        first, last = int(start), min(int(end) if end else size - 1, size - 1)
        if end and int(end) < int(start):
            return None  # no range at all, by RFC 9110, so it is as if none were sent
        outside = first >= size
    if outside:
        raise ProblemError(
            416,
            f"The range lies outside the file's {size} bytes.",
            f"Ask for bytes 0 to {size - 1}.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return Part(first, last, size)


def _blocks(source: BinaryIO, part: Part) -> Iterator[bytes]:
    with source:
        source.seek(part.first)
        left = part.length
        while left and (block := source.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
