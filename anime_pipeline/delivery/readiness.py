"""Which scenes and episodes have no film of what they now show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from anime_pipeline.database.models import CutProfile, ProjectProfile, Take
from anime_pipeline.delivery.ledger import find_deliveries
from anime_pipeline.delivery.takes import selected_takes
from anime_pipeline.delivery.timeline import complete_content, load_timeline
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline.story.timings import load_cut_timings


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
    lacking = _scopes_without_a_take(session) if complete_only else set()
    scopes = [key for key in scope_keys if key not in lacking]
    contents = _complete_contents(session, scopes)
    for key in scopes if not complete_only else ():
        if key not in contents:
            contents[key] = load_timeline(session, key).content_sha256(burn_subtitles=False)
    delivered = find_deliveries(session, MediaStore.of(settings), kind, contents)
    return {key: contents[key] for key in scopes if key in contents and key not in delivered}


def _complete_contents(session: Session, scope_keys: Collection[str]) -> dict[str, str]:
    """The content hash of each of these scenes or episodes that needs no slate; five queries."""
    cut_keys: dict[str, list[str]] = {}
    for cut_key in active_cut_keys(session):
        scene, _, _ = cut_key.rpartition(".")
        for scope in (scene, scene.rpartition(".")[0]):
            cut_keys.setdefault(scope, []).append(cut_key)
    scopes = {key: cut_keys[key] for key in scope_keys if key in cut_keys}
    timings = load_cut_timings(session, {cut for cuts in scopes.values() for cut in cuts})
    takes = selected_takes(session, [timing.cut_id for timing in timings.values()])
    profiles = {profile.project_id: profile for profile in session.scalars(select(ProjectProfile))}
    contents = {}
    for key, cuts in scopes.items():
        shown = [(timings[cut], takes.get(timings[cut].cut_id)) for cut in cuts]
        taken = [(timing, take) for timing, take in shown if take is not None]
        if len(taken) == len(shown):
            contents[key] = complete_content(profiles[shown[0][0].project_id], taken)
    return contents


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
