"""Reference pictures beside a production file: found, decoded and hashed before anything is written."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
_LARGEST_SIDE = 16384
_STORED = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})(\.[a-z0-9]+)?")


class PictureError(ValueError):
    """A picture that cannot be used; ``suggestion`` says what can."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True)
class Picture:
    """A decoded picture file; ``location`` is where a media store keeps it."""

    path: Path
    sha256: str
    suffix: str
    bytes: int
    width: int
    height: int

    @property
    def location(self) -> str:
        """Store-relative: ``<aa>/<sha256><suffix>``."""
        return f"{self.sha256[:2]}/{self.sha256}{self.suffix}"


@dataclass(frozen=True)
class Source:
    """The file of a production: absolute path, sha256 of its bytes, and its pictures by the path written."""

    path: str | None = None
    sha256: str | None = None
    pictures: dict[str, Picture] = field(default_factory=dict)


def read_picture(folder: Path, relative: str) -> Picture:
    """The picture at a path below ``folder``; raises :class:`PictureError`."""
    path = folder / relative
    home = folder.resolve()
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(home):
        raise PictureError(
            f"{relative} lies outside the folder of the production file", "copy it beside the file"
        )
    if not path.is_file():
        raise PictureError(f"there is no picture {relative}", f"paths are relative to {home}")
    try:
        data = path.read_bytes()
        with Image.open(path) as image:
            image.load()
            kind, (width, height) = image.format or "", image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise PictureError(
            f"{relative} cannot be read as a picture", "save it as PNG, JPEG or WebP"
        ) from error
    if kind not in _SUFFIXES:
        raise PictureError(f"{relative} is a {kind} picture", "save it as PNG, JPEG or WebP")
    if max(width, height) > _LARGEST_SIDE:
        raise PictureError(f"{relative} is {width}x{height}", f"keep each side to {_LARGEST_SIDE} pixels")
    return Picture(path, hashlib.sha256(data).hexdigest(), _SUFFIXES[kind], len(data), width, height)


def stored_sha256(location: str | None) -> str | None:
    """The sha256 in a media store's location; None for any other path, such as one of an older system."""
    match = _STORED.fullmatch(location or "")
    return match[1] if match else None
