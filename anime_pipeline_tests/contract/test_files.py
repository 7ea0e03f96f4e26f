"""Defends what goes to a server and comes back: whole, under the server's names, and never an old file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_pipeline.rendering.comfyui import ComfyClient
from anime_pipeline.rendering.comfyui_errors import ComfyError
from anime_pipeline_tests.contract.target import Target
from anime_pipeline_tests.preview.client import picture_graph, video_graph


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 10, 10)).save(buffer, "png")
    return buffer.getvalue()


def test_a_picture_comes_back_as_it_was_saved(target: Target, tmp_path: Path) -> None:
    finished = target.render(picture_graph(target.prefix(), seed=5))
    (file,) = finished.files
    assert file["subfolder"] == "anime-pipeline-contract"
    target.client.view(file, tmp_path / "got.png")
    with Image.open(tmp_path / "got.png") as picture:
        assert picture.size == (64, 64)
        assert "prompt" in picture.info, "the original bytes, with their metadata"
    if target.preview is not None:
        (saved,) = (target.preview.home / "preview" / "output").rglob("*.png")
        assert (tmp_path / "got.png").read_bytes() == saved.read_bytes()
    assert finished.seconds is not None


def test_a_film_is_found_though_it_lies_under_images(target: Target) -> None:
    finished = target.render(video_graph(target.prefix()), output="4")
    assert [file["filename"].endswith(".mp4") for file in finished.files] == [True]


def test_success_without_the_wanted_output_is_a_broken_contract(target: Target) -> None:
    with pytest.raises(ComfyError) as broken:
        target.render(picture_graph(target.prefix()), output="1")
    assert broken.value.error_class == "contract"


def test_the_same_graph_again_answers_with_the_old_file(target: Target, tmp_path: Path) -> None:
    graph = picture_graph(target.prefix(), seed=11)
    (first,), (second,) = target.render(graph).files, target.render(graph).files
    assert first == second
    graph["3"]["inputs"]["filename_prefix"] = target.prefix()  # as each attempt does
    (third,) = target.render(graph).files
    assert third != first
    pixels = []
    for number, file in enumerate((first, third)):
        target.client.view(file, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as picture:
            pixels.append(np.asarray(picture.convert("RGB")))
    assert np.array_equal(*pixels)


def test_an_old_file_from_the_cache_that_is_gone_is_a_broken_contract(target: Target, tmp_path: Path) -> None:
    graph = picture_graph(target.prefix(), seed=12)
    target.render(graph)
    for saved in (target.only_preview().home / "preview" / "output").rglob("*.png"):
        saved.unlink()
    (file,) = target.render(graph).files
    with pytest.raises(ComfyError, match="no longer has the output") as gone:
        target.client.view(file, tmp_path / "got.png")
    assert gone.value.error_class == "contract"


@pytest.mark.parametrize("cached", [False, True])
def test_empty_outputs_are_a_broken_contract(target: Target, cached: bool) -> None:
    graph = picture_graph(target.prefix())
    if cached:
        target.only_preview()
        target.render(graph)
    target.tell("empty_outputs")
    with pytest.raises(ComfyError) as broken:
        target.render(graph)
    assert broken.value.error_class == "contract"


def test_a_file_that_is_gone_is_a_broken_contract(target: Target, tmp_path: Path) -> None:
    target.tell("missing_file")
    (file,) = target.render(picture_graph(target.prefix())).files
    with pytest.raises(ComfyError) as gone:
        target.client.view(file, tmp_path / "got.png")
    assert gone.value.error_class == "contract"


def test_an_uploaded_picture_is_used_under_the_servers_name(target: Target, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(png(200))
    name = target.client.upload(tmp_path / "in.png", f"{target.client_id}.png")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "3": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": target.prefix()},
        },
    }
    (file,) = target.render(graph).files
    target.client.view(file, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.convert("RGB").getpixel((3, 3)) == (200, 10, 10)


def test_nothing_is_uploaded_twice_and_a_renamed_upload_keeps_its_new_name(
    target: Target, tmp_path: Path
) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(png(1))
    target.tell("upload_renamed")
    name = target.client.upload(picture, "a.png")
    assert name != "a.png"
    picture.unlink()
    assert target.client.upload(picture, "a.png") == name


def test_a_picture_that_is_too_large_for_the_server_is_said_so(target: Target, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png(2))
    target.tell("upload_too_large")
    with pytest.raises(ComfyError, match="too large") as refused:
        target.client.upload(tmp_path / "p.png", "a.png")
    assert refused.value.error_class == "validation"
    assert "max-upload-size" in str(refused.value.remedy)


def test_a_server_keeps_equal_bytes_and_puts_others_under_a_name_of_their_own(
    target: Target, tmp_path: Path
) -> None:
    name, names = f"{target.client_id}-twice.png", []
    for number, shade in enumerate((7, 7, 9)):
        picture = tmp_path / f"{number}.png"
        picture.write_bytes(png(shade))
        names.append(ComfyClient(target.url).upload(picture, name))  # each a client that has sent nothing yet
    assert names[0] == names[1] == name
    assert names[2] != name
