"""Which films are out of date, asked of many scopes at once: the same as asking each film's own timeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.database.models import Delivery
from anime_pipeline.delivery.readiness import outdated_films
from anime_pipeline.delivery.timeline import load_timeline
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys, active_scene_keys
from anime_pipeline.story.loader import load_cut_contexts
from anime_pipeline.story.timings import load_cut_timings
from anime_pipeline_tests.made_production import Size, make_production

EDITS = (
    "UPDATE studio.cut_profiles SET fps = 12 WHERE cut_id % 5 = 0",
    "UPDATE studio.cut_profiles SET spec = spec || '{\"repeats\": 3}' WHERE kind = 'loop'",
    "UPDATE cuts SET duration_frames = NULL WHERE id % 7 = 0",
    "UPDATE studio.cut_profiles SET omitted_at = now() WHERE cut_id % 11 = 0",
    "UPDATE studio.takes SET selected = FALSE WHERE cut_id IN (SELECT id FROM cuts ORDER BY id LIMIT 1)",
    "DELETE FROM studio.take_media WHERE job_id = (SELECT max(job_id) FROM studio.takes WHERE selected)",
    "UPDATE studio.takes SET pixels_sha256 = NULL WHERE cut_id % 3 = 0",
)


@pytest.fixture
def made(session: Session, settings: Settings, tmp_path: Path) -> Session:
    """Scenes of two episodes, each cut with a selected take and another, edited in every way that shows."""
    make_production(settings, tmp_path, Size(cuts=90, episodes=2, takes=2), verdicts=False)
    for edit in EDITS:
        session.execute(text(edit))
    return session


@pytest.mark.parametrize("kind", ["reel", "master"])
def test_contents_are_those_of_the_timelines(made: Session, settings: Settings, kind: str) -> None:
    """With and without slates."""
    scopes = active_scene_keys(made) if kind == "reel" else active_episode_keys(made)
    timelines = {key: load_timeline(made, key) for key in scopes}
    contents = {key: timeline.content_sha256(burn_subtitles=False) for key, timeline in timelines.items()}
    complete = {key: contents[key] for key, timeline in timelines.items() if not timeline.slates}
    assert outdated_films(made, settings, kind, scopes) == contents  # type: ignore[arg-type]
    assert outdated_films(made, settings, kind, scopes, True) == complete  # type: ignore[arg-type]
    assert kind == "master" or 0 < len(complete) < len(contents)


def test_what_is_delivered_is_not_outdated_while_its_file_is_there(made: Session, settings: Settings) -> None:
    """A film of another content, of another kind or without its file is no delivery of this."""
    scopes = active_scene_keys(made)
    contents = outdated_films(made, settings, "reel", scopes, complete_only=True)
    built, old, lost, other = sorted(contents)[:4]
    media = made.execute(text("SELECT sha256, suffix FROM studio.media_files ORDER BY sha256")).all()
    for key, kind, content, file in (
        (built, "reel", contents[built], media[0]), (built, "reel", "0" * 64, media[1]),
        (old, "reel", "0" * 64, media[0]), (other, "master", contents[other], media[0]),
        (lost, "reel", contents[lost], media[2]),
    ):  # fmt: skip
        made.add(Delivery(scope_key=key, kind=kind, sha256=file.sha256, content_sha256=content))
        made.flush()
    MediaStore.of(settings).local_path(media[2].sha256, media[2].suffix).unlink()
    left = outdated_films(made, settings, "reel", scopes, complete_only=True)
    assert left == {key: content for key, content in contents.items() if key != built}


def test_timings_are_those_of_the_contexts(made: Session) -> None:
    """What a film asks of a cut is what the loader reads."""
    keys = active_cut_keys(made)
    contexts, timings = load_cut_contexts(made, keys), load_cut_timings(made, keys)
    for key in keys:
        one, other = contexts[key], timings[key]
        assert (one.cut_id, one.project_id, one.kind, one.fps) == (
            other.cut_id,
            other.project_id,
            other.kind,
            other.fps,
        )
        assert (one.cut_key, one.film_frames) == (other.cut_key, other.film_frames)
