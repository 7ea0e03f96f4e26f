"""A made production of any size: story, takes with files, measurements and scores, verdicts.

For tests and benchmarks. The story goes in by the product's own import; takes and what hangs on them are
written set by set, with the recipes that the story asks for, so that each cut is current.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.quality.gates import judge_cuts, judge_scope
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys, active_episode_keys
from anime_pipeline_tests.made_production.measurements import write_measurements
from anime_pipeline_tests.made_production.story import PHASE_OF_KIND, import_story
from anime_pipeline_tests.made_production.takes import write_takes


@dataclass(frozen=True)
class Size:
    """How much there is. ``scores`` are rows of quality_scores in all, at least one for each measurement."""

    cuts: int = 60
    episodes: int = 2
    takes: int = 1
    scores: int = 0


LARGE = Size(cuts=10_000, episodes=20, takes=3, scores=1_000_000)
"""What a studio's series has after some seasons."""


@dataclass(frozen=True)
class MadeProduction:
    """What was made. ``file`` is the production file; ``seconds`` tells what each step took."""

    slug: str
    file: Path
    cut_keys: tuple[str, ...]
    episode_keys: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def make_production(
    settings: Settings,
    folder: Path,
    size: Size | None = None,
    slug: str = "made",
    files: bool = True,
    verdicts: bool = True,
) -> MadeProduction:
    """Write a production into the migrated database of ``settings`` and commit it.

    Cuts are spread evenly over episodes, in scenes of 20; a tenth of them go on where the one before ends.
    Each cut has ``takes`` finished takes of its wanted recipes, the first of them selected; about one take in
    25 fails a metric. ``files`` puts a small real picture or film for each take into the media store, which
    has to be a local folder. ``verdicts`` judges each cut, episode and the project in the phases of ComfyUI.
    Several productions fit into one database under different slugs.
    """
    size, seconds = size or Size(), {}
    clock = time.perf_counter
    began = clock()
    path = import_story(settings, folder, slug, size.cuts, size.episodes, size.takes)
    seconds["story"] = clock() - began
    with session_scope(settings) as session:
        keys, episodes = active_cut_keys(session, slug), active_episode_keys(session, slug)
        began = clock()
        write_takes(session, settings, keys, files)
        seconds["takes"] = clock() - began
        began = clock()
        write_measurements(session, slug, size.scores)
        seconds["measurements"] = clock() - began
    began = clock()
    with engine_for(settings).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
    seconds["vacuum"] = clock() - began
    if verdicts:
        began = clock()
        judge_all(settings, slug, episodes)
        seconds["verdicts"] = clock() - began
    return MadeProduction(slug, path, tuple(keys), tuple(episodes), seconds)


def judge_all(settings: Settings, slug: str, episodes: list[str]) -> None:
    """A verdict for each cut in the phase of its kind, and for episodes and project in each of these."""
    with session_scope(settings) as session:
        kinds = session.execute(
            text("SELECT cut_key, kind FROM studio.cut_profiles WHERE cut_key LIKE :mine ORDER BY cut_key"),
            {"mine": f"{slug}.%"},
        ).all()
        for kind, phase in PHASE_OF_KIND.items():
            judge_cuts(session, [row.cut_key for row in kinds if row.kind == kind], phase)
            for scope in (*episodes, slug):
                judge_scope(session, scope, phase)
