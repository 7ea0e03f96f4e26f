"""Uploads: pictures are kept as they came; what is none is refused with the reason, and leaves nothing."""

from __future__ import annotations

import hashlib
import struct
import tarfile
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.database.session import session_scope
from anime_pipeline.settings import Settings


def picture(kind: str = "PNG", size: tuple[int, int] = (32, 24)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "#336699").save(out, kind)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int) -> bytes:
    """A small PNG whose header announces so many pixels, with as many zeros packed as deflate can."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 10_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * 50_000_000)
    return out.getvalue()


def tar_with_a_link() -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("picture.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


def animated() -> bytes:
    out = BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


def text_bomb() -> bytes:
    """A small picture with a text of a hundred million letters packed beside it."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    packed = b"comment\0\0" + zlib.compress(b"a" * 100_000_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"zTXt", packed)
        + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    )  # fmt: skip


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def send(client: TestClient, data: bytes, name: str = "mika.png", kind: str = "image/png") -> Response:
    return client.post("/api/anime/uploads", files={"file": (name, data, kind)})


def kept(settings: Settings) -> tuple[int, int]:
    """Rows of media_files, files of the store."""
    files = [path for path in (settings.home / "media").rglob("*") if path.is_file()]
    with session_scope(settings) as session:
        return session.scalar(select(func.count()).select_from(MediaFile)) or 0, len(files)


@pytest.mark.parametrize(("kind", "type_", "suffix"), [
    ("PNG", "image/png", ".png"), ("JPEG", "image/jpeg", ".jpg"), ("WEBP", "image/webp", ".webp"),
])  # fmt: skip
def test_a_picture_is_kept_byte_for_byte(
    client: TestClient, session: Session, kind: str, type_: str, suffix: str
) -> None:
    data = picture(kind)
    answer = send(client, data, "whatever.txt", "text/plain")
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert shown["sha256"] == hashlib.sha256(data).hexdigest()
    assert (shown["content_type"], shown["width"], shown["height"]) == (type_, 32, 24)
    assert shown["location"].endswith(suffix)
    assert client.get(shown["url"]).content == data
    assert send(client, data).json() == shown
    assert session.scalar(select(func.count()).select_from(MediaFile)) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zip_bomb(), "zip archive"),
        (SVG, "SVG"),
        (b"<?xml version='1.0'?>" + SVG, "SVG"),
        (png_of(50_000, 50_000), "50000x50000"),
        (png_of(16_000, 16_000), "16000x16000"),
        (tar_with_a_link(), "tar archive"),
        (b"../../../etc/passwd", "no picture"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (picture()[:-20], "cannot be decoded"),
        (picture("JPEG")[:200], "JPEG"),
        (animated(), "animated"),
        (text_bomb(), "cannot be decoded"),
        (picture("GIF"), "GIF"),
        (picture("TIFF"), "TIFF"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "web page"),
        (b"#!/bin/sh\nid", "script"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_with_the_reason_and_leaves_nothing(
    shared_client: TestClient, shared_settings: Settings, data: bytes, reason: str
) -> None:
    answer = send(shared_client, data)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "#/file"
    assert reason in answer.json()["detail"]
    assert kept(shared_settings) == (0, 0)


@pytest.mark.parametrize("name", ["../../mika.png", "/etc/passwd", "..\\mika.png", "..", "a" * 300 + ".png"])
def test_a_name_that_is_a_path_is_refused(
    shared_client: TestClient, shared_settings: Settings, name: str
) -> None:
    answer = send(shared_client, picture(), name)
    assert answer.status_code == 422, answer.text
    assert "name" in answer.json()["detail"]
    assert kept(shared_settings) == (0, 0)


def test_a_link_in_the_store_is_never_written_through(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    """Whoever can place a link where the picture will lie cannot have another file overwritten."""
    data = picture()
    sha256 = hashlib.sha256(data).hexdigest()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place = settings.home / "media" / sha256[:2] / f"{sha256}.png"
    place.parent.mkdir(parents=True)
    place.symlink_to(victim)
    answer = send(client, data)
    assert answer.status_code == 201
    assert victim.read_text() == "precious"
    assert client.get(answer.json()["url"]).content == data


def test_a_body_that_is_no_form_is_refused(shared_client: TestClient) -> None:
    assert shared_client.post("/api/anime/uploads", json={"file": "x"}).status_code == 415
    assert (
        shared_client.post("/api/anime/uploads", files={"picture": ("a.png", picture())}).status_code == 422
    )


def test_one_file_is_taken_and_nothing_beside_it(
    shared_client: TestClient, shared_settings: Settings
) -> None:
    file = ("file", ("mika.png", picture()))
    for files, data, pointer in (([file], {"a/b~": "Mika"}, "#/a~1b~0"), ([file, file], {}, "#/file")):
        answer = shared_client.post("/api/anime/uploads", files=files, data=data)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert kept(shared_settings) == (0, 0)


def test_a_key_is_for_one_file(client: TestClient) -> None:
    """Else the sender of another file would be told the first one's hash, and believe it stored."""
    key = {"Idempotency-Key": "once"}
    one, other = (picture(size=(side, side)) for side in (8, 16))
    first = client.post("/api/anime/uploads", files={"file": ("a.png", one)}, headers=key)
    again = client.post("/api/anime/uploads", files={"file": ("a.png", one)}, headers=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert client.get(first.json()["url"]).content == one
    assert client.post("/api/anime/uploads", files={"file": ("a.png", other)}, headers=key).status_code == 422
