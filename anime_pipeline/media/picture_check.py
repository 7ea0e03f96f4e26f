"""A picture from a stranger: known by its bytes, measured by its header before any pixel is decoded."""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from anime_pipeline.media.errors import MediaError

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
LARGEST_SIDE = 16384
_REMEDY = "Send a PNG, JPEG or WebP."
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
)
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, AssertionError, struct.error, zlib.error)


@dataclass(frozen=True)
class CheckedPicture:
    """A whole picture; ``suffix`` is as the media store names it."""

    suffix: str
    content_type: str
    width: int
    height: int


def check_picture(path: Path, most_pixels: int) -> CheckedPicture:
    """What a file holds, where that is one PNG, JPEG or WebP picture of at most ``most_pixels``.

    Raises :class:`MediaError` with the reason for anything else: other formats, animations, a header that
    announces more pixels (nothing is decoded then), damage.
    """
    kind, announced = _kind(path)
    if announced is not None:
        _check_size(*announced, most_pixels)
    try:
        with warnings.catch_warnings():
            # The size is checked here, by the studio's own limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=[kind]) as image:
                image.verify()  # a PNG's checksums; what follows the last of its pixels is whole too
            with Image.open(path, formats=[kind]) as image:
                width, height = image.size
                _check_size(width, height, most_pixels)
                if getattr(image, "n_frames", 1) > 1:
                    raise MediaError("the picture is animated", "Send a single frame of it.")
                image.load()
    except Image.DecompressionBombError:
        raise MediaError("the picture has far too many pixels", f"At most {most_pixels} are taken.") from None
    except UnidentifiedImageError:
        raise MediaError(f"the file begins as a {kind} and is none", _REMEDY) from None
    except _BROKEN as error:
        raise MediaError(f"the {kind} cannot be decoded: {error}", "Save it again and send that.") from None
    return CheckedPicture(SUFFIXES[kind], CONTENT_TYPES[kind], width, height)


def _check_size(width: int, height: int, most_pixels: int) -> None:
    if max(width, height) > LARGEST_SIDE:
        raise MediaError(f"the picture is {width}x{height}", f"Keep each side to {LARGEST_SIDE} pixels.")
    if width * height > most_pixels:
        raise MediaError(
            f"the picture is {width}x{height}, {width * height} pixels", f"At most {most_pixels} are taken."
        )


def _kind(path: Path) -> tuple[str, tuple[int, int] | None]:
    """The format, and the size where it stands at the start of the file."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise MediaError("the file is empty", _REMEDY)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP", None
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            is_png = kind == "PNG" and len(head) >= 24
            return kind, struct.unpack(">II", head[16:24]) if is_png else None
    raise MediaError(f"the file is {_told(head)}", _REMEDY)


def _told(head: bytes) -> str:
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[4:8] == b"ftyp":
        return "a film or a picture of another kind"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<?xml", b"<svg")) or b"<svg" in text:
        return "an SVG drawing, which may hold scripts"
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "no picture that is known here"
