"""The made production is one that the product itself takes for rendered, measured and unchanged."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anime_pipeline.media.film import probe
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.gates import latest_verdict
from anime_pipeline.quality.scores import unmeasured_takes
from anime_pipeline.rendering.staleness import cut_states
from anime_pipeline.settings import Settings
from anime_pipeline.story.importer import compare
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.made_production import MadeProduction, Size, make_production

SIZE = Size(cuts=50, episodes=2, takes=2, scores=2_000)


@pytest.fixture
def made(settings: Settings, tmp_path: Path) -> MadeProduction:
    """A small one with everything."""
    return make_production(settings, tmp_path, SIZE)


def test_all_of_it_is_as_the_product_would_have_left_it(
    made: MadeProduction, settings: Settings, session: Session
) -> None:
    """Current to the file and the media store, measured, scored to the row, unchanged when imported again."""
    assert len(made.cut_keys) == SIZE.cuts
    assert len(made.episode_keys) == SIZE.episodes
    assert Counter(state.state for state in cut_states(session, settings)) == {"current": SIZE.cuts}
    assert not unmeasured_takes(session)
    assert session.scalar(text("SELECT count(*) FROM quality_scores")) == SIZE.scores
    assert compare(session, read_production(made.file)).is_empty
    verdict = latest_verdict(session, made.episode_keys[0], "phase_2_loop")
    assert verdict is not None
    assert not verdict.stale
    assert verdict.cuts_total == 5
    assert verdict.cuts_unmeasured == 0


def test_its_films_play(made: MadeProduction, settings: Settings, session: Session) -> None:
    """A file of the store is what its row says."""
    film = session.execute(text("SELECT * FROM studio.media_files WHERE kind = 'video' LIMIT 1")).one()
    store = MediaStore.of(settings)
    store.verify(film.sha256, film.suffix)
    assert probe(store.local_path(film.sha256, film.suffix)).frame_count == film.frame_count


def test_two_of_them_share_a_database(made: MadeProduction, settings: Settings, tmp_path: Path) -> None:
    """Another slug, another production; without files and verdicts it is only rows."""
    other = make_production(settings, tmp_path, Size(), slug="other", files=False, verdicts=False)
    assert not set(other.cut_keys) & set(made.cut_keys)
