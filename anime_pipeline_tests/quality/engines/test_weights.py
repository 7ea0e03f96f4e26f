"""Defends the weights: a file is used only if it is the right one, fetched only when asked and with consent,
resumed after a break, and there whole or not at all. The downloads come from a real server on this machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anime_pipeline.quality.engines import weights, weights_fetching
from anime_pipeline.quality.engines.weights import (
    WeightsError,
    catalogue,
    locate,
    missing_files,
    verified_paths,
    verify,
    weights_named,
    weights_sha256,
)
from anime_pipeline.quality.engines.weights_catalogue import Weights, WeightsFile
from anime_pipeline.quality.engines.weights_fetching import fetch

MODEL = b"weights " * 50_000


@dataclass
class Shelf:
    """A server of files that may break off after some bytes."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    break_after: int | None = None
    asked: list[str | None] = field(default_factory=list)
    go_on: threading.Event | None = None  # half of a file is held back until it is set
    half_way: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A file server on a free port, with ranges."""
    found = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            found.asked.append(asked)
            data = found.files[self.path.lstrip("/")]
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(416 if start >= len(data) else 206 if asked else 200)
            rest = data[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if found.go_on is not None:
                self.wfile.write(rest[: len(data) // 2])
                rest = rest[len(data) // 2 :]
                found.half_way.set()
                found.go_on.wait(5)
            self.wfile.write(rest[: found.break_after])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def offer(
    monkeypatch: pytest.MonkeyPatch,
    shelf: Shelf,
    sha256: str | None = "",
    commercial: bool = True,
    member: str | None = None,
) -> None:
    """Put one model called ``toy`` into the catalogue; its true hash unless another is given."""
    true = hashlib.sha256(MODEL).hexdigest()
    file = WeightsFile("toy/model.bin", f"{shelf.url}/toy", true if sha256 == "" else sha256, member)
    entry = Weights("toy", ("nothing",), 0.4, "for tests only", commercial, (file,))
    monkeypatch.setattr(weights, "CATALOGUE", (entry,))
    shelf.files["toy"] = MODEL


def test_the_catalogue_is_sound() -> None:
    names = [entry.name for entry in catalogue()]
    files = [file for entry in catalogue() for file in entry.files]
    assert len(set(names)) == len(names)
    assert len({file.file for file in files}) == len(files)
    for file in files:
        assert file.source.startswith(("https://", "pypi:"))
        assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
        assert not Path(file.file).is_absolute()
        assert ".." not in file.file
        trunk = re.fullmatch(r".*-([0-9a-f]{8})\.pth", file.source)  # torchvision names its files so
        assert trunk is None or (file.sha256 or "").startswith(trunk[1])
    assert not weights_named("buffalo_l").commercial_use


def test_a_fetched_file_is_verified_and_in_the_manifest(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf)
    assert missing_files("toy", tmp_path) == locate("toy", tmp_path)
    told: list[tuple[str, int, int | None]] = []
    assert fetch("toy", tmp_path, on_progress=lambda *event: told.append(event)) == verified_paths(
        "toy", tmp_path
    )
    assert missing_files("toy", tmp_path) == ()
    assert told[-1] == ("toy", len(MODEL), len(MODEL))
    assert weights_sha256(("toy",), tmp_path) == hashlib.sha256(MODEL).hexdigest()
    assert json.loads((tmp_path / "manifest.json").read_text())["files"].keys() == {"toy/model.bin"}


def test_what_is_there_is_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf)
    fetch("toy", tmp_path)
    fetch("toy", tmp_path)
    assert len(shelf.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf)
    shelf.break_after = 150_000
    with pytest.raises(WeightsError) as broken:
        fetch("toy", tmp_path)
    assert "go on" in (broken.value.remedy or "")
    assert missing_files("toy", tmp_path)
    (part,) = (tmp_path / ".downloads").glob("*.part")
    have = part.stat().st_size
    assert 0 < have <= 150_000
    shelf.break_after = None
    fetch("toy", tmp_path)
    assert shelf.asked[-1] == f"bytes={have}-"
    assert verified_paths("toy", tmp_path)[0].read_bytes() == MODEL


FETCHER = """
import sys
from pathlib import Path
from anime_pipeline.quality.engines import weights, weights_fetching
from anime_pipeline.quality.engines.weights_catalogue import Weights, WeightsFile
from anime_pipeline.quality.engines.weights_fetching import fetch
url, sha256, folder = sys.argv[1:]
file = WeightsFile("toy/model.bin", url, sha256)
weights.CATALOGUE = (Weights("toy", ("nothing",), 0.4, "for tests only", True, (file,)),)
print(*fetch("toy", Path(folder), on_wait=lambda: print("waiting", flush=True)))
"""


def test_two_processes_that_fetch_the_same_download_it_once(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files["toy"], shelf.go_on = MODEL, threading.Event()
    arguments = [f"{shelf.url}/toy", hashlib.sha256(MODEL).hexdigest(), str(tmp_path)]
    command = [sys.executable, "-c", FETCHER, *arguments]
    with subprocess.Popen(command) as first:
        assert shelf.half_way.wait(60)
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting\n"
            shelf.go_on.set()
            assert second.stdout.readline() == f"{tmp_path / 'toy/model.bin'}\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(shelf.asked) == 1
    assert (tmp_path / "toy/model.bin").read_bytes() == MODEL


def test_fetchers_of_different_weights_keep_each_others_lines_in_the_manifest(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    names = ("one", "two", "three", "four")
    files = [WeightsFile(name, f"{shelf.url}/{name}", None) for name in names]
    entries = [Weights(file.file, ("nothing",), 0.4, "for tests only", True, (file,)) for file in files]
    monkeypatch.setattr(weights, "CATALOGUE", tuple(entries))
    shelf.files = dict.fromkeys(names, MODEL)

    def slowly(folder: Path) -> dict[str, str]:
        known = weights.manifest_hashes(folder)
        time.sleep(0.05)
        return known

    monkeypatch.setattr(weights_fetching, "manifest_hashes", slowly)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: fetch(name, tmp_path), names))
    assert {verify(name, tmp_path)[0].state for name in names} == {"verified"}


def test_another_file_than_the_expected_one_is_deleted_unread(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"toy/model\.bin: sha256"):
        fetch("toy", tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["toy.lock"]


def test_a_non_commercial_licence_asks_for_consent(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf, commercial=False)
    with pytest.raises(WeightsError, match="commercially") as refused:
        fetch("toy", tmp_path)
    assert refused.value.remedy == "anime-pipeline models fetch toy --accept-licence"
    assert shelf.asked == []
    assert fetch("toy", tmp_path, accept_licence=True)


def test_a_member_of_an_archive_is_taken_out_alone(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf, member="inner/model.bin")
    shelf.files["toy"] = zipped({"pack/inner/model.bin": MODEL, "../evil.py": b"no"})
    fetch("toy", tmp_path)
    assert verified_paths("toy", tmp_path)[0].read_bytes() == MODEL
    assert not list(tmp_path.parent.glob("**/evil.py"))


def test_another_archive_is_refused_and_not_taken_for_a_download_to_go_on_with(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf, member="inner/model.bin")
    right = zipped({"inner/model.bin": MODEL})
    undeflated = right[:50] + b"\xff" * 100 + right[150:]
    for wrong, said in (
        (MODEL, "not the archive"),
        (right[:-100], "not the archive"),
        (undeflated, "not the archive"),
        (zipped({"inner/other.bin": MODEL}), "not the archive"),
        (zipped({"inner/model.bin": MODEL[1:]}), "another file than toy/model.bin"),
    ):
        shelf.files["toy"] = wrong
        with pytest.raises(WeightsError, match=said):
            fetch("toy", tmp_path)
    shelf.files["toy"] = right
    assert fetch("toy", tmp_path) == verified_paths("toy", tmp_path)


def test_a_damaged_file_is_refused_by_name_and_fetched_again(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf)
    (path,) = fetch("toy", tmp_path)
    path.write_bytes(MODEL[:-1])
    with pytest.raises(WeightsError, match=r"model\.bin is damaged"):
        verified_paths("toy", tmp_path)
    fetch("toy", tmp_path)
    assert verify("toy", tmp_path)[0].state == "verified"


def test_without_a_published_hash_the_first_fetch_decides(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf, sha256=None)
    (path,) = locate("toy", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"copied from somewhere")
    assert verify("toy", tmp_path)[0].state == "unverified"
    fetch("toy", tmp_path)
    assert verify("toy", tmp_path)[0].state == "verified"
    path.write_bytes(b"changed since")
    assert verify("toy", tmp_path)[0].state == "damaged"
    shelf.files["toy"] = b"<html>Please log in</html>"
    with pytest.raises(WeightsError, match=r"gave 26 bytes where about 0\.4 MB are expected"):
        fetch("toy", tmp_path)
    shelf.files["toy"] = MODEL
    fetch("toy", tmp_path)
    assert verify("toy", tmp_path)[0].state == "verified"


@pytest.mark.parametrize("content", ["[]", "null", "{}", '{"files": 3}', "not JSON"])
def test_a_manifest_that_is_none_is_said(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path, content: str
) -> None:
    offer(monkeypatch, shelf)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(WeightsError, match="not a manifest") as refused:
        verify("toy", tmp_path)
    assert (refused.value.remedy or "").startswith("delete ")


def test_what_cannot_be_read_or_written_is_said(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, shelf)
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match=r"could not be written to .*file: Not a directory") as refused:
        fetch("toy", tmp_path / "file")
    assert "ANIME_MODELS_DIR" in (refused.value.remedy or "")
    fetch("toy", tmp_path)

    def forbidden(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(weights, "file_sha256", forbidden)
    with pytest.raises(WeightsError, match=r"model\.bin cannot be read: Permission denied"):
        weights_sha256(("toy",), tmp_path)


def test_a_server_out_of_reach_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf, tmp_path: Path
) -> None:
    offer(monkeypatch, Shelf(url="http://127.0.0.1:9"))
    with pytest.raises(WeightsError, match="could not be fetched") as lost:
        fetch("toy", tmp_path)
    assert "ANIME_MODELS_DIR" in (lost.value.remedy or "")


def test_a_misspelt_name_is_guessed() -> None:
    with pytest.raises(WeightsError, match="did you mean buffalo_l"):
        weights_named("bufalo_l")


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
