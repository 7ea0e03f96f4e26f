"""Episode masters: all scenes of an episode as one film, with its dialogue as subtitles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from anime_pipeline.delivery.export import export
from anime_pipeline.delivery.films import deliver_film
from anime_pipeline.delivery.ledger import record_delivery, record_media
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.timeline import Timeline, load_timeline
from anime_pipeline.media.store import MediaStore
from anime_pipeline.media.subtitles import write_srt
from anime_pipeline.quality.override_log import Override
from anime_pipeline.settings import Settings
from anime_pipeline.story.keys import EpisodeKey


def build_master(
    session: Session,
    settings: Settings,
    episode_key: str,
    burn_subtitles: bool = False,
    draft: bool = False,
    overrides: Sequence[Override] = (),
) -> DeliveryResult:
    """Build an episode's master and its SRT, or find the film that shows the same.

    Whether it may be built is for the caller to ask the gates; ``overrides`` are those that opened them.
    The SRT is written in either case; ``burn_subtitles`` draws the dialogue into the picture as well, in a
    film of another name, and so is a ``draft``, which is no delivery. Slates and errors as for
    :func:`~anime_pipeline.delivery.reels.build_reel`.
    """
    key = str(EpisodeKey.parse(episode_key))
    timeline = load_timeline(session, key)
    result = deliver_film(session, settings, key, "master", timeline, burn_subtitles, draft, overrides)
    return dataclasses.replace(result, subtitles=_deliver_subtitles(session, settings, key, timeline))


def _deliver_subtitles(session: Session, settings: Settings, episode_key: str, timeline: Timeline) -> Path:
    store = MediaStore.of(settings)
    stored = store.put_bytes(write_srt(timeline.subtitles, timeline.fps).encode(), ".srt")
    record_media(session, stored, "subtitles")
    record_delivery(session, episode_key, "subtitles", stored.sha256, stored.sha256)
    return export(settings, store, stored.sha256, ".srt", episode_key, f"{episode_key}.srt")
