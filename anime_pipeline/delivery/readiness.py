"""Which scenes and episodes have no film of what they now show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, Take
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
    lacking = _scopes_without_a_take(session) if complete_only else set()
    for key in scope_keys:
        if key in lacking:
            continue
        timeline = load_timeline(session, key)
        content = timeline.content_sha256(burn_subtitles=False)
        ready = not (complete_only and timeline.slates)
        if ready and find_delivery(session, store, key, kind, content) is None:
            outdated[key] = content
    return outdated


def _scopes_without_a_take(session: Session) -> set[str]:
    """Scenes and episodes with a cut that has no selected take; one query, however many there are."""
    lacking = session.scalars(
        select(CutProfile.cut_key).where(
            CutProfile.omitted_at.is_(None),
            ~exists().where(Take.cut_id == CutProfile.cut_id, Take.selected),
        )
    )
    scenes = {key.rpartition(".")[0] for key in lacking}
    return scenes | {key.rpartition(".")[0] for key in scenes}
