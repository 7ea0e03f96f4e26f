"""Which scenes and episodes have no film of what they now show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy.orm import Session

from anime_pipeline.delivery.ledger import find_delivery
from anime_pipeline.delivery.timeline import load_timeline
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings


def outdated_films(
    session: Session,
    settings: Settings,
    kind: Literal["reel", "master"],
    scope_keys: Iterable[str],
    complete_only: bool = False,
) -> dict[str, str]:
    """Scope key → content hash of each film that is not built for what its scope shows now.

    ``complete_only`` passes over scopes that would need a slate.
    """
    store = MediaStore.of(settings)
    outdated = {}
    for key in scope_keys:
        timeline = load_timeline(session, key)
        content = timeline.content_sha256(burn_subtitles=False)
        ready = not (complete_only and timeline.slates)
        if ready and find_delivery(session, store, key, kind, content) is None:
            outdated[key] = content
    return outdated
