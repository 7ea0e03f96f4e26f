"""The take that stands for a cut, with its files and frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import MediaFile, Take, TakeMedia
from anime_pipeline.media.film import Frame, iter_frames
from anime_pipeline.media.store import MediaStore

# Animated pictures store whole milliseconds, so their rate is a little off; a real difference is larger.
_RATE_TOLERANCE = 0.05


@dataclass(frozen=True)
class TakeFile:
    """A film or a picture of a take."""

    sha256: str
    suffix: str
    frame_count: int | None
    fps: float | None


@dataclass(frozen=True)
class ShownTake:
    """A take with the files that show it: one film, or its pictures in order."""

    job_id: int
    cut_id: int
    take_number: int
    selected: bool
    pixels_sha256: str | None
    files: tuple[TakeFile, ...]

    @property
    def pixels(self) -> str:
        """What the take shows, as a hash: of its pixels where they are known, else of its files."""
        return self.pixels_sha256 or ",".join(file.sha256 for file in self.files)

    def frames(self, store: MediaStore) -> Iterator[Frame]:
        """The take's frames in order, one in memory at a time."""
        for file in self.files:
            yield from iter_frames(store.local_path(file.sha256, file.suffix))

    def rate(self, cut_fps: int) -> Fraction:
        """The take's frame rate: the cut's, unless the film was clearly rendered at another."""
        film_fps = self.files[0].fps
        if film_fps is None or abs(film_fps - cut_fps) <= _RATE_TOLERANCE * cut_fps:
            return Fraction(cut_fps)
        return Fraction(film_fps).limit_denominator(1001)


def selected_takes(session: Session, cut_ids: Collection[int]) -> dict[int, ShownTake]:
    """The selected take of each cut that has one with files, by cut id; two queries."""
    return _with_files(session, _finished(session, cut_ids, Take.selected.is_(True)))


def selected_or_newest_takes(session: Session, cut_ids: Collection[int]) -> dict[int, ShownTake]:
    """The selected take of each cut, or the newest that has files, by cut id; two queries."""
    chosen: dict[int, Row[Any]] = {}
    for take in _finished(session, cut_ids):
        chosen.setdefault(take.cut_id, take)
    return _with_files(session, list(chosen.values()))


def _finished(session: Session, cut_ids: Collection[int], *which: ColumnElement[bool]) -> list[Row[Any]]:
    """Takes that have files in the store, the selected one of each cut first, then the newest."""
    has_files = exists().where(TakeMedia.job_id == Take.job_id, TakeMedia.role.in_(("film", "frame")))
    query = select(Take.job_id, Take.cut_id, Take.take_number, Take.selected, Take.pixels_sha256).where(
        Take.cut_id.in_(cut_ids),
        has_files,
        Take.reproduces_job_id.is_(None),
        Take.pruned_at.is_(None),
        *which,
    )
    order = (Take.cut_id, Take.selected.desc(), Take.take_number.desc())
    return list(session.execute(query.order_by(*order)))


def _with_files(session: Session, takes: list[Row[Any]]) -> dict[int, ShownTake]:
    file_columns = (MediaFile.sha256, MediaFile.suffix, MediaFile.frame_count, MediaFile.fps)
    query = (
        select(TakeMedia.job_id, TakeMedia.role, *file_columns)
        .join(MediaFile, MediaFile.sha256 == TakeMedia.sha256)
        .where(TakeMedia.job_id.in_([take.job_id for take in takes]), TakeMedia.role.in_(("film", "frame")))
        .order_by(TakeMedia.job_id, TakeMedia.role, TakeMedia.position)
    )
    files: dict[int, dict[str, list[TakeFile]]] = {}
    for row in session.execute(query):
        file = TakeFile(row.sha256, row.suffix, row.frame_count, row.fps)
        files.setdefault(row.job_id, {}).setdefault(row.role, []).append(file)
    return {
        take.cut_id: ShownTake(
            take.job_id,
            take.cut_id,
            take.take_number,
            take.selected,
            take.pixels_sha256,
            # A film shows all of a take; its single pictures are then only extracts.
            tuple(files[take.job_id].get("film") or files[take.job_id]["frame"]),
        )
        for take in takes
    }
