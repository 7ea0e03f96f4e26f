"""Scene reels: the selected takes of a scene's cuts in story order, as one film."""

from __future__ import annotations

from sqlalchemy.orm import Session

from anime_pipeline.delivery.films import deliver_film
from anime_pipeline.delivery.results import DeliveryResult
from anime_pipeline.delivery.timeline import load_timeline
from anime_pipeline.settings import Settings
from anime_pipeline.story.keys import SceneKey


def build_reel(
    session: Session, settings: Settings, scene_key: str, burn_subtitles: bool = False, draft: bool = False
) -> DeliveryResult:
    """Build a scene's reel, or find the one that shows the same.

    A cut without a selected take gets a slate, so a reel can always be built; whether it may be is for the
    caller to ask the gates. A ``draft`` has another name and is no delivery. Raises :class:`DeliveryError`
    for a scene without cuts and :class:`~anime_pipeline.media.errors.MediaError` for a take whose file is
    lost or damaged.
    """
    key = str(SceneKey.parse(scene_key))
    return deliver_film(session, settings, key, "reel", load_timeline(session, key), burn_subtitles, draft)
