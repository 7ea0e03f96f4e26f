"""One file that holds a take's recipe: graph, inputs, what rendered it, and the pictures that came out.

A zip with ``manifest.json``, ``workflow.json`` (as ComfyUI's "Export (API)" writes it, with a placeholder
for the output prefix) and ``files/<sha256><suffix>``. Every file is checked against its hash on both ways,
and copied in pieces: a film may be larger than the memory.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile
from anime_pipeline.errors import UserError
from anime_pipeline.media.atomic import whole_file
from anime_pipeline.media.store import MediaStore, StoredFile
from anime_pipeline.rendering.environment import environment_of_take
from anime_pipeline.rendering.recipes import recipe_hash
from anime_pipeline.rendering.takes import LIST_TAKES, TakeError, pruned_error, take_files
from anime_pipeline.rendering.templates import Graph
from anime_pipeline.settings import Settings
from anime_pipeline.story.context import CutKind

FORMAT, VERSION = "anime-pipeline recipe", 1
_MOST_BYTES, _MOST_TEXT_BYTES, _MOST = 64 * 1024**3, 64 * 1024**2, 2**31 - 1
_BLOCK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)  # the same take gives the same file, whenever it is exported


# What reading a file raises that is no zip, a broken one, or one under a password.
_NO_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError, OSError,
)  # fmt: skip


class RecipeFileError(UserError):
    """A recipe file that cannot be used."""


class KeptFile(BaseModel):
    """A file of the archive; ``role`` is input, film, frame or thumbnail."""

    model_config = ConfigDict(extra="forbid")
    role: str = Field(pattern="^(input|film|frame|thumbnail)$")
    position: int = Field(0, ge=0, le=_MOST)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    suffix: str = Field(pattern=r"^(\.[a-z0-9]{1,11})?$")
    kind: str = Field(pattern="^(image|video|other)$")
    width: int | None = Field(None, ge=1, le=_MOST)
    height: int | None = Field(None, ge=1, le=_MOST)
    frame_count: int | None = Field(None, ge=1, le=_MOST)
    fps: float | None = Field(None, allow_inf_nan=False)

    @property
    def name(self) -> str:
        """Where it lies in the archive."""
        return f"files/{self.sha256}{self.suffix}"


class Manifest(BaseModel):
    """What the archive says of the recipe and its take."""

    model_config = ConfigDict(extra="forbid")
    format: str
    version: int
    recipe_hash: str = Field(pattern="^[0-9a-f]{64}$")
    template_name: str = Field(max_length=100)
    template_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    inputs: dict[str, str]
    models: dict[str, list[str]]
    versions: dict[str, int]
    ingredients: dict[str, Any]
    cut_key: str
    kind: CutKind
    width: int = Field(ge=16, le=8192)
    height: int = Field(ge=16, le=8192)
    fps: int = Field(ge=1, le=240)
    duration_frames: int = Field(ge=1, le=_MOST)
    prompt: str
    negative_prompt: str | None
    take_number: int
    pixels_sha256: str | None = Field(pattern="^[0-9a-f]{64}$")
    server_kind: str | None
    environment: dict[str, Any] | None
    files: list[KeptFile]


@dataclass(frozen=True)
class ReadRecipe:
    """A recipe file that has been read and checked: its manifest and its graph. Its files stay in it."""

    manifest: Manifest
    workflow: Graph
    path: Path

    def put_into(self, store: MediaStore, file: KeptFile) -> StoredFile:
        """Bring one of its files into a store. Raises :class:`RecipeFileError` where it has changed since."""
        with tempfile.TemporaryDirectory(prefix="anime-pipeline-") as folder:
            copy = Path(folder) / "file"
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(file.name) as source,
                copy.open("wb") as target,
            ):
                shutil.copyfileobj(source, target, _BLOCK)
            stored = store.put_file(copy, file.suffix)
        if stored.sha256 != file.sha256:
            raise RecipeFileError(f"{self.path} was changed while it was read", "import it again")
        return stored


_TAKE = text("""
    SELECT r.recipe_hash, r.template_name, r.template_sha256, r.workflow, r.inputs, r.models, r.versions,
           t.ingredients, t.take_number, t.pixels_sha256, t.server_kind, p.cut_key, p.kind, c.duration_frames,
           t.pruned_at, j.status, j.prompt, j.negative_prompt, COALESCE(g.fps, p.fps) AS fps,
           COALESCE(g.width, o.width) AS width, COALESCE(g.height, o.height) AS height
    FROM studio.takes t
    JOIN jobs j ON j.id = t.job_id
    JOIN studio.recipes r USING (recipe_hash)
    JOIN studio.cut_profiles p ON p.cut_id = t.cut_id
    JOIN studio.project_profiles o ON o.project_id = p.project_id
    JOIN cuts c ON c.id = t.cut_id
    LEFT JOIN LATERAL (
        SELECT width, height, fps FROM generation_params WHERE job_id = t.job_id ORDER BY id DESC LIMIT 1
    ) g ON TRUE
    WHERE t.job_id = :job_id
""")


def write_recipe_file(session: Session, settings: Settings, job_id: int, path: Path) -> Manifest:
    """Write a finished take's recipe, with its inputs and its pictures, into one file.

    Raises :class:`~anime_pipeline.rendering.takes.TakeError`, and :class:`RecipeFileError` where the file
    cannot be written; what had its name before is then as it was.
    """
    row = session.execute(_TAKE, {"job_id": job_id}).one_or_none()
    if row is None:
        raise TakeError(f"job {job_id} is no take", LIST_TAKES)
    if row.status != "completed":
        raise TakeError(f"take {job_id} is not finished ({row.status})", "render it first")
    if row.pruned_at is not None:
        raise pruned_error(job_id)
    taken = dict(row._mapping)
    taken.pop("pruned_at")
    workflow = taken.pop("workflow")
    taken.pop("status")
    taken["duration_frames"] = taken["duration_frames"] or 1
    taken["prompt"] = taken["prompt"] or ""
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        environment=environment_of_take(session, job_id),
        files=[*_inputs(session, row.inputs), *_pictures(session, job_id)],
        **taken,
    )
    try:
        with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            _fill(archive, MediaStore.of(settings), manifest, workflow)
    except OSError as error:
        raise RecipeFileError(
            f"{path} cannot be written: {error.strerror or error}", "name a file that you may write"
        ) from error
    return manifest


def read_recipe_file(path: Path) -> ReadRecipe:
    """Read and check a recipe file; raises :class:`RecipeFileError` that says what is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise RecipeFileError(f"{path} is larger than any recipe", "export it again")
            manifest = Manifest.model_validate(_told(archive, "manifest.json"))
            workflow = _told(archive, "workflow.json")
            damaged = [one.name for one in manifest.files if _sha256_in(archive, one.name) != one.sha256]
    except FileNotFoundError:
        raise RecipeFileError(f"there is no file {path}", "anime-pipeline recipe export JOB FILE") from None
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5])
        raise RecipeFileError(f"{path} has a manifest that is none: {said}", "export it again") from None
    except _NO_ARCHIVE as error:
        raise RecipeFileError(f"{path} is no recipe file: {error}", "export it again") from None
    _check(path, manifest, workflow, damaged)
    return ReadRecipe(manifest, workflow, path)


def _check(path: Path, manifest: Manifest, workflow: Any, damaged: list[str]) -> None:
    if manifest.format != FORMAT or manifest.version != VERSION:
        raise RecipeFileError(
            f"{path} is a {manifest.format} of version {manifest.version}, not one of {VERSION}",
            "install the version of anime-pipeline that wrote it",
        )
    if damaged:
        said = ", ".join(sorted({name.removeprefix("files/")[:12] for name in damaged}))
        raise RecipeFileError(f"{path} holds damaged files: {said}", "export it again")
    missing = set(manifest.inputs.values()) - {file.sha256 for file in manifest.files if file.role == "input"}
    if missing:
        raise RecipeFileError(f"{path} lacks {len(missing)} of its input pictures", "export it again")
    try:
        found = recipe_hash(cast(Graph, workflow), manifest.inputs, manifest.versions)
    except (KeyError, TypeError, AttributeError, ValueError):
        found = ""
    if found != manifest.recipe_hash:
        raise RecipeFileError(f"{path} holds another graph than its manifest says", "export it again")


def _inputs(session: Session, inputs: Mapping[str, str]) -> list[KeptFile]:
    rows = session.scalars(select(MediaFile).where(MediaFile.sha256.in_(set(inputs.values()))))
    return [
        KeptFile(
            role="input", sha256=row.sha256, suffix=row.suffix, kind=row.kind, width=row.width,
            height=row.height, frame_count=row.frame_count, fps=row.fps,
        )
        for row in sorted(rows, key=lambda row: row.sha256)
    ]  # fmt: skip


def _pictures(session: Session, job_id: int) -> list[KeptFile]:
    fields = KeptFile.model_fields
    return [
        KeptFile.model_validate({name: value for name, value in asdict(file).items() if name in fields})
        for file in take_files(session, [job_id]).get(job_id, [])
    ]


def _fill(archive: zipfile.ZipFile, store: MediaStore, manifest: Manifest, workflow: Graph) -> None:
    for name, told in (("manifest.json", manifest.model_dump(mode="json")), ("workflow.json", workflow)):
        archive.writestr(zipfile.ZipInfo(name, _DATE), _json(told))
    for file in {file.name: file for file in manifest.files}.values():
        with (
            store.open(file.sha256, file.suffix) as source,
            archive.open(zipfile.ZipInfo(file.name, _DATE), "w", force_zip64=True) as target,
        ):
            shutil.copyfileobj(source, target, _BLOCK)


def _told(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > _MOST_TEXT_BYTES:
        raise ValueError(f"{name} is larger than any")
    raw = archive.read(name)
    if b"\\u0000" in raw:
        raise ValueError(f"{name} holds a NUL, which no text of a recipe has")
    return json.loads(raw)


def _sha256_in(archive: zipfile.ZipFile, name: str) -> str:
    digest = sha256()
    with archive.open(name) as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).encode("utf-8")
