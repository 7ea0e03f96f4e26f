"""Pictures of what failed: the worst frame of a take, decoded from its film."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.media.atomic import whole_file
from anime_pipeline.media.errors import MediaError, MissingMediaError
from anime_pipeline.media.film import Frame, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.facts import media_of_takes
from anime_pipeline.quality.judging import Failing
from anime_pipeline.settings import Settings

LARGEST = 320
"""Pixels of a picture's longer side."""


@dataclass(frozen=True)
class FailingPicture:
    """The picture of a failing metric, or why there is none. ``media_sha256`` is the file that it is from."""

    path: Path | None
    media_sha256: str | None
    reason: str | None = None


def worst_frames(
    session: Session, store: MediaStore, wanted: Mapping[int, Collection[int]]
) -> dict[tuple[int, int], Frame | MediaError]:
    """Frames of takes by job id and number, or why there is none; each take is decoded once and no further
    than its last wanted frame.
    """
    media = media_of_takes(session, list(wanted))
    found: dict[tuple[int, int], Frame | MediaError] = {}
    for job_id, numbers in wanted.items():
        files = [(file.sha256, file.suffix) for file in media.get(job_id, ())]
        missing: MediaError = MissingMediaError(f"take {job_id} has no such frame", "look at the take itself")
        try:
            found |= {(job_id, number): frame for number, frame in _frames(store, files, numbers)}
        except MediaError as error:
            missing = error
        found |= {(job_id, number): missing for number in numbers if (job_id, number) not in found}
    return found


def write_worst_frames(
    session: Session, settings: Settings, failing: Iterable[Failing]
) -> dict[tuple[int, int | None], FailingPicture]:
    """A PNG in the home for each take and worst frame among these, by job id and frame.

    A take is never overwritten, so a picture that is there already is the right one.
    """
    entries = list(failing)
    folder = settings.home / "pictures" / "worst-frames"
    paths = {
        (one.job_id, one.worst_frame): folder
        / f"{one.cut_key}.t{one.take_number:02d}.f{one.worst_frame or 0:05d}.png"
        for one in entries
    }
    wanted: dict[int, set[int]] = {}
    for (job_id, frame), path in paths.items():
        if not path.is_file():
            wanted.setdefault(job_id, set()).add(frame or 0)
    drawn = worst_frames(session, MediaStore.of(settings), wanted)
    media = media_of_takes(session, [one.job_id for one in entries])
    pictures = {}
    for (job_id, frame), path in paths.items():
        source = next((file.sha256 for file in media.get(job_id, ())), None)
        made = drawn.get((job_id, frame or 0))
        if isinstance(made, MediaError):
            pictures[job_id, frame] = FailingPicture(None, source, str(made))
            continue
        if made is not None:
            with whole_file(path) as temporary:
                temporary.write_bytes(_png(made))
        pictures[job_id, frame] = FailingPicture(path, source)
    return pictures


def _frames(
    store: MediaStore, files: list[tuple[str, str]], numbers: Collection[int]
) -> Iterable[tuple[int, Frame]]:
    last, number = max(numbers), 0
    for sha256, suffix in files:
        for frame in iter_frames(store.local_path(sha256, suffix)):
            if number in numbers:
                yield number, frame
            if number == last:
                return
            number += 1


def _png(frame: Frame) -> bytes:
    picture = Image.fromarray(np.ascontiguousarray(frame))
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
