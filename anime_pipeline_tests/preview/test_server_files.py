"""Defends files in and out: uploads keep others' pictures, views give the original bytes, nothing escapes."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from anime_pipeline.preview import protection
from anime_pipeline.preview.folders import Folders, OutsideFolderError
from anime_pipeline_tests.preview.client import Client, picture_graph
from anime_pipeline_tests.preview.running import RunningServer


def png(color: tuple[int, ...], mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (8, 6), color).save(buffer, format="PNG")
    return buffer.getvalue()


def upload(url: str, name: str, body: bytes, **fields: str) -> requests.Response:
    return requests.post(f"{url}/upload/image", files={"image": (name, body)}, data=fields, timeout=20)


RED, BLUE = png((255, 0, 0)), png((0, 0, 255))


def test_the_same_name_with_other_bytes_is_renamed(server: RunningServer) -> None:
    names = [upload(server.url, "k.png", body).json()["name"] for body in (RED, RED, BLUE, BLUE, RED)]
    assert names == ["k.png", "k.png", "k (1).png", "k (1).png", "k.png"]


def test_overwrite_replaces_the_picture(client: Client) -> None:
    upload(client.url, "k.png", RED)
    answer = upload(client.url, "k.png", BLUE, overwrite="true")
    assert answer.json() == {"name": "k.png", "subfolder": "", "type": "input"}
    assert client.view({"filename": "k.png", "type": "input"}).content == BLUE


def test_an_upload_lands_in_its_subfolder_and_can_be_loaded(client: Client) -> None:
    answer = upload(client.url, "k.png", RED, subfolder="cast/mika")
    assert answer.json() == {"name": "k.png", "subfolder": "cast/mika", "type": "input"}
    named = upload(client.url, "mika/k.png", RED, subfolder="cast")
    assert named.json() == {"name": "mika/k.png", "subfolder": "cast", "type": "input"}
    graph: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "cast/mika/k.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "again"}},
    }
    entry = client.render(graph)
    with Image.open(io.BytesIO(client.view(client.first_file(entry)).content)) as picture:
        assert picture.size == (8, 6)
        assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_another_picture_under_the_same_name_is_not_taken_from_the_cache(client: Client) -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "k.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "again"}},
    }
    pixels = []
    for body in (RED, BLUE):
        upload(client.url, "k.png", body, overwrite="1")
        with Image.open(io.BytesIO(client.view(client.first_file(client.render(graph))).content)) as picture:
            pixels.append(picture.getpixel((0, 0)))
    assert pixels == [(255, 0, 0), (0, 0, 255)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"subfolder": "../.."}, 403),
        ({"subfolder": "/etc"}, 403),
        ({"type": "secrets"}, 400),
        ({"subfolder": "x" * 300}, 400),
        ({"subfolder": "x\0"}, 400),
    ],
)
def test_an_upload_does_not_leave_its_folder(
    server: RunningServer, fields: dict[str, str], status: int
) -> None:
    assert upload(server.url, "k.png", RED, **fields).status_code == status
    assert list((server.home / "preview").rglob("*.png")) == []


def test_an_upload_without_a_file_is_refused(server: RunningServer) -> None:
    assert requests.post(f"{server.url}/upload/image", data={"image": "x"}, timeout=20).status_code == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"filename": "nothing.png"}, 404),
        ({"filename": "../run/preview.json"}, 400),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "passwd", "subfolder": "/etc"}, 403),
        ({"filename": "preview.json", "subfolder": "../../run"}, 403),
        ({"filename": "x.png", "type": "secrets"}, 400),
        ({"filename": "."}, 400),
        ({"filename": "x" * 300}, 400),
        ({"filename": "x\0.png"}, 400),
    ],
)
def test_a_view_does_not_leave_its_folder(server: RunningServer, query: dict[str, str], status: int) -> None:
    assert requests.get(f"{server.url}/view", params=query, timeout=20).status_code == status


def test_a_view_gives_the_original_bytes_or_a_conversion(client: Client, server: RunningServer) -> None:
    file = client.first_file(client.render(picture_graph("sub/t1")))
    assert file == {"filename": "t1_00001_.png", "subfolder": "sub", "type": "output"}
    saved = (server.home / "preview" / "output" / "sub" / "t1_00001_.png").read_bytes()
    original = client.view(file)
    assert original.content == saved
    assert original.headers["Content-Type"] == "image/png"
    for query, kind in (
        ({"preview": "webp;70"}, "WEBP"),
        ({"preview": "webp;900"}, "WEBP"),
        ({"preview": "jpeg"}, "JPEG"),
        ({"channel": "rgb"}, "PNG"),
        ({"channel": "a"}, "PNG"),
    ):
        with Image.open(io.BytesIO(client.view(file, **query).content)) as picture:
            assert (picture.format, picture.size) == (kind, (64, 64))
            assert "prompt" not in picture.info


def test_an_uploaded_page_is_never_shown_as_one(server: RunningServer) -> None:
    upload(server.url, "k.html", b"<script>alert(1)</script>")
    answer = requests.get(f"{server.url}/view", params={"filename": "k.html", "type": "input"}, timeout=20)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    converted = {"filename": "k.html", "type": "input", "preview": "webp"}
    assert requests.get(f"{server.url}/view", params=converted, timeout=20).status_code == 400


def test_a_png_carries_its_graph_and_every_extra_key(client: Client) -> None:
    extra = {"extra_pnginfo": {"workflow": {"nodes": []}, "anime": {"cut": "lp.e01.s001.c0010"}}}
    entry = client.render(picture_graph(), extra_data=extra)
    with Image.open(io.BytesIO(client.view(client.first_file(entry)).content)) as picture:
        assert json.loads(picture.info["prompt"]) == picture_graph()
        assert json.loads(picture.info["workflow"]) == {"nodes": []}
        assert json.loads(picture.info["anime"]) == {"cut": "lp.e01.s001.c0010"}


@pytest.mark.parametrize("extra", [{"extra_pnginfo": None}, {"extra_pnginfo": {"workflow": None}}])
def test_an_empty_workflow_breaks_nothing(client: Client, extra: dict[str, Any]) -> None:
    assert client.render(picture_graph(), extra_data=extra)["status"]["completed"]
    assert len(client.get("/history")) == 1


def test_too_large_a_body_is_refused(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection, "MAX_UPLOAD_BYTES", 1000)
    assert upload(server.url, "k.png", b"0" * 100_000).status_code == 413


def test_pictures_of_a_batch_become_files_of_their_own(client: Client) -> None:
    entry = client.render(picture_graph("%width%x%height%_%batch_num%", batch=3))
    names = [file["filename"] for file in entry["outputs"]["3"]["images"]]
    assert names == ["64x64_0_00001_.png", "64x64_1_00001_.png", "64x64_2_00001_.png"]


@pytest.mark.parametrize("prefix", ["../x", "/etc/x", "a/../../x", "", "."])
def test_an_output_prefix_stays_in_its_folder(tmp_path: Any, prefix: str) -> None:
    with pytest.raises(OutsideFolderError):
        Folders(tmp_path).next_output(prefix, ".png", 1, 1)


def test_names_are_counted_upwards_and_never_reused(tmp_path: Any) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "x_00001_.png").touch()
    names = [Folders(tmp_path).next_output("x", ".png", 1, 1).filename]
    folders = Folders(tmp_path)
    names += [folders.next_output("x", ".png", 1, 1).filename for _ in range(2)]
    assert names == ["x_00002_.png", "x_00002_.png", "x_00003_.png"]


def test_the_mask_is_the_transparency(tmp_path: Any) -> None:
    from anime_pipeline.preview.nodes.images import LoadImage

    folders = Folders(tmp_path)
    (folders.input / "k.png").write_bytes(png((10, 20, 30, 0), "RGBA"))

    class Context:
        def __init__(self) -> None:
            self.folders = folders

    frames, mask = LoadImage().run(Context(), image="k.png").values  # type: ignore[arg-type]
    assert np.array_equal(frames.first()[0, 0], [10, 20, 30])
    assert mask.shape == (1, 6, 8)
    assert (mask == 1).all()
