"""Defends the store's promise: a file under its name is whole and holds the bytes of its name, whatever
filesystem it lies on and whenever its writer dies."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from anime_pipeline.media.errors import (
    DamagedMediaError,
    MediaError,
    MissingMediaError,
    UnreachableStoreError,
)
from anime_pipeline.media.store import MediaStore, location_of
from anime_pipeline.settings import Settings

DATA = b"the keeper's letter " * 5000
SHA256 = hashlib.sha256(DATA).hexdigest()


class SharedDisk(MemoryFileSystem):
    """A filesystem of the kind where a put can be seen half done, so that the store must move."""

    protocol = "shareddisk"
    store: dict[str, object] = {}  # noqa: RUF012 (the base class keeps its files so)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("shareddisk://")))

    def ls(self, path: str, detail: bool = True, **options: object) -> list[object]:
        """As filesystems of networks do: what was listed once is remembered."""
        path = self._strip_protocol(path)
        entries = self.dircache[path] if path in self.dircache else super().ls(path, detail=True)
        self.dircache[path] = entries
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **options: object) -> dict[str, object]:
        """From what is remembered, where its folder was listed: then a file that came later is not there."""
        path = self._strip_protocol(path)
        known = self._ls_from_cache(path)
        return known[0] if known else dict(super().info(path, **options))


fsspec.register_implementation("shareddisk", SharedDisk, clobber=True)


@pytest.fixture(params=["file", "memory", "shareddisk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MediaStore]:
    root = f"file://{tmp_path}/media" if request.param == "file" else f"{request.param}://bucket/media"
    yield MediaStore(root, tmp_path / "cache")
    if request.param != "file":
        fsspec.filesystem(request.param).store.clear()


@given(data=st.binary(max_size=3000), suffix=st.sampled_from(["", ".png", ".mp4", ".json"]))
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_bytes_come_back(store: MediaStore, data: bytes, suffix: str) -> None:
    stored = store.put_bytes(data, suffix)
    assert stored == store.put_bytes(data, suffix)
    assert (stored.sha256, stored.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert stored.location == f"{stored.sha256[:2]}/{stored.sha256}{suffix}"
    assert store.exists(stored.sha256, suffix)
    assert store.local_path(stored.sha256, suffix).read_bytes() == data
    with store.open(stored.sha256, suffix) as file:
        assert file.read() == data
    store.verify(stored.sha256, suffix)


def test_a_file_is_copied_under_its_suffix(store: MediaStore, tmp_path: Path) -> None:
    source = tmp_path / "Frame.PNG"
    source.write_bytes(DATA)
    assert store.put_file(source).suffix == ".png"
    assert store.put_file(source, ".bin").location.endswith(".bin")
    assert source.read_bytes() == DATA


def test_no_other_names_are_left_beside_the_file(tmp_path: Path) -> None:
    store = MediaStore(f"file://{tmp_path}")
    store.put_bytes(DATA, ".png")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{SHA256}.png"]


def test_shared_disks_get_files_by_a_move(tmp_path: Path) -> None:
    filesystem = fsspec.filesystem("shareddisk")
    MediaStore("shareddisk://bucket", tmp_path).put_bytes(DATA, ".png")
    assert filesystem.find("/bucket") == [f"/bucket/{SHA256[:2]}/{SHA256}.png"]
    filesystem.store.clear()


def test_a_torn_file_is_replaced(store: MediaStore, tmp_path: Path) -> None:
    stored = store.put_bytes(DATA, ".png")
    _overwrite(store, stored.location, DATA[:100])
    with pytest.raises(DamagedMediaError, match=stored.location):
        store.verify(stored.sha256, ".png")
    assert store.put_bytes(DATA, ".png") == stored
    store.verify(stored.sha256, ".png")


def test_a_flipped_bit_is_found(store: MediaStore) -> None:
    stored = store.put_bytes(DATA, ".png")
    _overwrite(store, stored.location, b"T" + DATA[1:])
    with pytest.raises(DamagedMediaError, match="does not hold the bytes"):
        store.verify(stored.sha256, ".png")


def test_a_damaged_remote_file_never_enters_the_cache(tmp_path: Path) -> None:
    store = MediaStore("memory://bucket/media", tmp_path / "cache")
    stored = store.put_bytes(DATA, ".png")
    _overwrite(store, stored.location, b"T" + DATA[1:])
    with pytest.raises(DamagedMediaError):
        store.local_path(stored.sha256, ".png")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    fsspec.filesystem("memory").store.clear()


def test_what_is_missing_is_named(store: MediaStore, tmp_path: Path) -> None:
    assert not store.exists(SHA256, ".png")
    for call in (store.local_path, store.open, store.verify):
        with pytest.raises(MissingMediaError, match=location_of(SHA256, ".png")) as error:
            call(SHA256, ".png")
        assert error.value.remedy
    with pytest.raises(MissingMediaError, match=r"nowhere\.png does not exist"):
        store.put_file(tmp_path / "nowhere.png")


@pytest.mark.parametrize(
    ("sha256", "suffix"),
    [
        ("../" + SHA256, ".png"),
        (SHA256.upper(), ".png"),
        (SHA256, "/../x"),
        (SHA256, ".PNG"),
        (SHA256, "png"),
    ],
)
def test_names_cannot_leave_the_store(store: MediaStore, sha256: str, suffix: str) -> None:
    with pytest.raises(MediaError):
        store.exists(sha256, suffix)


def test_passwords_stay_out_of_errors() -> None:
    store = MediaStore("memory://someone:secret@bucket")
    with pytest.raises(MissingMediaError) as error:
        store.open(SHA256, ".png")
    assert "secret" not in str(error.value)


def test_the_store_of_an_installation_lies_in_its_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    stored = MediaStore.of(settings).put_bytes(DATA, ".png")
    assert (tmp_path / "media" / stored.location).read_bytes() == DATA


# Where a writer is killed, and whether the file has its name by then.
KILLS = {
    "half the bytes written": (
        "store._copy = lambda source, target: (target.write_bytes(source.read()[:5000]), die())",
        False,
    ),
    "before the bytes are safe": ("os.fsync = lambda descriptor: die()", False),
    "before the rename": (
        "sys.addaudithook(lambda event, arguments: die() if event == 'os.rename' else None)",
        False,
    ),
    "before the folder is safe": ("atomic.sync_folder = killing_if_there(atomic.sync_folder)", True),
}
CHILD = """
import os, signal, sys
from pathlib import Path
from anime_pipeline.media import atomic, store

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def killing_if_there(sync_folder):
    return lambda folder: die() if list(folder.glob('*.png')) else sync_folder(folder)

media = store.MediaStore(sys.argv[1])
for folder in (store.location_of(sys.argv[3], '.png')[:2], '.incoming'):
    atomic.make_folder(Path(sys.argv[1]) / folder)
exec(sys.argv[4])
media.put_file(Path(sys.argv[2]))
"""


@pytest.mark.parametrize("moment", KILLS)
def test_a_killed_writer_leaves_no_half_file(moment: str, tmp_path: Path) -> None:
    source = tmp_path / "frame.png"
    source.write_bytes(DATA)
    folder = tmp_path / "media"
    sabotage, named = KILLS[moment]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(source), SHA256, sabotage], check=False
    )
    assert child.returncode == -signal.SIGKILL
    store = MediaStore(str(folder))
    assert store.exists(SHA256, ".png") is named
    stored = store.put_file(source)
    store.verify(stored.sha256, stored.suffix)
    assert store.remove_leftovers(older_than_seconds=3600) == 0
    assert store.remove_leftovers(older_than_seconds=-1) == (0 if named else 1)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [f"{SHA256}.png"]


def _overwrite(store: MediaStore, location: str, data: bytes) -> None:
    if store.name.startswith("file"):
        (Path(store.name.removeprefix("file://")) / location).write_bytes(data)
    else:
        with fsspec.open(f"{store.name}/{location}", "wb") as file:
            file.write(data)


@pytest.mark.parametrize("asked", [3, 600])
def test_many_are_looked_up_at_once(store: MediaStore, asked: int) -> None:
    """Few one by one, many by listing folders: the same answer, also where a folder isn't there."""
    kept = {f"{one.sha256}.png" for one in (store.put_bytes(bytes([n]), ".png") for n in range(2))}
    gone = {f"{hashlib.sha256(b'gone %d' % n).hexdigest()}.png" for n in range(asked - 2)}
    other = {name.replace(".png", ".mp4") for name in kept}
    assert store.present(kept | gone | other) == kept
    assert store.present(set()) == set()


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_a_file_is_removed_once_it_is_not_young(tmp_path: Path, place: str) -> None:
    url = str(tmp_path / "store") if place == "folder" else f"memory://removal-{tmp_path.name}"
    store = MediaStore(url, tmp_path / "cache")
    stored = store.put_bytes(b"a film", ".mp4")
    store.local_path(stored.sha256, ".mp4")
    assert store.remove(stored.sha256, ".mp4") is None
    assert store.exists(stored.sha256, ".mp4")
    assert store.remove(stored.sha256, ".mp4", young_seconds=0) == len(b"a film")
    assert not store.exists(stored.sha256, ".mp4")
    assert store.remove(stored.sha256, ".mp4", young_seconds=0) == 0
    with pytest.raises(MissingMediaError):
        store.local_path(stored.sha256, ".mp4")  # not from the cache either


def test_a_file_that_is_stored_again_is_young(tmp_path: Path) -> None:
    store = MediaStore(str(tmp_path / "store"))
    stored = store.put_bytes(b"a film", ".mp4")
    path = store.local_path(stored.sha256, ".mp4")
    os.utime(path, (1, 1))
    store.put_bytes(b"a film", ".mp4")
    assert store.remove(stored.sha256, ".mp4") is None
    os.utime(path, (1, 1))
    assert store.remove(stored.sha256, ".mp4") == len(b"a film")
    assert store.leftovers(0) == []


def test_what_another_machine_stored_is_seen(tmp_path: Path) -> None:
    """No listing is remembered: the disk is not ours alone."""
    ours, theirs = (MediaStore("shareddisk://shared", tmp_path / name) for name in ("ours", "theirs"))
    data = next(bytes([n]) for n in range(256) if hashlib.sha256(bytes([n])).hexdigest()[:2] == SHA256[:2])
    many = {hashlib.sha256(bytes([n, n])).hexdigest() + ".png" for n in range(256)} | {f"{SHA256}.png"}
    assert ours.put_bytes(data, ".png").location[:2] == SHA256[:2]
    assert ours.present(many) == set()
    theirs.put_bytes(DATA, ".png")
    assert ours.exists(SHA256, ".png")
    assert ours.present(many) == {f"{SHA256}.png"}
    fsspec.filesystem("shareddisk").store.clear()


@pytest.mark.parametrize("step", ["makedirs", "put_file", "mv", "info", "modified"])
def test_a_store_that_fails_is_told_of_and_left_clean(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MediaStore("shareddisk://failing", tmp_path / "cache")
    filesystem = fsspec.filesystem("shareddisk")
    whole = filesystem.put_file

    def fail(*arguments: object, **options: object) -> None:
        if step == "put_file":
            whole(*arguments, **options)  # some bytes were there by then
        raise ConnectionResetError("connection reset by peer")

    if step == "modified":
        store.put_bytes(DATA, ".png")
    with monkeypatch.context() as broken:
        broken.setattr(filesystem, step, fail)
        with pytest.raises(UnreachableStoreError, match=r"shareddisk://failing .*connection reset") as told:
            store.put_bytes(DATA, ".png")
    assert "ANIME_MEDIA_URL" in str(told.value.remedy)
    assert filesystem.find("/failing/.incoming") == []
    assert store.put_bytes(DATA, ".png").location in filesystem.find("/failing")[0]
    filesystem.store.clear()


@pytest.mark.parametrize(
    ("url", "said"), [("nothing://bucket", "Protocol not known"), ("ftp://127.0.0.1:9/x", "refused")]
)
def test_a_place_that_is_none_is_a_mistake_in_words(url: str, said: str) -> None:
    with pytest.raises(UnreachableStoreError, match=said):
        MediaStore(url).put_bytes(DATA, ".png")


def test_what_is_left_elsewhere_goes_with_its_time(tmp_path: Path) -> None:
    """Unfinished uploads of killed writers, and copies that nobody asked for again."""
    store = MediaStore("shareddisk://left", tmp_path / "cache")
    stored = store.put_bytes(DATA, ".png")
    fsspec.filesystem("shareddisk").pipe("/left/.incoming/half", b"half")
    copy = store.local_path(stored.sha256, ".png")
    os.utime(copy, (1, 1))
    store.local_path(stored.sha256, ".png")
    assert (store.remove_leftovers(3600), store.forget_copies()) == (0, 0)
    os.utime(copy, (1, 1))
    assert (store.remove_leftovers(-1), store.forget_copies()) == (1, 1)
    assert store.local_path(stored.sha256, ".png").read_bytes() == DATA
    fsspec.filesystem("shareddisk").store.clear()
