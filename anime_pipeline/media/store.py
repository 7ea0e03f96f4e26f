"""The media store: files named by the sha256 of their bytes, in a folder or wherever fsspec reaches."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import fsspec  # type: ignore[import-untyped]

from anime_pipeline.errors import UserError
from anime_pipeline.media.atomic import make_folder, whole_file
from anime_pipeline.media.errors import (
    DamagedMediaError,
    MediaError,
    MissingMediaError,
    UnreachableStoreError,
)
from anime_pipeline.settings import Settings

_BLOCK = 1 << 20
YOUNG_SECONDS = 3600.0
"""A file stored less than this ago may not be named in the database yet; nobody removes it."""
UNUSED_SECONDS = 7 * 86_400.0
"""A copy of a file elsewhere that was not asked for in so long is fetched again when it is."""
_INCOMING = ".incoming"
_FEW = 256
# There a put shows the whole object or none, and a move would be a second copy.
_ATOMIC_PROTOCOLS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"})


@dataclass(frozen=True)
class StoredFile:
    """A file of the store. ``suffix`` has its dot; ``location`` is relative to the store's root."""

    sha256: str
    suffix: str
    bytes: int
    location: str


def location_of(sha256: str, suffix: str) -> str:
    """Where the store keeps a file, relative to its root: ``<aa>/<sha256><suffix>``.

    Raises :class:`MediaError` for a name that is no lower-case sha256 or a suffix that is no ``.name``.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise MediaError(f"{sha256!r} is not a sha256 in lower-case hexadecimal")
    if not re.fullmatch(r"(\.[a-z0-9]{1,11})?", suffix):
        raise MediaError(f"{suffix!r} is not a suffix such as .png: at most 11 lower-case letters or digits")
    return f"{sha256[:2]}/{sha256}{suffix}"


class MediaStore:
    """Files addressed by content below an fsspec URL; storing the same bytes twice stores them once.

    A file under its final name is whole: it is written under another name, brought to the disk and then
    renamed (on object stores, put at once). ``cache`` is the folder that files are fetched to when the store
    is not a local folder.

    Every method raises :class:`UnreachableStoreError` where a store elsewhere fails.
    """

    def __init__(self, root_url: str, cache: Path | None = None) -> None:
        self.name = re.sub(r"//[^/@]*@", "//", root_url)  # said in errors, so without a password
        local = root_url.removeprefix("file://").removeprefix("local://")
        self._folder = None if "://" in local else Path(local).expanduser().absolute()
        if self._folder is None:
            with self._reached():
                self._filesystem, self._root = fsspec.core.url_to_fs(root_url)
            # Other machines store and remove files too; as an argument, not every filesystem would take it.
            self._filesystem.dircache.use_listings_cache = False
            self._filesystem.invalidate_cache()
        key = hashlib.sha256(root_url.encode()).hexdigest()[:16]
        self._cache = cache or Path(tempfile.gettempdir()) / "anime-pipeline-media" / key

    @classmethod
    def of(cls, settings: Settings) -> MediaStore:
        """The store of an installation, with its cache in the home."""
        return cls(settings.media_root_url, settings.home / "cache" / "media")

    def put_bytes(self, data: bytes, suffix: str) -> StoredFile:
        """Store bytes under a suffix such as ``.png``."""
        return self._put(BytesIO(data), suffix, "the bytes given")

    def put_file(self, path: Path, suffix: str | None = None) -> StoredFile:
        """Store a copy of a local file, under its own suffix in lower case unless another is given."""
        try:
            with path.open("rb") as source:
                return self._put(source, path.suffix.lower() if suffix is None else suffix, str(path))
        except FileNotFoundError as error:
            if error.filename == str(path):
                raise MissingMediaError(f"{path} does not exist, so it cannot be stored") from None
            raise

    def exists(self, sha256: str, suffix: str) -> bool:
        """Whether the store has a file of this name."""
        return self._size(location_of(sha256, suffix)) is not None

    def present(self, names: Collection[str]) -> set[str]:
        """Which of these files (sha256 and suffix in one) the store has.

        Many are looked up by listing their folders, of which a store has 256.
        """
        if len(names) <= _FEW:
            return {name for name in names if self.exists(name[:64], name[64:])}
        folders = sorted({name[:2] for name in names})
        return {name for folder in folders for name in self._listed(folder)}.intersection(names)

    def _listed(self, folder: str) -> list[str]:
        try:
            if self._folder is not None:
                return os.listdir(self._folder / folder)  # noqa: PTH208 (no object for each of many files)
            with self._reached():
                listed = self._filesystem.ls(self._key(folder), detail=False)
            return [str(path).rpartition("/")[2] for path in listed]
        except FileNotFoundError:
            return []

    def open(self, sha256: str, suffix: str) -> BinaryIO:
        """A stored file, open for reading from its start. Raises :class:`MissingMediaError`."""
        location = location_of(sha256, suffix)
        try:
            if self._folder is not None:
                return (self._folder / location).open("rb")
            with self._reached():
                return cast(BinaryIO, self._filesystem.open(self._key(location), "rb"))
        except FileNotFoundError:
            raise self._missing(location) from None

    def place(self, sha256: str, suffix: str) -> str:
        """Where a file lies or would lie, for people: its path, or its URL without a password."""
        location = location_of(sha256, suffix)
        return str(self._folder / location) if self._folder is not None else f"{self.name}/{location}"

    def local_path(self, sha256: str, suffix: str) -> Path:
        """A local file with these bytes, to be read only: the stored one, or a copy of it in the cache."""
        location = location_of(sha256, suffix)
        if self._folder is not None:
            path = self._folder / location
            if not path.is_file():
                raise self._missing(location)
            return path
        cached = self._cache / location
        try:
            os.utime(cached)  # used now: see forget_copies
        except FileNotFoundError:
            with self._reached(), self.open(sha256, suffix) as source, whole_file(cached) as temporary:
                if _copy(source, temporary) != sha256:
                    raise self._damaged(location) from None
        return cached

    def verify(self, sha256: str, suffix: str) -> None:
        """Read a stored file again and compare its hash with its name.

        Raises :class:`MissingMediaError` or :class:`DamagedMediaError`.
        """
        with self._reached(), self.open(sha256, suffix) as source:
            if _sha256(source)[0] != sha256:
                raise self._damaged(location_of(sha256, suffix))

    def remove(self, sha256: str, suffix: str, young_seconds: float = YOUNG_SECONDS) -> int | None:
        """Remove a file that nothing names any more; the bytes that it took, 0 where it was gone already.

        None, and the file stays, where it was stored, for the first time or again, less than
        ``young_seconds`` ago: whoever did may be about to name it. On stores that tell no times, that is not
        looked at.
        """
        location = location_of(sha256, suffix)
        (self._cache / location).unlink(missing_ok=True)
        if self._folder is not None:
            return self._remove_local(self._folder / location, young_seconds)
        size = self._size(location)
        if size is None:
            return 0
        if self._age(location) < young_seconds:
            return None
        with self._reached():
            self._filesystem.rm_file(self._key(location))
        return size

    def _remove_local(self, path: Path, young_seconds: float) -> int | None:
        """Move away, look, remove: a file stored again in between is young there, or back under its name."""
        aside = path.parent.parent / _INCOMING / f".{uuid.uuid4().hex}.part{path.suffix}"
        try:
            if time.time() - path.stat().st_mtime < young_seconds:
                return None
            make_folder(aside.parent)
            path.replace(aside)
        except FileNotFoundError:
            return 0
        state = aside.stat()
        if time.time() - state.st_mtime < young_seconds:
            aside.replace(path)
            return None
        aside.unlink()
        return state.st_size

    def leftovers(self, older_than_seconds: float = 86_400.0) -> list[Path]:
        """What killed writers left unfinished; of a store elsewhere, that tells times, by place in it."""
        if self._folder is None:
            left = [f"{_INCOMING}/{name}" for name in self._listed(_INCOMING)]
            return [Path(one) for one in left if older_than_seconds < self._age(one) < float("inf")]
        limit = time.time() - older_than_seconds
        unfinished = (self._folder / _INCOMING).glob(".*.part*")
        return sorted(path for path in unfinished if path.stat().st_mtime < limit)

    def remove_leftovers(self, older_than_seconds: float = 86_400.0) -> int:
        """Remove what killed writers left unfinished; the number of files removed."""
        leftovers = self.leftovers(older_than_seconds)
        for path in leftovers:
            if self._folder is not None:
                path.unlink(missing_ok=True)
                continue
            with self._reached(), suppress(FileNotFoundError):
                self._filesystem.rm_file(self._key(str(path)))
        return len(leftovers)

    def forget_copies(self, unused_seconds: float = UNUSED_SECONDS) -> int:
        """Remove copies of files elsewhere that nobody has asked for in so long; the number removed."""
        limit, removed = time.time() - unused_seconds, 0
        for path in self._cache.rglob("*.*"):
            with suppress(FileNotFoundError):  # another process has just named or removed it
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
        return removed

    def _put(self, source: BinaryIO, suffix: str, name: str) -> StoredFile:
        sha256, size = _sha256(source)
        location = location_of(sha256, suffix)
        # A file of another size is what a crash of the disk left; it is replaced.
        if self._size(location) != size or not self._made_young(location):
            source.seek(0)
            self._write(source, location, sha256, name)
        return StoredFile(sha256, suffix, size, location)

    def _write(self, source: BinaryIO, location: str, sha256: str, name: str) -> None:
        if self._folder is not None:
            with whole_file(self._folder / location, self._folder / _INCOMING) as temporary:
                _require(_copy(source, temporary) == sha256, name)
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "file"
            _require(_copy(source, copy) == sha256, name)
            with self._reached():
                self._send(copy, self._key(location))

    def _send(self, copy: Path, key: str) -> None:
        """Bring a local file to a store elsewhere, under its name only when it is whole."""
        files = self._filesystem
        files.makedirs(key.rsplit("/", 1)[0], exist_ok=True)
        if not _ATOMIC_PROTOCOLS.isdisjoint(_protocols(files)):
            files.put_file(str(copy), key)
            return
        incoming = self._key(f"{_INCOMING}/{uuid.uuid4().hex}")
        files.makedirs(incoming.rsplit("/", 1)[0], exist_ok=True)
        try:
            files.put_file(str(copy), incoming)
            files.mv(incoming, key)
        except Exception:
            with suppress(Exception):  # what failed first is told
                files.rm_file(incoming)
            raise

    def _made_young(self, location: str) -> bool:
        """Have a file that is stored again count as new; False where it must be written for that."""
        if self._folder is None:
            return self._age(location) < YOUNG_SECONDS / 2
        try:
            os.utime(self._folder / location)
        except OSError:  # gone meanwhile, or another's
            return False
        return True

    def _age(self, location: str) -> float:
        """Seconds since a file of a remote store was written, endless where it does not tell."""
        with self._reached():
            try:
                return time.time() - float(self._filesystem.modified(self._key(location)).timestamp())
            except (NotImplementedError, AttributeError):
                return float("inf")

    def _size(self, location: str) -> int | None:
        try:
            if self._folder is not None:
                return (self._folder / location).stat().st_size
            with self._reached():
                return int(self._filesystem.info(self._key(location))["size"])
        except FileNotFoundError:
            return None

    def _key(self, location: str) -> str:
        return f"{str(self._root).rstrip('/')}/{location}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Tell in words what a filesystem elsewhere raises: each kind has exceptions of its own."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except ImportError as error:
            raise UnreachableStoreError(
                f"the media store {self.name} needs a package that is not installed: {error}",
                "install it beside anime_pipeline, or set ANIME_MEDIA_URL to another place",
            ) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise  # this machine's disk: what is fetched is copied there
            raise UnreachableStoreError(
                f"the media store {self.name} does not answer as it should: {error or type(error).__name__}",
                "see that ANIME_MEDIA_URL names it as fsspec does and that it can be reached, then try again",
            ) from error

    def _missing(self, location: str) -> MissingMediaError:
        return MissingMediaError(
            f"{location} is not in the media store {self.name}",
            "put the file back from a backup, or render the cut's take again",
        )

    def _damaged(self, location: str) -> DamagedMediaError:
        return DamagedMediaError(
            f"{location} in the media store {self.name} does not hold the bytes that its name says",
            "remove the file, then put it back from a backup or render the cut's take again",
        )


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _require(same: bool, name: str) -> None:
    if not same:
        raise DamagedMediaError(f"{name} changed while it was being stored", "store it once it is finished")


def _sha256(source: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _copy(source: IO[bytes], target: Path) -> str:
    """Copy to a new file; the sha256 of what was written."""
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while block := source.read(_BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
