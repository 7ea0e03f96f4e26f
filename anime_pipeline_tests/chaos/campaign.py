"""A campaign: many renders while everything that can die dies; then every promise is checked."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from anime_pipeline.database import server as database
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.media.film import frames_sha256, iter_frames
from anime_pipeline.media.store import MediaStore
from anime_pipeline.quality.measuring import measure_takes
from anime_pipeline.quality.scores import finished_takes, judge_takes
from anime_pipeline.rendering.patience import DATABASE_GONE, patiently
from anime_pipeline.rendering.planning import plan_cuts
from anime_pipeline.review.selection import select_best
from anime_pipeline.settings import Settings
from anime_pipeline_tests.chaos.model_free import import_cuts, open_studio, plan_all
from anime_pipeline_tests.chaos.servers import KillableServer
from anime_pipeline_tests.chaos.worker import STOP

DISASTERS = (
    "worker_killed", "server_killed", "database_restarted", "leases_run_out",
    "truncated_file", "answer_garbled", "error_500", "websocket_cut",
)  # fmt: skip
_LOOK_SECONDS = 0.1
_NEARLY_DONE = 5  # fewer than three servers have in flight


@dataclass
class CampaignReport:
    """What a campaign did. ``renders``: pictures that servers saved; at least one a cut is needed."""

    cuts: int
    renders: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    disasters: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def excess(self) -> float:
        """Renders above the minimum, as a part of it."""
        return self.renders / self.cuts - 1.0


def run_campaign(
    folder: Path, cuts: int, disasters: int, seed: int = 1, servers: int = 3, workers: int = 2
) -> CampaignReport:
    """Render so many cuts under so many disasters in a home of its own."""
    report, started = CampaignReport(cuts), time.monotonic()
    with ExitStack() as stack:
        fleet = [KillableServer(folder / f"server-{n}", render_seconds=0.2) for n in range(servers)]
        urls = ",".join(server.url for server in fleet)
        settings = open_studio(folder / "home", comfyui_urls=urls, lease_seconds=6.0, stall_seconds=20.0)
        stack.callback(database.stop_server, settings)
        stack.callback(engine_for(settings).dispose)
        for server in fleet:
            stack.callback(server.kill)
            server.start()
        keys = import_cuts(settings, cuts)
        campaign = _Campaign(settings, fleet, workers, random.Random(seed), folder / "worker.log")
        stack.callback(campaign.end)
        campaign.run(keys, disasters)
        campaign.end()
        report.disasters = dict(campaign.happened)
        report.renders = sum(server.rendered() for server in fleet)
        report.problems = campaign.unfinished + check(settings, keys)
        report.attempts = _attempts(settings)
    report.seconds = time.monotonic() - started
    return report


class _Campaign:
    def __init__(
        self,
        settings: Settings,
        fleet: list[KillableServer],
        workers: int,
        chance: random.Random,
        log: Path,
    ) -> None:
        self._settings, self._fleet, self._chance, self._log = settings, fleet, chance, log
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * workers
        self.happened: Counter[str] = Counter()
        self.unfinished: list[str] = []

    def run(self, keys: list[str], disasters: int) -> None:
        """Let one disaster after another happen, each while takes wait and are rendered.

        The cuts are planned part by part: with every part comes a disaster, when the part before it is nearly
        done.
        """
        kinds = [DISASTERS[n % len(DISASTERS)] for n in range(disasters)]
        self._chance.shuffle(kinds)
        parts = [keys[n :: disasters + 1] for n in range(disasters + 1)]
        plan_all(self._settings, parts.pop())
        deadline = time.monotonic() + 60 + 3 * len(keys)
        while time.monotonic() < deadline:
            self._keep_workers()
            left = self._left()
            if left == 0 and not parts:
                return
            if parts and left <= _NEARLY_DONE:
                part = parts.pop()
                patiently(partial(plan_all, self._settings, part))
                self._happen(kinds.pop())
            time.sleep(_LOOK_SECONDS)
        self.unfinished = [f"{self._left()} takes are unfinished after {60 + 3 * len(keys)} seconds"]

    def end(self) -> None:
        """Let the workers go home, or kill them."""
        (self._settings.home / STOP).touch()
        for worker in self._workers:
            if worker is not None:
                try:
                    worker.wait(20)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()

    def _keep_workers(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker is None or worker.poll() is not None:
                with self._log.open("ab") as log:
                    self._workers[place] = subprocess.Popen(
                        [
                            *(sys.executable, "-m", "anime_pipeline_tests.chaos.worker"),
                            self._settings.model_dump_json(),
                        ],
                        stdout=log,
                        stderr=log,
                    )

    def _left(self) -> int:
        def counted() -> int:
            with session_scope(self._settings) as session:
                query = "SELECT count(*) FROM render_queue WHERE status IN ('queued', 'processing')"
                return int(session.scalar(text(query)) or 0)

        return patiently(counted)

    def _happen(self, kind: str) -> None:
        self.happened[kind] += 1
        own: dict[str, Callable[[], None]] = {
            "worker_killed": self._kill_worker,
            "server_killed": self._kill_server,
            "database_restarted": self._restart_database,
            "leases_run_out": self._run_out,
        }
        if kind in own:
            own[kind]()
        else:
            self._chance.choice(self._fleet).misbehave(kind)

    def _kill_worker(self) -> None:
        worker = self._chance.choice(self._workers)
        if worker is not None:
            worker.kill()
            worker.wait()

    def _kill_server(self) -> None:
        server = self._chance.choice(self._fleet)
        server.kill()
        server.start()

    def _restart_database(self) -> None:
        database.stop_server(self._settings)
        database.ensure_server(self._settings)

    def _run_out(self) -> None:
        """As if every worker had been asleep for longer than its leases."""
        try:
            with session_scope(self._settings) as session:
                session.execute(text("UPDATE studio.render_leases SET expires_at = '-infinity'"))
        except DATABASE_GONE:
            return


def check(settings: Settings, keys: list[str]) -> list[str]:
    """Every promise that is broken, in words."""
    problems = []
    store = MediaStore.of(settings)

    def rows(sql: str) -> list[Any]:
        with session_scope(settings) as session:
            return list(session.execute(text(sql)).all())

    finished = rows("""
        SELECT p.cut_key, t.recipe_hash, count(*) FILTER (WHERE j.status = 'completed') AS finished
        FROM studio.cut_profiles p LEFT JOIN studio.takes t USING (cut_id) LEFT JOIN jobs j ON j.id = t.job_id
        GROUP BY p.cut_key, t.recipe_hash
    """)
    for row in finished:
        if row.finished != 1:
            problems.append(f"{row.cut_key}: {row.finished} finished takes of recipe {row.recipe_hash}")
    for row in rows("SELECT sha256, suffix FROM studio.media_files"):
        try:
            store.verify(row.sha256, row.suffix)
        except Exception as error:
            problems.append(f"{row.sha256}: {error}")
    for row in rows("""
        SELECT t.job_id, t.pixels_sha256, f.sha256, f.suffix FROM studio.takes t
        JOIN studio.take_media m USING (job_id) JOIN studio.media_files f USING (sha256)
        WHERE m.role = 'frame'
    """):
        if frames_sha256(iter_frames(store.local_path(row.sha256, row.suffix))) != row.pixels_sha256:
            problems.append(f"job {row.job_id}: its file does not show the pixels that were recorded")
    for row in rows("SELECT queue_id FROM studio.render_leases"):
        problems.append(f"a lease is left on queue row {row.queue_id}")
    for row in rows("SELECT job_id FROM studio.render_attempts WHERE finished_at IS NULL"):
        problems.append(f"job {row.job_id}: an attempt is still open")
    with session_scope(settings) as session:
        stale = [cut.cut_key for cut in plan_cuts(session, settings, keys) if cut.state != "current"]
    problems += [f"{key} would be rendered again" for key in stale]
    unselected = set(keys) - selected_cuts(settings, keys)
    return problems + [f"{key}: no take of it is selected" for key in sorted(unselected)]


def selected_cuts(settings: Settings, keys: list[str]) -> set[str]:
    """The cuts of which a finished take is selected once all are measured and judged; of none are two."""
    with session_scope(settings) as session:
        takes = [job_id for job_ids in finished_takes(session, keys).values() for job_id in job_ids]
        measure_takes(session, settings, takes)
        judge_takes(session, takes)
        return {key for key, job_id in select_best(session, settings, keys).items() if job_id is not None}


def _attempts(settings: Settings) -> dict[str, int]:
    with session_scope(settings) as session:
        rows = session.execute(
            text("SELECT COALESCE(outcome, 'open'), count(*) FROM studio.render_attempts GROUP BY 1")
        )
        return {str(row[0]): int(row[1]) for row in rows}
