"""Takes are measured: each decoded once, streamed through every engine its phases ask, and recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Measurement, Take
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.errors import MediaError, UnreachableStoreError
from anime_pipeline.media.film import iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.engines.media_contract import METRIC as CONTRACT
from anime_pipeline.quality.engines.protocol import Provenance, Score, TakeFacts
from anime_pipeline.quality.engines.registry import Resolved, resolve
from anime_pipeline.quality.engines.stream import EngineStream
from anime_pipeline.quality.evidence import FINISHED
from anime_pipeline.quality.facts import TakeToMeasure, load_takes
from anime_pipeline.quality.phases import Phase, load_phases, metrics_asked, phase_of_take
from anime_pipeline.quality.recording import record_scores
from anime_pipeline.settings import Settings

MOST_WORKERS = 4

Outcome = Literal["measured", "unchanged", "failed"]


@dataclass(frozen=True)
class MeasuredTake:
    """What became of one take. ``scores`` are those that were made now; ``reason`` says why a take failed."""

    job_id: int
    cut_key: str | None
    outcome: Outcome
    scores: Mapping[str, Score] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class MeasureReport:
    """A batch, in the order of cut keys."""

    takes: tuple[MeasuredTake, ...]

    def with_outcome(self, outcome: Outcome) -> tuple[MeasuredTake, ...]:
        """The takes that came out so."""
        return tuple(take for take in self.takes if take.outcome == outcome)


@dataclass(frozen=True)
class MeasureEvent:
    """One more take is done: ``done`` of ``total``."""

    take: MeasuredTake
    done: int
    total: int


OnEvent = Callable[[MeasureEvent], None]


@dataclass(frozen=True)
class _Work:
    """``known_damage``: nothing is measured but whether the take can be read that could not be for this."""

    take: TakeToMeasure
    phase: Phase
    needed: Resolved
    known_damage: str | None = None


def measure_takes(
    session: Session, settings: Settings, job_ids: Sequence[int], on_event: OnEvent | None = None
) -> MeasureReport:
    """Measure finished takes, and record what is new.

    A metric that is stored with the same backend, version, weights and settings is not measured again; an
    unavailable one is, once it has become available. A take that is damaged or gone scores 0 in
    media_contract and costs no other take; it is read again each time, since its file may be back from a
    backup, and recorded anew where that tells something else. One that is not finished, that nothing is known
    of because the media store or the disk does not answer, or whose recording fails, is reported as failed.

    The session is read from, at the beginning. Each take is recorded in a short transaction of its own, so
    what is done stays done if this is interrupted; what the caller has not committed cannot be measured.
    """
    work, done = _plan(session, settings, job_ids)
    report: list[MeasuredTake] = []
    total = len(work) + len(done)

    def tell(take: MeasuredTake) -> None:
        report.append(take)
        if on_event:
            on_event(MeasureEvent(take, len(report), total))

    for take in done:
        tell(take)
    store = MediaStore.of(settings)
    for one, scores in _measured(work, store):
        tell(scores if isinstance(scores, MeasuredTake) else _record(settings, one, scores))
    return MeasureReport(tuple(sorted(report, key=lambda take: (take.cut_key or "", take.job_id))))


def _plan(
    session: Session, settings: Settings, job_ids: Sequence[int]
) -> tuple[list[_Work], list[MeasuredTake]]:
    """What is to be measured, and the takes that are done already: unchanged, or not to be measured."""
    takes = load_takes(session, job_ids)
    pruned = set(
        session.scalars(select(Take.job_id).where(Take.job_id.in_(job_ids), Take.pruned_at.is_not(None)))
    )
    phases = load_phases(session, {take.project_id for take in takes})
    stored = _stored(session, [take.job_id for take in takes])
    work = []
    done = [
        MeasuredTake(job_id, None, "failed", reason=f"job {job_id} is no take")
        for job_id in dict.fromkeys(job_ids)
        if job_id not in {take.job_id for take in takes}
    ]
    for take in takes:
        if take.status not in FINISHED:
            reason = f"the take is not finished: {take.status or 'no status'}"
            done.append(MeasuredTake(take.job_id, take.cut_key, "failed", reason=reason))
            continue
        if take.job_id in pruned:  # what was measured while it had media stays
            reason = f"its media were pruned: anime-pipeline reproduce {take.job_id}"
            done.append(MeasuredTake(take.job_id, take.cut_key, "failed", reason=reason))
            continue
        own = phases[take.project_id]
        asked = metrics_asked(own, take.facts.kind, bool(take.facts.figures))
        resolved = resolve(asked, take.facts, settings.models_path)
        known = stored.get(take.job_id, {})
        needed = _needed(resolved, take.facts, known)
        phase = phase_of_take(own, take.facts.kind, take.facts.server_kind)
        damage = known[CONTRACT].damage if CONTRACT in known else None
        if needed.engines or needed.unavailable:
            work.append(_Work(take, phase, _with_frames(needed, resolved) if damage else needed))
        elif damage:
            work.append(_Work(take, phase, _with_frames(needed, resolved), damage))
        else:
            done.append(MeasuredTake(take.job_id, take.cut_key, "unchanged"))
    return work, done


def _stored(session: Session, job_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    columns = (
        Measurement.job_id,
        Measurement.metric_name,
        Measurement.state,
        Measurement.reason,
        Measurement.backend,
        Measurement.backend_version,
        Measurement.weights_sha256,
        Measurement.settings,
        Measurement.details["broken"]["decodable"].astext.label("damage"),
    )
    found: dict[int, dict[str, Any]] = {}
    for row in session.execute(select(*columns).where(Measurement.job_id.in_(job_ids))):
        found.setdefault(row.job_id, {})[row.metric_name] = row
    return found


def _needed(resolved: Resolved, facts: TakeFacts, stored: Mapping[str, Any]) -> Resolved:
    """What of the resolved metrics is not stored yet; what was measured is never replaced by an absence."""
    engines = [
        engine
        for engine in resolved.engines
        if not (row := stored.get(engine.metric))
        or row.state == "unavailable"
        or not _same(row, engine.provenance(facts))
    ]
    unavailable = {
        name: score
        for name, score in resolved.unavailable.items()
        if not (row := stored.get(name)) or (row.state == "unavailable" and row.reason != score.reason)
    }
    return Resolved(tuple(engines), unavailable)


def _with_frames(needed: Resolved, resolved: Resolved) -> Resolved:
    """What is needed, and whatever is told by the frames of a take that could not be read."""
    engines = [engine for engine in resolved.engines if engine in needed.engines or engine.reads_frames]
    return Resolved(tuple(engines), needed.unavailable)


def _same(row: Any, provenance: Provenance) -> bool:
    return (row.backend, row.backend_version, row.weights_sha256, row.settings) == (
        provenance.backend,
        provenance.version,
        provenance.weights_sha256,
        dict(provenance.settings),
    )


def _measured(
    work: Sequence[_Work], store: MediaStore
) -> Iterator[tuple[_Work, dict[str, Score] | MeasuredTake]]:
    """The work with its scores, or its failure, as each take is done; numpy and OpenCV free the GIL.

    A few takes are measured at a time.
    """
    workers = max(1, min(MOST_WORKERS, os.cpu_count() or 1, len(work)))
    with ThreadPoolExecutor(workers, thread_name_prefix="measure") as pool:
        waiting = iter(work)
        running: list[tuple[_Work, Future[dict[str, Score]]]] = [
            (one, pool.submit(_scores, one, store)) for one in islice(waiting, workers)
        ]
        while running:
            one, future = running.pop(0)
            scores = _outcome(one, future)
            running += [(more, pool.submit(_scores, more, store)) for more in islice(waiting, 1)]
            yield one, scores


def _outcome(work: _Work, future: Future[dict[str, Score]]) -> dict[str, Score] | MeasuredTake:
    try:
        return future.result()
    except (UnreachableStoreError, OSError) as error:
        reason = f"its media could not be read: {error}"
        return MeasuredTake(work.take.job_id, work.take.cut_key, "failed", reason=reason)


def _scores(work: _Work, store: MediaStore) -> dict[str, Score]:
    """Every score that a take needs, by one decoding of it."""
    stream = EngineStream(work.needed.engines, work.take.facts)
    damage = None
    if any(engine.reads_frames for engine in work.needed.engines):
        damage = _feed(stream, work.take, store)
    return {**work.needed.unavailable, **stream.finish(damage)}


def _feed(stream: EngineStream, take: TakeToMeasure, store: MediaStore) -> str | None:
    """Stream a take's frames; why they ended too early, or None.

    Raises UnreachableStoreError and OSError, which say nothing about the take.
    """
    if not take.media:
        return "no film and no frame is recorded for it"
    try:
        for sha256, suffix in take.media:
            for frame in iter_frames(store.local_path(sha256, suffix)):
                stream.add(frame)
    except UnreachableStoreError:
        raise
    except MediaError as error:
        return f"{error}; once it is back from a backup: anime-pipeline measure {take.cut_key}"
    except ValueError as error:
        return str(error)
    return None


def _record(settings: Settings, work: _Work, scores: Mapping[str, Score]) -> MeasuredTake:
    take = work.take
    if work.known_damage is not None and work.known_damage == _damage(scores):
        return MeasuredTake(take.job_id, take.cut_key, "unchanged")
    try:
        with session_scope(settings) as session:
            record_scores(session, take.job_id, scores, work.phase)
    except SQLAlchemyError as error:
        reason = f"its scores could not be recorded: {error}"
        return MeasuredTake(take.job_id, take.cut_key, "failed", scores, reason)
    return MeasuredTake(take.job_id, take.cut_key, "measured", scores)


def _damage(scores: Mapping[str, Score]) -> str | None:
    """Why the take could not be read to its end, as its contract says it."""
    broken: Any = scores[CONTRACT].details.get("broken", {}) if CONTRACT in scores else {}
    damage: str | None = broken.get("decodable")
    return damage
