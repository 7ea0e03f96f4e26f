"""Reading uploaded pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from anime_pipeline.preview.folders import Folders, OutsideFolderError
from anime_pipeline.preview.frames import Pixels


def find_picture(folders: Folders, name: str) -> Path | None:
    """The uploaded picture of this name (``sub/name.png``, or ``name.png [output]``), or None."""
    name, kind = (name[: -len(" [output]")], "output") if name.endswith(" [output]") else (name, "input")
    try:
        path = folders.inside("output" if kind == "output" else "input", name)
    except (OutsideFolderError, ValueError):
        return None
    return path if path.is_file() else None


def picture_problem(folders: Folders, name: object) -> str | None:
    """Why this can't be loaded as a picture, or None."""
    if not isinstance(name, str) or not name or find_picture(folders, name) is None:
        return f"Invalid image file: {name}"
    return None


def read_rgba(folders: Folders, name: str) -> Pixels:
    """The picture, turned upright, as height × width × 4 (uint8, straight alpha)."""
    path = find_picture(folders, name)
    if path is None:
        raise FileNotFoundError(f"Invalid image file: {name}")
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))


def picture_sha256(folders: Folders, name: str) -> str:
    """Hash of the file's bytes; empty where there is none."""
    path = find_picture(folders, name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
