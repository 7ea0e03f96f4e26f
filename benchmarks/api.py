"""What 200 clients of the API wait for, against a route of the same server that answers a constant.

    python benchmarks/api.py [--quick] [--json] [--cuts N] [--clients 200] [--workers 1]

A made production of 10,000 cuts with three takes each lies in an embedded database; ``anime-pipeline api``
serves it in a process of its own. Each client has a key and a connection of its own and asks without a pause:
first the constant route (``/api/version``), then reads of every kind in turn (lists, single things, scenes
with their cuts, jobs and their quality), in alternation. ``api p95 (ms)`` compares the 95th percentile of all
reads together with that of the constant; the table has each kind of read. Any error fails it, and so does an
answer whose status isn't 200. The exit status is 1 where the target isn't met.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))  # the made production is not installed
from anime_pipeline.database import migrations, server
from anime_pipeline.database.api_keys import create_key
from anime_pipeline.database.session import engine_for, session_scope
from anime_pipeline.settings import Settings
from anime_pipeline_tests.made_production import Size, make_production

CONSTANT = "/api/version"
TARGET = 5.0
Times = dict[str, list[float]]


def main() -> int:
    """Run the race and print it; 1 where the target isn't met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 cuts, 20 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cuts", type=int, help="default: 10,000, or 1,000 with --quick")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    asked = parser.parse_args()
    cuts = asked.cuts or (1_000 if asked.quick else 10_000)
    with tempfile.TemporaryDirectory(prefix="anime-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        settings = Settings(home=Path(folder) / "home")
        settings.home.mkdir()
        try:
            keys, reads = prepare(settings, Path(folder), cuts, asked.clients)
            with serving(settings, asked.workers) as url:
                constant, times, errors = race(url, keys, reads, 20.0 if asked.quick else 60.0)
        finally:
            engine_for(settings).dispose()
            server.stop_server(settings)
    ours, other = p95([t for kind in times.values() for t in kind]), p95(constant)
    result = {
        "ours": ours * 1000, "other": other * 1000, "ratio": ours / other, "target": TARGET,
        "met": ours <= TARGET * other and not errors, "errors": len(errors),
    }  # fmt: skip
    if asked.json:
        print(json.dumps({"api p95 (ms)": result}))
    else:
        show(result, constant, times, errors)
    return 0 if result["met"] else 1


def prepare(
    settings: Settings, folder: Path, cuts: int, clients: int
) -> tuple[list[str], dict[str, list[str]]]:
    """A production and a key for each client; the paths to read, by their kind."""
    server.ensure_server(settings)
    migrations.upgrade(settings)
    made = make_production(settings, folder, Size(cuts=cuts, episodes=20, takes=3), files=False)
    with session_scope(settings) as session:
        keys = [create_key(session, f"client {number}", "viewer")[1] for number in range(clients)]
        project = session.scalar(
            text("SELECT project_id FROM studio.project_profiles WHERE slug = :s"), {"s": made.slug}
        )

        def ids(table: str) -> list[int]:
            return list(session.scalars(text(f"SELECT id FROM {table} ORDER BY random() LIMIT 200")))

        characters, episodes, scenes = ids("characters"), ids("episodes"), ids("scenes")
        cut_ids, jobs = ids("cuts"), ids("jobs")
    engine_for(settings).dispose()
    api = "/api/anime"
    return keys, {
        "projects": [f"{api}/projects"],
        "project": [f"{api}/projects/{project}"],
        "story bible": [f"{api}/projects/{project}/story-bible"],
        "characters": [f"{api}/characters?project_id={project}&limit=20"],
        "character": [f"{api}/characters/{one}" for one in characters],
        "prompt": [f"{api}/characters/{one}/prompt" for one in characters],
        "scenes of an episode": [f"{api}/episodes/{one}/scenes?limit=2" for one in episodes],
        "scene": [f"{api}/scenes/{one}" for one in scenes],
        "cut": [f"{api}/cuts/{one}" for one in cut_ids],
        "jobs": [f"{api}/jobs?project_id={project}&limit=20&order=-id"],
        "job": [f"{api}/jobs/{one}" for one in jobs],
        "quality": [f"{api}/jobs/{one}/quality" for one in jobs],
    }


@contextmanager
def serving(settings: Settings, workers: int) -> Iterator[str]:
    """The API in a process of its own, as a studio runs it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from anime_pipeline.cli import main; main()", "api"]
    command += ["--port", str(port), "--workers", str(workers)]
    environment = {**os.environ, "ANIME_HOME": str(settings.home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def race(
    url: str, keys: Sequence[str], reads: dict[str, list[str]], seconds: float
) -> tuple[list[float], Times, list[str]]:
    """Constant and reads in turn, twice each; the times in seconds, and what went wrong."""
    constant: Times = defaultdict(list)
    times: Times = defaultdict(list)
    errors: list[str] = []
    asyncio.run(crowd(url, keys, reads, 3.0, defaultdict(list), errors))  # warm
    for _ in range(2):
        asyncio.run(crowd(url, keys, {"constant": [CONSTANT]}, seconds / 4, constant, errors))
        asyncio.run(crowd(url, keys, reads, seconds / 2, times, errors))
    return constant["constant"], times, errors


async def crowd(
    url: str,
    keys: Sequence[str],
    paths: dict[str, list[str]],
    seconds: float,
    times: Times,
    errors: list[str],
) -> None:
    """So many clients at once, each asking one thing after the other."""
    until = time.perf_counter() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        await asyncio.gather(*(client(session, key, paths, until, times, errors) for key in keys))


async def client(
    session: aiohttp.ClientSession,
    key: str,
    paths: dict[str, list[str]],
    until: float,
    times: Times,
    errors: list[str],
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    kinds = random.sample(list(paths), len(paths))
    turn = 0
    while time.perf_counter() < until:
        kind = kinds[turn % len(kinds)]
        turn += 1
        path = random.choice(paths[kind])
        began = time.perf_counter()
        try:
            async with session.get(path, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            errors.append(f"{path}: {error!r}")
            continue
        times[kind].append(time.perf_counter() - began)
        if answer.status != 200:
            errors.append(f"{path}: {answer.status}")


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def show(result: dict[str, Any], constant: list[float], times: Times, errors: list[str]) -> None:
    """The table."""
    table = Table("read", "requests", "median (ms)", "p95 (ms)", "ratio", title="All clients at once")
    for kind, values in [("constant", constant), *times.items()]:
        row = (statistics.median(values) * 1000, p95(values) * 1000, p95(values) / p95(constant))
        table.add_row(kind, str(len(values)), f"{row[0]:.0f}", f"{row[1]:.0f}", f"{row[2]:.2f}")
    console = Console()
    console.print(table)
    console.print(
        f"all reads: p95 {result['ours']:.0f} ms, the constant's {result['other']:.0f} ms, ratio "
        f"{result['ratio']:.2f}, target {TARGET:g}; {len(errors)} errors"
    )
    for error in sorted(set(errors))[:10]:
        console.print(error, markup=False)


if __name__ == "__main__":
    sys.exit(main())
