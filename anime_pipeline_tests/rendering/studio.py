"""A small studio for the tests of rendering:
a production, a database, a real preview server, a quick artist.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import text

from anime_pipeline.database.session import session_scope
from anime_pipeline.media.store import MediaStore
from anime_pipeline.rendering.events import DrainReport, RenderEvent
from anime_pipeline.rendering.planning import PlannedCut, plan_cuts
from anime_pipeline.rendering.staleness import CutState, cut_states
from anime_pipeline.rendering.worker import drain
from anime_pipeline.review.directions import RetakeRequest
from anime_pipeline.review.retakes import RetakeInfo, ask_retake
from anime_pipeline.settings import Settings
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline_tests.preview.running import RunningServer
from anime_pipeline_tests.story.files import import_file

_PRODUCTION = """
project: {slug: tiny, name: Tiny, resolution: 64x64, fps: 24}
bible: {art_style: ink, color_palette: {sea: "#102030", lamp: "#ffcc66"}, global_seed: 7}
characters:
  - name: Mika
    attributes:
      - {type: hair_color, value: teal, priority: 5}
      - {type: outfit_color, value: white}
    variations:
      - name: raincoat
        type: outfit
        prompt_modifiers: {append: [shiny], attributes: {outfit_color: yellow}}
      - {name: yukata, type: outfit, prompt_modifiers: {attributes: {outfit_color: indigo}}}
  - name: Toru
    attributes:
      - {type: hair_color, value: white}
episodes:
  - number: 1
    scenes:
      - number: 1
        location: harbour
        time_of_day: dusk
        mood: calm
        cast:
          - {character: Mika, costume_variant: raincoat}
          - {character: Toru}
        cuts:
          - {number: 10, kind: still, cast: [Mika], dialogue: ["Mika: rain again"]}
          - {number: 20, kind: still, cast: [Toru]}
          - {number: 30, kind: loop, duration_frames: 4, cast: [Mika]}
          - number: 40
            kind: video
            duration_frames: 6
            cast: [Mika, Toru]
            dialogue: ["Mika: hello", "Toru: hm"]
"""


def production() -> dict[str, Any]:
    """A small production as plain data: two stills, a loop and a video."""
    data: dict[str, Any] = yaml.safe_load(_PRODUCTION)
    return data


def stills(count: int, **fields: Any) -> dict[str, Any]:
    """A production of so many stills of Toru."""
    data = production()
    cuts = [{"number": 10 * n, "kind": "still", "cast": ["Toru"], **fields} for n in range(1, count + 1)]
    data["episodes"][0]["scenes"][0]["cuts"] = cuts
    return data


class QuickArtist:
    """Draws noise that depends on the whole shot and nothing else, and remembers what it drew."""

    def __init__(self) -> None:
        self.shots: list[Any] = []

    def draw(self, shot: Any) -> Iterator[np.ndarray[Any, Any]]:
        self.shots.append(shot)
        rng = np.random.default_rng(sum(repr(shot).encode()) + shot.seed % 2**32)
        for _ in range(shot.frames):
            yield rng.integers(0, 256, (shot.height, shot.width, 3), dtype=np.uint8)


@dataclass
class Studio:
    """One installation under test."""

    settings: Settings
    server: RunningServer
    artist: QuickArtist
    folder: Path
    events: list[RenderEvent] = field(default_factory=list)

    @property
    def renders(self) -> int:
        """How many shots the server has drawn so far."""
        return len(self.artist.shots)

    def import_(self, data: dict[str, Any]) -> None:
        """Import a production."""
        path = self.folder / "production.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        import_file(self.settings, path)

    def keys(self) -> list[str]:
        """All active cuts."""
        with session_scope(self.settings) as session:
            return active_cut_keys(session)

    def plan(self, keys: list[str] | None = None) -> list[PlannedCut]:
        """Plan cuts (default: all) and commit."""
        with session_scope(self.settings) as session:
            return plan_cuts(session, self.settings, self.keys() if keys is None else keys)

    def retake(self, keys: list[str] | None = None, **asked: Any) -> list[RetakeInfo]:
        """Ask for retakes of cuts (default: all) as a person does, and commit."""
        with session_scope(self.settings) as session:
            return [
                ask_retake(session, self.settings, key, RetakeRequest(**asked))
                for key in (self.keys() if keys is None else keys)
            ]

    def drain(self, **changed: Any) -> DrainReport:
        """Render everything that is queued; ``changed`` settings."""
        return drain(self.settings.model_copy(update=changed), on_event=self.events.append)

    def render(self) -> DrainReport:
        """Plan all cuts and render what is missing."""
        planned = self.plan()
        return drain(
            self.settings, [cut.job_id for cut in planned if cut.job_id is not None], self.events.append
        )

    def states(self) -> dict[str, CutState]:
        """The state of every cut by the number in its key."""
        with session_scope(self.settings) as session:
            return {state.cut_key.rpartition(".")[2]: state for state in cut_states(session, self.settings)}

    def query(self, sql: str, **values: Any) -> list[Any]:
        """Rows of a query."""
        with session_scope(self.settings) as session:
            return list(session.execute(text(sql), values).all())

    def query_none(self, sql: str) -> None:
        """Run statements that give no rows."""
        with session_scope(self.settings) as session:
            session.execute(text(sql))

    def shown(self) -> list[Any]:
        """The films and pictures of all takes, in the order of their jobs; thumbnails are not among them."""
        return self.query("""
            SELECT m.role, f.kind, f.frame_count, f.width, f.location
            FROM studio.take_media m JOIN studio.media_files f USING (sha256)
            WHERE m.role IN ('film', 'frame') ORDER BY m.job_id, m.position
        """)

    def outcomes(self) -> Counter[str | None]:
        """How many attempts ended how; None for open ones."""
        return Counter(row.outcome for row in self.query("SELECT outcome FROM studio.render_attempts"))

    def worker_process(self) -> subprocess.Popen[bytes]:
        """A worker in a process of its own that drains the queue, then ends."""
        code = (
            # A shell starts what it puts into the background deaf to Ctrl-C, and children inherit that.
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from anime_pipeline.settings import Settings; "
            "from anime_pipeline.rendering.worker import drain; "
            "drain(Settings.model_validate_json(sys.argv[1]))"
        )
        return subprocess.Popen([sys.executable, "-c", code, self.settings.model_dump_json()])

    def check_media_is_whole(self) -> None:
        """Each file that the database names is in the store and equals its hash."""
        store = MediaStore.of(self.settings)
        for row in self.query("SELECT sha256, suffix FROM studio.media_files"):
            store.verify(row.sha256, row.suffix)

    def check_nothing_is_broken(self) -> None:
        """Each finished take has its file, whole; no lease is left; no recipe of a cut is finished twice."""
        self.check_media_is_whole()
        assert self.query("SELECT 1 FROM studio.render_leases") == []
        doubled = """
            SELECT t.cut_id FROM studio.takes t JOIN jobs j ON j.id = t.job_id
            WHERE j.status = 'completed' GROUP BY t.cut_id, t.recipe_hash HAVING count(*) > 1
        """
        assert self.query(doubled) == []
        fileless = """
            SELECT j.id FROM jobs j JOIN studio.takes t ON t.job_id = j.id
            WHERE j.status = 'completed'
              AND NOT EXISTS (SELECT FROM studio.take_media m WHERE m.job_id = j.id)
        """
        assert self.query(fileless) == []
