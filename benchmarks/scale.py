"""What the studio's questions cost on a production of ten thousand cuts, and how that grows from a thousand.

    python benchmarks/scale.py [--quick] [--json] [--ui]

A made production of 10,000 cuts in 20 episodes, 3 takes each, with a million rows of quality_scores
(--quick: 1,000 and 100,000) on an embedded server of its own; before it a tenth of it, for the growth. Each
question is asked several times and the best time counts: other work on the machine only ever adds. Growth is
in processor seconds, of this process and the database server together, which other work changes least.
``other`` is the obvious way, where there is one: composing each cut's recipes, a query for each cut, a
deletion for each partition; those that take long are timed on a sample. ``ratio`` is what is compared with
``target``, in the unit that the name ends with; the exit status is 1 where a target isn't met.

--ui also opens the page of the asset ``frames`` in Dagster's UI with headless Chromium, which needs chromium
and chromedriver; where one of them is missing, it says so and leaves that row out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import psutil  # type: ignore[import-untyped]  # comes with the embedded database server
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))  # the made production is not installed
from anime_pipeline.cli.house import House, open_house
from anime_pipeline.database import server
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.delivery.ledger import record_delivery
from anime_pipeline.delivery.readiness import outdated_films
from anime_pipeline.quality.gates import judge_scope
from anime_pipeline.rendering.continuity import load_render_contexts
from anime_pipeline.rendering.planning import picture_suffixes
from anime_pipeline.rendering.recipes import compose_recipe
from anime_pipeline.rendering.staleness import cut_states
from anime_pipeline.rendering.templates import TemplateLibrary
from anime_pipeline.rendering.variants import Variant
from anime_pipeline.settings import get_settings
from anime_pipeline.story.importer import compare
from anime_pipeline.story.listing import active_episode_keys, active_scene_keys
from anime_pipeline.story.reader import read_production
from anime_pipeline_tests.made_production import LARGE, MadeProduction, Size, make_production

Result = dict[str, Any]
Answer = TypeVar("Answer")
TURNS = 5
SAMPLE = 100
PHASE = "phase_3_video"


@dataclass(frozen=True)
class Cost:
    """The least seconds of several turns: by the clock, and of the processors."""

    clock: float
    processors: float


def main() -> int:
    """Ask and print; 1 where a target isn't met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: about a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--ui", action="store_true", help="open the asset page in headless Chromium too")
    asked = parser.parse_args()
    factor = 10 if asked.quick else 1
    large = Size(LARGE.cuts // factor, LARGE.episodes, LARGE.takes, LARGE.scores // factor)
    small = Size(large.cuts // 10, large.episodes // 10, large.takes, large.scores // 10)
    with tempfile.TemporaryDirectory(prefix="anime-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with producing(Path(folder) / "small", small) as (house, made):
            few = questions(house, made)
        with producing(Path(folder) / "large", large) as (house, made):
            many = questions(house, made)
            clock = {name: cost.clock for name, cost in many.items()}
            results = judged(house, made, clock) | growth(few, many)
            if asked.ui:
                from scale_ui import asset_page  # beside this file

                results |= asset_page(house)
    print(json.dumps(results, indent=2)) if asked.json else Console().print(table(results))
    return 0 if all(result["met"] for result in results.values()) else 1


@contextmanager
def producing(home: Path, size: Size) -> Iterator[tuple[House, MadeProduction]]:
    """An installation of its own with a made production, whose server stops in the end."""
    os.environ |= {"ANIME_HOME": str(home), "ANIME_AUTORENDER": "on"}
    get_settings.cache_clear()
    house = open_house()
    os.environ |= house.environment()
    try:
        yield house, make_production(house.settings, home, size)
    finally:
        engine_for(house.settings).dispose()
        server.stop_server(house.settings)


def questions(house: House, made: MadeProduction) -> dict[str, Cost]:
    """What each question costs."""
    settings, least = house.settings, partial(least_of, server_of(house))

    def states() -> None:
        with session_scope(settings) as session:
            assert {state.state for state in cut_states(session, settings)} == {"current"}

    def judge(scope: str) -> Callable[[], None]:
        def ask() -> None:
            with session_scope(settings) as session:
                assert judge_scope(session, scope, PHASE).cuts_unmeasured == 0

        return ask

    def unchanged() -> None:
        with session_scope(settings) as session:
            assert compare(session, read_production(made.file)).is_empty

    costs = {
        "status, composing each cut once": least(states, turns=1),
        "status": least(states),
        "gate of an episode": least(judge(made.episode_keys[0])),
        "gate of the project": least(judge(made.slug)),
        "import of an unchanged file": least(unchanged),
    }
    with dg.DagsterInstance.get() as instance:
        return costs | partitions(house, instance) | ticks(house, instance)


def partitions(house: House, instance: dg.DagsterInstance) -> dict[str, Cost]:
    """Registering all cuts, and again after one came before them all."""
    from anime_pipeline.defs.partitions import sync_story_partitions

    def sync() -> None:
        with session_scope(house.settings) as session:
            sync_story_partitions(instance, session)

    least = partial(least_of, server_of(house))
    costs = {"registering all partitions": least(sync, turns=1)}
    first = "(SELECT min(cut_key) FROM studio.cut_profiles)"
    omit = f"UPDATE studio.cut_profiles SET omitted_at = {{}} WHERE cut_key = {first}"
    execute(house, omit.format("now()"))
    sync()
    execute(house, omit.format("NULL"))
    return costs | {"registering a cut before all others": least(sync, turns=1)}


def ticks(house: House, instance: dg.DagsterInstance) -> dict[str, Cost]:
    """Each sensor that is on, and the backlog's: ticks with nothing new, and with ten changes."""
    from anime_pipeline.definitions import defs
    from anime_pipeline.defs.studio import Studio

    deliver_all(house)
    cursors: dict[str, str | None] = {}

    def tick(sensor: dg.SensorDefinition) -> None:
        context = dg.build_sensor_context(
            instance=instance, cursor=cursors.get(sensor.name), resources={"studio": Studio(house.settings)}
        )
        list(sensor.evaluate_tick(context).run_requests or ())
        cursors[sensor.name] = context.cursor

    sensors = [
        one
        for one in defs.sensors or ()
        if isinstance(one, dg.SensorDefinition)
        and (one.default_status == dg.DefaultSensorStatus.RUNNING or one.name == "render_backlog")
    ]
    least, costs = partial(least_of, server_of(house)), {}
    for sensor in sensors:
        tick(sensor)
        costs[f"tick of {sensor.name}, nothing new"] = least(partial(tick, sensor))
    for turn in range(3):
        change_ten(house, turn)
        for sensor in sensors:
            name, took = f"tick of {sensor.name}, ten changes", least(partial(tick, sensor), turns=1)
            costs[name] = min(took, costs.get(name, took), key=lambda cost: cost.clock)
    return costs


def deliver_all(house: House) -> None:
    """Every reel and master is built as far as the database knows; any film stands for each of them."""
    with session_scope(house.settings) as session:
        film = session.scalar(text("SELECT min(sha256) FROM studio.media_files WHERE kind = 'video'"))
        scopes = {"reel": active_scene_keys(session), "master": active_episode_keys(session)}
        for kind, keys in scopes.items():
            for key, content in outdated_films(session, house.settings, kind, keys).items():  # type: ignore[arg-type]
                record_delivery(session, key, kind, str(film), content)


def change_ten(house: House, turn: int) -> None:
    """Five cuts told otherwise, five takes that are to be measured again, spread over the production."""
    some = """
        SELECT id FROM (
            SELECT {0} AS id, row_number() OVER (ORDER BY {0}) AS n, count(*) OVER () AS whole FROM {1}
        ) numbered
        WHERE (n + :turn) % (whole / 5) = 0 LIMIT 5
    """
    cuts = some.format("cut_id", "studio.cut_profiles")
    jobs = some.format("job_id", "studio.takes WHERE selected")
    execute(house, f"UPDATE cuts SET description = description || '.' WHERE id IN ({cuts})", turn=turn)
    execute(house, f"DELETE FROM studio.measurements WHERE job_id IN ({jobs})", turn=turn)
    execute(house, f"UPDATE studio.takes SET selected = selected WHERE job_id IN ({jobs})", turn=turn)


def judged(house: House, made: MadeProduction, seconds: dict[str, float]) -> dict[str, Result]:
    """The questions with their targets, and what the obvious way takes."""
    cuts = len(made.cut_keys)
    per_cut = seconds_per_cut_by_queries(house, made)
    targets = {
        "status": (2.0, composing_all(house, made)),
        "gate of an episode": (0.2, per_cut * cuts / len(made.episode_keys)),
        "gate of the project": (1.0, per_cut * cuts),
        "import of an unchanged file": (5.0, 0.0),
        "registering all partitions": (5.0, 0.0),
        "registering a cut before all others": (5.0, deleting_one_by_one(cuts)),
    }
    for name in seconds:
        if name.startswith("tick"):
            targets[name] = (0.3 if name.endswith("nothing new") else 1.0, 0.0)
    return {f"{name}, s": within(seconds[name], *target) for name, target in targets.items()}


def growth(few: dict[str, Cost], many: dict[str, Cost]) -> dict[str, Result]:
    """How much more work ten times the cuts are. What takes a moment is mostly the asking itself."""
    used = {
        name: (cost.processors, few[name].processors)
        for name, cost in many.items()
        if not name.startswith("tick") and cost.processors > 0.02
    }
    return {
        f"{name}, times for ten times the cuts": {
            **within(ours / other, 10.0 * 1.1),
            "ours": round(ours, 3),
            "other": round(other, 3),
        }
        for name, (ours, other) in used.items()
    }


def composing_all(house: House, made: MadeProduction) -> float:
    """Seconds to compose what all cuts want, as a status without memory must; by a sample."""
    keys = made.cut_keys[: SAMPLE * 5]

    def compose() -> None:
        with session_scope(house.settings) as session:
            contexts = load_render_contexts(session, house.settings, keys)
            suffixes = picture_suffixes(session, contexts.values())
        library = TemplateLibrary.of(house.settings)
        for context in contexts.values():
            for number in range(1, context.takes_wanted + 1):
                compose_recipe(context, library, suffixes, Variant(number))

    return best(compose, turns=2) * len(made.cut_keys) / len(keys)


def seconds_per_cut_by_queries(house: House, made: MadeProduction) -> float:
    """Seconds to read one cut's take and its measurements by a query each; by a sample."""
    take = text("""
        SELECT t.job_id FROM studio.takes t JOIN studio.cut_profiles p USING (cut_id)
        JOIN jobs j ON j.id = t.job_id WHERE p.cut_key = :key AND j.status = 'completed'
        ORDER BY t.selected DESC, t.take_number DESC LIMIT 1
    """)
    measured = text("SELECT metric_name, state, value FROM studio.measurements WHERE job_id = :job_id")

    def ask() -> None:
        with session_scope(house.settings) as session:
            for key in made.cut_keys[:SAMPLE]:
                job_id = session.scalar(take, {"key": key})
                session.execute(measured, {"job_id": job_id}).all()

    return best(ask) / SAMPLE


def deleting_one_by_one(partitions: int) -> float:
    """Seconds to move so many partitions as Dagster does it; by a sample."""
    names = [f"sample-{number}" for number in range(SAMPLE)]
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("sample", names)
        began = time.perf_counter()
        for name in names:
            instance.delete_dynamic_partition("sample", name)
        return (time.perf_counter() - began) * partitions / SAMPLE


def execute(house: House, statement: str, **values: Any) -> None:
    """A statement in a transaction of its own."""
    with session_scope(house.settings) as session:
        session.execute(text(statement), values)


def best(ask: Callable[[], object], turns: int = TURNS) -> float:
    """The shortest time of several."""
    times = []
    for _ in range(turns):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return min(times)


def least_of(database: psutil.Process, ask: Callable[[], object], turns: int = TURNS) -> Cost:
    """The shortest time and the least work of several turns."""
    work = []

    def watched() -> None:
        began = processor_seconds(database)
        ask()
        work.append(processor_seconds(database) - began)

    return Cost(best(watched, turns), min(work))


def server_of(house: House) -> psutil.Process:
    """The database server's first process, whose children serve the connections."""
    with session_scope(house.settings) as session:
        folder = Path(str(session.scalar(text("SHOW data_directory"))))
    return psutil.Process(int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0]))


def processor_seconds(database: psutil.Process) -> float:
    """Seconds of processors so far: this process, the database server, what it runs and what has ended."""
    served = database.cpu_times()
    running = [served, *(child.cpu_times() for child in database.children())]
    ended = served.children_user + served.children_system
    return float(time.process_time() + ended + sum(one.user + one.system for one in running))


def within(seconds: float, target: float, other: float = 0.0) -> Result:
    """A row where the value itself is compared with its target."""
    return {
        "ours": round(seconds, 3),
        "other": round(other, 3),
        "ratio": round(seconds, 3),
        "target": target,
        "met": seconds <= target,
    }


def table(results: dict[str, Result]) -> Table:
    """The results for people."""
    drawn = Table("question", "ours, s", "other, s", "ratio", "at most", "met")
    for name, result in results.items():
        drawn.add_row(name, *(str(result[key]) for key in ("ours", "other", "ratio", "target", "met")))
    return drawn


if __name__ == "__main__":
    sys.exit(main())
