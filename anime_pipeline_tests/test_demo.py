"""Defends the whole line as a user runs it: the demo, killed in the middle, run again, run once more, edited.

One home is carried through the module; each test looks at it from another side.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from anime_pipeline.database import server
from anime_pipeline.database.session import session_scope
from anime_pipeline.media.film import iter_frames, probe
from anime_pipeline.media.store import MediaStore
from anime_pipeline.settings import Settings
from anime_pipeline_tests.conftest import folder_for_a_server

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples" / "lantern-post" / "production.yaml"
COMMAND = Path(sys.executable).with_name("anime-pipeline")
CUTS = 16


@dataclass(frozen=True)
class Home:
    """An installation that is used only through the command."""

    settings: Settings

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ANIME_HOME": str(self.settings.home)}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )

    def json(self, *arguments: str) -> Any:
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def query(self, sql: str) -> list[Any]:
        server.ensure_server(self.settings)
        with session_scope(self.settings) as session:
            return list(session.execute(text(sql)).all())


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with folder_for_a_server() as folder:
        one = Home(Settings(home=folder / "var"))
        server.ensure_server(one.settings)
        yield one
        server.stop_server(one.settings)


@pytest.fixture(scope="module")
def killed(home: Home) -> int:
    """The demo, its process group killed at a random moment; how many takes were finished by then."""
    wanted = random.randint(1, CUTS - 2)
    demo = subprocess.Popen(
        [COMMAND, "demo"], env=home.environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    finished = 0
    while finished < wanted and demo.poll() is None:
        time.sleep(0.1)
        finished = _finished_takes(home)
    os.killpg(demo.pid, signal.SIGKILL)
    demo.wait()
    return finished


@pytest.fixture(scope="module")
def demo(home: Home, killed: int) -> Any:
    """The result of the demo that was run again after it had been killed."""
    return home.json("demo")


def _finished_takes(home: Home) -> int:
    exists = home.query("SELECT to_regclass('studio.takes') IS NOT NULL AS there")[0].there
    query = "SELECT count(*) AS n FROM studio.takes JOIN jobs ON jobs.id = job_id WHERE status = 'completed'"
    return int(home.query(query)[0].n) if exists else 0


def test_a_killed_demo_is_finished_by_the_next_without_loss_or_double(
    home: Home, killed: int, demo: Any
) -> None:
    assert 0 < killed < CUTS
    assert demo["failures"] == []
    assert len(demo["cuts"]) == CUTS
    doubled = home.query("SELECT cut_id FROM studio.takes GROUP BY cut_id HAVING count(*) <> 1")
    assert doubled == []
    assert home.query("SELECT 1 FROM studio.render_leases") == []
    store = MediaStore.of(home.settings)
    files = home.query("SELECT sha256, suffix FROM studio.media_files")
    assert len(files) > CUTS
    for file in files:
        store.verify(file.sha256, file.suffix)
    rowless = {path.stem for path in (home.settings.home / "media").glob("??/*")} - {f.sha256 for f in files}
    assert len(rowless) <= 2, "a file may be stored just before its row; never a row before its file"


def test_the_run_that_was_killed_is_not_shown_as_running(home: Home, killed: int, demo: Any) -> None:
    engine = create_engine(server.dagster_database_url(home.settings))
    with engine.connect() as connection:
        statuses = connection.execute(text("SELECT status, count(*) FROM runs GROUP BY status")).all()
        slots = connection.execute(text("SELECT count(*) FROM concurrency_slots WHERE run_id IS NOT NULL"))
        assert slots.scalar() == 0
    engine.dispose()
    assert {status for status, _ in statuses} == {"SUCCESS", "FAILURE"}


def test_the_demo_gates_on_merit_and_says_what_was_not_measured(demo: Any) -> None:
    assert demo["gates"]["phase_0_animatic"]["verdict"] == "passed"
    for phase in ("phase_1_still", "phase_2_loop", "phase_3_video"):
        assert demo["gates"][phase]["verdict"] == "incomplete"
        assert "only an animatic" in demo["gates"][phase]["why"]
    for cut in demo["cuts"]:
        contract = cut["metrics"]["media_contract"]
        assert (contract["state"], contract["value"]) == ("measured", 1.0)
        for metric in cut["metrics"].values():
            assert (metric["value"] is None) == (metric["state"] != "measured")
            assert metric["state"] == "measured" or metric["reason"]


def test_the_film_is_whole(home: Home, demo: Any) -> None:
    info = probe(Path(demo["film"]))
    assert (info.codec, info.fps) == ("h264", 24.0)
    assert info.frame_count == sum(1 for _ in iter_frames(Path(demo["film"])))
    assert Path(demo["film"]).with_suffix(".srt").read_text().startswith("1\n")
    assert probe(Path(demo["contact_sheet"])).kind == "image"


def test_a_second_demo_renders_nothing(home: Home, demo: Any) -> None:
    query = "SELECT count(*) AS attempts, max(finished_at) AS newest FROM studio.render_attempts"
    before = home.query(query)
    again = home.json("demo")
    assert home.query(query) == before
    assert again["film"] == demo["film"]
    assert {state["state"] for state in home.json("status")["cuts"]} == {"current"}


def test_two_homes_render_the_same_pixels(home: Home, demo: Any) -> None:
    scene = "lantern-post.e01.s001"
    pixels = """
        SELECT p.cut_key, t.pixels_sha256 FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id)
        WHERE p.cut_key LIKE 'lantern-post.e01.s001%' ORDER BY 1
    """
    with folder_for_a_server() as folder:
        other = Home(Settings(home=folder / "var"))
        other.json("import", str(EXAMPLE))
        other.json("render", scene)
        found = other.query(pixels)
        server.stop_server(other.settings)
    assert len(found) == 4
    assert found == home.query(pixels)


def test_an_edited_outfit_makes_exactly_its_cuts_stale(home: Home, demo: Any, tmp_path: Path) -> None:
    worn = 'outfit: raincoat, outfit_color: "#ffc857"'
    assert worn in EXAMPLE.read_text()
    edited = EXAMPLE.read_text().replace(worn, worn.replace("#ffc857", "#b5342a"))
    production = tmp_path / "production.yaml"
    production.write_text(edited)
    home.json("import", str(production), "--dry-run")
    stands = {state["state"] for state in home.json("status")["cuts"]}
    assert stands == {"current"}, "a dry run writes nothing"
    home.json("import", str(production))
    states = {state["cut_key"]: state for state in home.json("status")["cuts"]}
    stale = {key for key, state in states.items() if state["state"] == "stale"}
    shown = home.query("""
        SELECT p.cut_key FROM studio.cut_profiles p JOIN cuts c ON c.id = p.cut_id
        JOIN characters m ON m.id = ANY (c.character_ids) AND m.name = 'Mika'
        WHERE p.cut_key NOT LIKE '%.s004.%'
    """)
    assert stale == {row.cut_key for row in shown}
    for key in stale:
        (change,) = states[key]["changes"]
        assert "raincoat" in change["field"]
        assert (change["old"], change["new"]) == ("#ffc857", "#b5342a")
    home.json("import", str(EXAMPLE))
    assert {state["state"] for state in home.json("status")["cuts"]} == {"current"}
