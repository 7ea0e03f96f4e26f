"""Uploads: reference pictures, checked by their content and kept as they came."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import Depends, File, Request, UploadFile
from pydantic import Field

from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.picture_check import check_picture
from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.picture_store import note_picture
from anime_pipeline.web.access import requires
from anime_pipeline.web.changes import ChangeOf
from anime_pipeline.web.problems import escaped, unprocessable
from anime_pipeline.web.routing import api_router
from anime_pipeline.web.schemas import Model

router = api_router("uploads")
_LONGEST_NAME = 255


class UploadView(Model):
    """A stored picture. `sha256` names it in cuts and scenes, `location` in characters."""

    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    location: str = Field(
        examples=["9f/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.png"],
        description="Its place in the media store, as `reference_image_path` and `image_path` take it.",
    )
    url: str
    content_type: str = Field(examples=["image/png"])
    width: int = Field(examples=[1024])
    height: int = Field(examples=[1024])
    bytes: int


async def _nothing_else(request: Request) -> None:
    """One file and no other field: what nobody would heed is refused, as in JSON."""
    names = [name for name, _ in (await request.form()).multi_items()]
    for name in names:
        if name != "file":
            raise unprocessable(
                f"/{escaped(name)}", "There is no such field.", "Send the field `file` alone."
            )
    if len(names) > 1:
        raise unprocessable("/file", f"{len(names)} files were sent.", "Send each by itself.")


@router.post("/uploads", status_code=201, dependencies=[Depends(_nothing_else)])
@requires("artist")
def upload(
    file: Annotated[UploadFile, File(description="A PNG, JPEG or WebP.")], change: ChangeOf
) -> UploadView:
    """Store a reference picture. Its content says what it is; its name and announced type count nothing.

    The bytes are kept as they are, metadata included, since their hash is the picture's name in recipes.
    """
    _check_name(file.filename or "")
    with tempfile.TemporaryDirectory(prefix="anime-upload-") as folder:
        path = Path(folder) / "upload"
        with path.open("xb") as target:
            shutil.copyfileobj(file.file, target)
        try:
            picture = check_picture(path, change.settings.api_max_upload_megapixels * 1_000_000)
        except MediaError as error:
            reason = str(error)
            raise unprocessable("/file", reason[:1].upper() + reason[1:] + ".", error.remedy) from error
        stored = MediaStore.of(change.settings).put_file(path, picture.suffix)
    note_picture(change.session, stored, picture.width, picture.height)
    shown = UploadView(
        sha256=stored.sha256,
        location=stored.location,
        url=f"/api/anime/media/{stored.sha256}",
        content_type=picture.content_type,
        width=picture.width,
        height=picture.height,
        bytes=stored.bytes,
    )
    return change.made("upload", stored.sha256, shown)


def _check_name(name: str) -> None:
    """Nothing is stored under the name; one that tries to be a path says what its sender had in mind."""
    if len(name) > _LONGEST_NAME or any(ord(letter) < 32 for letter in name):
        raise unprocessable("/file", "The file's name is too long or holds control characters.", "Rename it.")
    if "/" in name or "\\" in name or name in (".", ".."):
        raise unprocessable("/file", "The file's name is a path.", "Send the name alone, such as mika.png.")
