"""Defends recipes in a file: whole, checked against hashes, and enough for an otherwise empty studio."""

from __future__ import annotations

import errno
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.recipe_files import RecipeFileError, read_recipe_file, write_recipe_file
from anime_pipeline.rendering.recipe_import import import_recipe
from anime_pipeline.rendering.reproduction import reproduce
from anime_pipeline.settings import Settings
from anime_pipeline_tests.rendering.studio import Studio, stills


def exported(studio: Studio) -> Path:
    """A take that shows an uploaded background, exported."""
    Image.new("RGB", (64, 64), "#204060").save(studio.folder / "quay.png")
    data = stills(1)
    data["episodes"][0]["scenes"][0]["background_image"] = "quay.png"
    studio.import_(data)
    (take,) = studio.render().finished
    path = studio.folder / "take.recipe"
    with session_scope(studio.settings) as session:
        write_recipe_file(session, studio.settings, take.job_id, path)
    return path


def brought_in(settings: Settings, path: Path) -> int:
    with session_scope(settings) as session:
        return import_recipe(session, settings, read_recipe_file(path))


def rewritten(path: Path, **changed: bytes) -> Path:
    """The archive with some of its entries replaced."""
    target = path.with_suffix(".changed")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.partition(".")[0].partition("/")[0], old.read(name)))
    return target


def emptied(studio: Studio) -> Studio:
    """The same studio without its story and its takes, and with another home."""
    studio.query_none("DELETE FROM projects WHERE name = 'Tiny'")
    studio.query_none("DELETE FROM studio.takes; DELETE FROM studio.recipes; DELETE FROM studio.media_files")
    home = studio.folder / "another-home"
    home.mkdir()
    return Studio(
        studio.settings.model_copy(update={"home": home}), studio.server, studio.artist, studio.folder
    )


def test_a_recipe_is_reproduced_on_an_otherwise_empty_studio(studio: Studio) -> None:
    path = exported(studio)
    empty = emptied(studio)
    job = brought_in(empty.settings, path)
    assert brought_in(empty.settings, path) == job, "a second import finds the first"
    (report,) = reproduce(empty.settings, [job])
    assert (report.verdict, report.environment) == ("identical", ())
    empty.check_media_is_whole()
    assert empty.keys() == [], "it is part of no story"
    (row,) = empty.query("SELECT seed, model_name, width FROM generation_params WHERE job_id = :job", job=job)
    assert (row.model_name, row.width) == ("AnimaticShot", 64)


def test_the_same_take_gives_the_same_file(studio: Studio) -> None:
    path = exported(studio)
    first = path.read_bytes()
    (row,) = studio.query("SELECT job_id FROM studio.takes")
    with session_scope(studio.settings) as session:
        manifest = write_recipe_file(session, studio.settings, row.job_id, path)
    assert path.read_bytes() == first
    assert {file.role for file in manifest.files} == {"input", "frame", "thumbnail"}


def test_the_graph_in_the_file_is_one_that_comfyui_opens(studio: Studio) -> None:
    with zipfile.ZipFile(exported(studio)) as archive:
        graph: dict[str, Any] = json.loads(archive.read("workflow.json"))
    assert {node["class_type"] for node in graph.values()} >= {"LoadImage", "SaveImage"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"workflow": b'{"1": {"class_type": "EmptyImage", "inputs": {}}}'}, "another graph"),
        ({"workflow": b"[]"}, "another graph"),
        ({"workflow": b"{"}, "no recipe file"),
        ({"files": b"painted over"}, "damaged files"),
        ({"manifest": b'{"format": "zip"}'}, "manifest that is none"),
        ({"manifest": b'{"format": "\\u0000"}'}, "holds a NUL"),
    ],
)
def test_a_file_that_was_changed_is_refused(studio: Studio, changed: dict[str, bytes], said: str) -> None:
    with pytest.raises(RecipeFileError, match=said):
        read_recipe_file(rewritten(exported(studio), **changed))


def test_what_is_no_recipe_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(RecipeFileError, match="no recipe file"):
        read_recipe_file(tmp_path / "text")
    with pytest.raises(RecipeFileError, match="there is no file"):
        read_recipe_file(tmp_path / "nowhere")


def test_a_broken_or_locked_archive_is_refused_in_words(studio: Studio) -> None:
    path = exported(studio)
    whole = path.read_bytes()
    packed = path.with_suffix(".packed")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    squeezed = bytearray(packed.read_bytes())
    squeezed[100:200] = bytes(100)
    locked = bytearray(whole)
    for place in (locked.index(b"PK\x03\x04") + 6, locked.index(b"PK\x01\x02") + 8):
        locked[place] |= 1  # "encrypted"
    for data in (whole[: len(whole) // 2], bytes(squeezed), bytes(locked)):
        path.write_bytes(data)
        with pytest.raises(RecipeFileError, match="no recipe file"):
            read_recipe_file(path)


def test_what_cannot_be_written_leaves_what_was_there(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(studio)
    before = path.read_bytes()
    (row,) = studio.query("SELECT job_id FROM studio.takes")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("anime_pipeline.rendering.recipe_files.shutil.copyfileobj", full)
    with session_scope(studio.settings) as session:
        with pytest.raises(RecipeFileError, match="cannot be written: No space left"):
            write_recipe_file(session, studio.settings, row.job_id, path)
        with pytest.raises(RecipeFileError, match="cannot be written"):
            write_recipe_file(session, studio.settings, row.job_id, path / "below a file")
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.glob(".*.part*")] == []


def test_inputs_are_kept_as_long_as_a_take_refers_to_them(studio: Studio) -> None:
    exported(studio)
    (recipe,) = studio.query("SELECT inputs FROM studio.recipes")
    (sha256,) = recipe.inputs.values()
    data = stills(1)  # the place has no picture any more
    studio.import_(data)
    studio.render()
    store = MediaStore.of(studio.settings)
    store.remove_leftovers(older_than_seconds=0)
    store.verify(sha256, ".png")
    first, *_ = studio.query("SELECT job_id FROM studio.takes ORDER BY job_id")
    (report,) = reproduce(studio.settings, [first.job_id])
    assert report.verdict == "identical"
