"""Films from timelines: encoded once for each content, then found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.orm import Session

from anime_pipeline.delivery.export import export
from anime_pipeline.delivery.ledger import find_delivery, record_delivery, record_media
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.screening import screen
from anime_pipeline.delivery.shown_takes import record_shown_takes
from anime_pipeline.delivery.timeline import Timeline
from anime_pipeline.media.film import FilmWriter, MediaInfo
from anime_pipeline.media.scratch import remove_dead_folders, scratch_folder
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.override_log import Override
from anime_pipeline.settings import Settings


def deliver_film(
    session: Session,
    settings: Settings,
    scope_key: str,
    kind: Literal["reel", "master"],
    timeline: Timeline,
    burn_subtitles: bool,
    draft: bool = False,
    overrides: Sequence[Override] = (),
) -> DeliveryResult:
    """Encode the timeline unless the same film was delivered before; record it and export it.

    ``overrides`` opened gates that the film answers to, and are recorded with it. A ``draft`` is exported
    under a name of its own and isn't recorded: nothing was delivered by it.
    """
    store = MediaStore.of(settings)
    content = timeline.content_sha256(burn_subtitles)
    known = find_delivery(session, store, scope_key, kind, content)
    sha256 = known.sha256 if known else _encode(session, settings, store, timeline, burn_subtitles)
    if not draft:
        record_delivery(session, scope_key, kind, sha256, content, overrides)
        record_shown_takes(session, scope_key, kind, [cut.take.job_id for cut in timeline.cuts if cut.take])
    name = f"{scope_key}{'.draft' if draft else ''}{'.subtitled' if burn_subtitles else ''}.mp4"
    return DeliveryResult(
        scope_key=scope_key,
        path=export(settings, store, sha256, ".mp4", scope_key, name),
        sha256=sha256,
        content_sha256=content,
        frame_count=timeline.frame_count,
        duration_seconds=timeline.frame_count / timeline.fps,
        built=known is None,
        slates=timeline.slates,
        overrides=tuple(f"{override.phase} {override.said}" for override in overrides),
    )


def _encode(
    session: Session, settings: Settings, store: MediaStore, timeline: Timeline, burn_subtitles: bool
) -> str:
    remove_dead_folders(settings.home)  # a killed build leaves as much as the film that it was at
    with scratch_folder(settings.home, "film-") as folder:
        path = folder / "film.mp4"
        with FilmWriter(path, timeline.width, timeline.height, timeline.fps) as writer:
            for frame in screen(timeline, store, burn_subtitles):
                writer.write(frame)
        stored = store.put_file(path)
    info = MediaInfo("video", writer.width, writer.height, writer.frame_count, float(writer.fps), "h264")
    record_media(session, stored, "video", info)
    return stored.sha256
