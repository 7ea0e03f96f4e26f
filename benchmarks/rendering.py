"""What rendering costs above the rendering itself: queue, lease, fetch, store, record, events.

    python benchmarks/rendering.py [--quick] [--json]

Cuts without a model (EmptyImage, ImageAddNoise, SaveImage at 64×64) go through the job ``render_cuts`` in
runs of a batch, as ``anime-pipeline render`` runs them, on a preview server in a process of its own and an
embedded database; then ``measure_cuts`` measures, judges and checks them. Against that: a bare loop of
requests on the same server; and stock Dagster with one run per cut, of which a small sample is timed and
taken per cut (it costs seconds each). Runs that Dagster's UI launches cost a process each on top, which is
left out here. ``ratio`` is what is compared with ``target``, in the unit that the name ends with; the exit
status is 1 where a target isn't met.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import requests
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # what the campaign and this share is not installed
from anime_pipeline.cli.house import open_house
from anime_pipeline.database import server as database
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.rendering.worker import drain
from anime_pipeline.settings import Settings, get_settings
from anime_pipeline.story.listing import active_cut_keys
from anime_pipeline_tests.chaos.model_free import import_cuts, lay_workflow, noise_graph, plan_all
from anime_pipeline_tests.chaos.servers import KillableServer

Result = dict[str, Any]
STOCK = """
import time, uuid
from pathlib import Path
import dagster as dg
import requests

URL, GRAPH = {url!r}, {graph!r}

@dg.asset(partitions_def=dg.StaticPartitionsDefinition([str(n) for n in range(1000)]))
def stock(context):
    GRAPH["2"]["inputs"]["seed"] = int(context.partition_key)
    GRAPH["3"]["inputs"]["filename_prefix"] = "stock-" + uuid.uuid4().hex
    prompt_id = requests.post(URL + "/prompt", json={{"prompt": GRAPH, "client_id": "s"}}).json()["prompt_id"]
    while not (entry := requests.get(URL + "/history/" + prompt_id).json()):
        time.sleep(0.01)
    file = entry[prompt_id]["outputs"]["3"]["images"][0]
    Path({folder!r}, prompt_id + ".png").write_bytes(requests.get(URL + "/view", params=file).content)

defs = dg.Definitions(assets=[stock])
"""


def main() -> int:
    """Run the races and print them; 1 where a target isn't met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two minutes: 75 cuts, two stock runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anime-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder) / "line") as (servers, settings):
            render_all(settings, 25, "warm")
            results = overhead(servers[0].url, settings, Path(folder), asked.quick)
            if not asked.quick:
                results |= growth(settings)
        results |= two_servers(Path(folder), 20 if asked.quick else 60)
    print(json.dumps(results, indent=2)) if asked.json else Console().print(table(results))
    return 0 if all(result["met"] for result in results.values()) else 1


def overhead(url: str, settings: Settings, folder: Path, quick: bool) -> dict[str, Result]:
    """A cut through the whole line, above the bare loop and against stock Dagster."""
    count = 75 if quick else 1000
    bare_loop(url, 5, folder)  # warm, as the line is
    ours = render_all(settings, count, "ours") / count
    judged = run_cuts(settings, "measure_cuts", active_keys(settings, "ours")) / count
    bare = bare_loop(url, count, folder) / count
    stock = stock_runs(url, folder, 2 if quick else 5)
    above = 1000 * (ours - bare)
    whole = 1000 * (ours + judged - bare)
    return {
        f"a cut of {count} above a bare loop, ms": result(1000 * ours, 1000 * bare, above, 150, above <= 150),
        f"a cut of {count}, measured and judged, above a bare loop, ms": result(
            1000 * (ours + judged), 1000 * bare, whole, 400, whole <= 400
        ),
        "stock Dagster, a run per cut, times slower": result(
            ours, stock, stock / ours, 20, stock >= 20 * ours
        ),
    }


def two_servers(folder: Path, cuts: int) -> dict[str, Result]:
    """Two servers of one second a render against one of them."""
    with serving(folder / "one", 1, 1.0) as (servers, settings):
        one = drained(settings, cuts)
    with serving(folder / "two", 2, 1.0) as (servers, settings):
        two = drained(settings, cuts)
        idle = max(idle_part(server.url) for server in servers)
    return {
        "two servers against one, times the throughput": result(two, one, one / two, 1.9, one >= 1.9 * two),
        "idle time of the lazier of two servers, part": result(idle, 0.0, idle, 0.05, idle < 0.05),
    }


def growth(settings: Settings) -> dict[str, Result]:
    """The cost per cut of 5,000 against that of 500, and the worker's memory meanwhile."""
    few = render_all(settings, 500, "few") / 500
    before = resident_bytes()
    many = render_all(settings, 5000, "many") / 5000
    grown = resident_bytes() / before
    return {
        "a cut of 5,000 against one of 500, times": result(many, few, many / few, 1.2, many <= 1.2 * few),
        "memory after 5,000 cuts against 500, times": result(grown, 1.0, grown, 1.2, grown <= 1.2),
    }


@contextmanager
def serving(
    folder: Path, servers: int = 1, seconds: float = 0.0
) -> Iterator[tuple[list[KillableServer], Settings]]:
    """Preview servers, and an installation of its own that renders on them."""
    with ExitStack() as stack:
        fleet = [KillableServer(folder / f"server-{n}", seconds) for n in range(servers)]
        for one in fleet:
            stack.callback(one.kill)
            one.start()
        os.environ["ANIME_HOME"] = str(folder / "home")
        os.environ["ANIME_COMFYUI_URLS"] = ",".join(one.url for one in fleet)
        os.environ["ANIME_WORKFLOWS"] = str(lay_workflow(folder / "workflows"))
        get_settings.cache_clear()
        house = open_house()
        os.environ.update(house.environment())
        stack.callback(database.stop_server, house.settings)
        stack.callback(engine_for(house.settings).dispose)
        yield fleet, house.settings


def render_all(settings: Settings, count: int, slug: str) -> float:
    """Render so many new cuts through the job; the seconds of that, import and registration left out."""
    return run_cuts(settings, "render_cuts", import_cuts(settings, count, slug))


def run_cuts(settings: Settings, job: str, keys: Sequence[str]) -> float:
    """Seconds of a job over cuts; what is new of them is made known to Dagster before."""
    # Imported late: the definitions take their settings from the environment as they are imported.
    from anime_pipeline.defs.runner import Step, know_pools, run_steps
    from anime_pipeline.defs.studio import Studio

    with dg.DagsterInstance.get() as instance:
        know_pools(instance)
        studio = Studio(settings)
        run_steps(instance, studio, [Step("sync")])
        started = time.perf_counter()
        outcomes = run_steps(instance, studio, [Step(job, keys)])
        seconds = time.perf_counter() - started
    assert not any(outcome.error for outcome in outcomes), outcomes
    return seconds


def active_keys(settings: Settings, slug: str) -> list[str]:
    """The cuts of a production."""
    with session_scope(settings) as session:
        return active_cut_keys(session, slug)


def bare_loop(url: str, count: int, folder: Path) -> float:
    """What is left of a client: post, poll, fetch, write; one after the other. Seconds."""
    started = time.perf_counter()
    for seed in range(count):
        prompt_id = str(uuid.uuid4())
        body = {"prompt": noise_graph(seed, prompt_id), "client_id": "bare", "prompt_id": prompt_id}
        requests.post(f"{url}/prompt", json=body, timeout=20).raise_for_status()
        while not (entry := requests.get(f"{url}/history/{prompt_id}", timeout=20).json()):
            time.sleep(0.005)
        (file,) = entry[prompt_id]["outputs"]["3"]["images"]
        (folder / "bare.png").write_bytes(requests.get(f"{url}/view", params=file, timeout=20).content)
    return time.perf_counter() - started


def stock_runs(url: str, folder: Path, runs: int) -> float:
    """Seconds per cut of stock Dagster with one run per cut."""
    home = folder / "stock"
    home.mkdir()
    (home / "stock.py").write_text(STOCK.format(url=url, graph=noise_graph(), folder=str(home)))
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    started = time.perf_counter()
    for run in range(runs):
        subprocess.run(
            [
                *(sys.executable, "-m", "dagster", "asset", "materialize", "-f", str(home / "stock.py")),
                *("--select", "stock", "--partition", str(run)),
            ],
            env=environment, check=True, capture_output=True, cwd=home,
        )  # fmt: skip
    return (time.perf_counter() - started) / runs


def drained(settings: Settings, cuts: int) -> float:
    """Seconds from the first to the last of so many renders, queue to record."""
    plan_all(settings, import_cuts(settings, cuts))
    started = time.perf_counter()
    report = drain(settings)
    assert len(report.finished) == cuts, report
    return time.perf_counter() - started


def idle_part(url: str) -> float:
    """How much of the time between its first start and last end a server did nothing; by its own clock."""
    spans: list[tuple[float, float]] = []
    for entry in requests.get(f"{url}/history", timeout=20).json().values():
        times = {kind: data["timestamp"] for kind, data in entry["status"]["messages"]}
        spans.append((times["execution_start"], times["execution_success"]))
    whole = max(end for _, end in spans) - min(start for start, _ in spans)
    return 1.0 - sum(end - start for start, end in spans) / whole


def resident_bytes() -> int:
    """This process's memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def result(ours: float, other: float, ratio: float, target: float, met: bool) -> Result:
    """One line of the outcome."""
    rounded = (round(value, 4) for value in (ours, other, ratio))
    return {**dict(zip(("ours", "other", "ratio"), rounded, strict=True)), "target": target, "met": met}


def table(results: dict[str, Result]) -> Table:
    """The results for people."""
    drawn = Table("race", "ours", "other", "ratio", "target", "met")
    for name, one in results.items():
        values = (str(one[key]) for key in ("ours", "other", "ratio", "target"))
        drawn.add_row(name, *values, "yes" if one["met"] else "no")
    return drawn


if __name__ == "__main__":
    sys.exit(main())
