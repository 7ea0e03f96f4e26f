"""How far a take's first frame looks from the last frame of the take before it: measured once, then kept.

It is LPIPS by the backend of ``loop_closure``, which measures the same of a film's own ends. Without its
weights there is no distance, and the reason is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from anime_pipeline.database.models import ContinuityDistance, MediaFile, Take
from anime_pipeline.media.errors import MediaError
from anime_pipeline.media.film import Frame
from anime_pipeline.media.film_ends import first_frame, last_frame
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.engines.protocol import Engine, Provenance, Score, TakeFacts
from anime_pipeline.quality.engines.registry import resolve
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.evidence import FRESH
from anime_pipeline.rendering.takes import TakeFile, take_files
from anime_pipeline.review.formula import Found
from anime_pipeline.settings import Settings

METRIC = "loop_closure"
_FACTS = TakeFacts("loop")

Pair = tuple[int, int]
"""Job ids: the take before, the take after."""


def continuity_of(session: Session, settings: Settings, pairs: Collection[Pair]) -> dict[Pair, Found]:
    """The distance of each pair of takes, 0 for the same frame, or why there is none.

    What is stored with the same backend, version and weights is not measured again. Decodes the two frames of
    each other pair and nothing else; a frame of another size than the take's is scaled to it.
    """
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    resolved = resolve([METRIC], _FACTS, settings.models_path)
    if not resolved.engines:
        lack = resolved.unavailable[METRIC]
        return dict.fromkeys(wanted, Found(None, lack.reason, lack.remedy))
    [engine] = resolved.engines
    found = _stored(session, wanted, engine.provenance(_FACTS))
    ends = _Ends(session, settings, [pair for pair in wanted if pair not in found])
    for pair in wanted:
        if pair not in found:
            found[pair] = _measured(session, engine, ends, pair)
    return found


def _measured(session: Session, engine: Engine, ends: _Ends, pair: Pair) -> Found:
    try:
        before, after = ends.last(pair[0]), ends.first(pair[1])
    except (MediaError, OSError, ValueError) as error:
        return Found(None, str(error), error.remedy if isinstance(error, MediaError) else None)
    score = _distance(engine, before, after)
    if score.value is None:
        return Found(None, score.reason, score.remedy)
    distance = max(0.0, score.value)  # of equal frames it may be a rounding error below zero
    values = {
        "backend_version": score.provenance.version,
        "weights_sha256": score.provenance.weights_sha256,
        "settings": dict(score.provenance.settings),
        "distance": distance,
    }
    keys = {"before_job_id": pair[0], "job_id": pair[1], "backend": score.provenance.backend}
    statement = insert(ContinuityDistance).values(**keys, **values)
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=values))
    return Found(distance)


def _distance(engine: Engine, before: Frame, after: Frame) -> Score:
    if before.shape != after.shape:
        size = (after.shape[1], after.shape[0])
        before = np.asarray(Image.fromarray(before).resize(size, Image.Resampling.LANCZOS))
    stream = EngineStream([engine], _FACTS)
    stream.add(after)
    stream.add(before)
    return stream.finish()[METRIC]


class _Ends:
    """The first and last frames of takes, each decoded at most once."""

    def __init__(self, session: Session, settings: Settings, pairs: Collection[Pair]) -> None:
        self._store = MediaStore.of(settings)
        self._files = take_files(session, {job_id for pair in pairs for job_id in pair})
        self._kept = _kept_last_frames(session, {pair[0] for pair in pairs})
        self._last: dict[int, Frame] = {}

    def first(self, job_id: int) -> Frame:
        """The take's first frame. Raises :class:`MediaError`."""
        return self._read(first_frame, self._shown(job_id)[0])

    def last(self, job_id: int) -> Frame:
        """The take's last frame: the picture kept of it, else decoded. Raises :class:`MediaError`."""
        if job_id not in self._last:
            if job_id in self._kept:
                sha256, suffix = self._kept[job_id]
                self._last[job_id] = last_frame(self._store.local_path(sha256, suffix))
            else:
                self._last[job_id] = self._read(last_frame, self._shown(job_id)[-1])
        return self._last[job_id]

    def _shown(self, job_id: int) -> list[TakeFile]:
        files = self._files.get(job_id, [])
        shown = [file for file in files if file.role == "film"] or [f for f in files if f.role == "frame"]
        if not shown:
            raise MediaError(f"take {job_id} has no film and no frame")
        return shown

    def _read(self, end: Callable[[Path], Frame], file: TakeFile) -> Frame:
        return end(self._store.local_path(file.sha256, file.suffix))


def _kept_last_frames(session: Session, job_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    rows = session.execute(
        select(Take.job_id, MediaFile.sha256, MediaFile.suffix)
        .join(MediaFile, MediaFile.sha256 == Take.last_frame_sha256)
        .where(Take.job_id.in_(job_ids))
    )
    return {job_id: (sha256, suffix) for job_id, sha256, suffix in rows}


def _stored(session: Session, pairs: Collection[Pair], provenance: Provenance) -> dict[Pair, Found]:
    row = ContinuityDistance
    query = select(row).where(
        row.backend == provenance.backend, tuple_(row.before_job_id, row.job_id).in_(pairs)
    )
    same = (provenance.version, provenance.weights_sha256, dict(provenance.settings))
    return {
        (one.before_job_id, one.job_id): Found(one.distance)
        for one in session.scalars(query, execution_options=FRESH)
        if (one.backend_version, one.weights_sha256, one.settings) == same
    }
