"""The page of the asset ``frames`` in Dagster's UI, opened by headless Chromium: ``--ui`` of scale.py.

Chromium is told what to do over WebDriver, the protocol of chromedriver: a few JSON calls.
"""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import requests
from dagster._core.events import StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from anime_pipeline.cli.house import REPOSITORY, House

TARGET = 5.0
TURNS = 3
EVENTS_AT_ONCE = 1000
SHOWN = """
    const text = document.body ? document.body.innerText : "";
    return text.includes("frames") && text.includes(arguments[0]) && !document.querySelector(".bp5-spinner");
"""


def asset_page(house: House) -> dict[str, dict[str, Any]]:
    """Seconds from the address to a page that shows all partitions, the best of some; {} without Chromium."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        print(
            f"--ui is left out: {' and '.join(missing)} not found (Debian: chromium, chromium-driver)",
            file=sys.stderr,
        )
        return {}
    materialized = materialize(house)
    with webserver(house) as url, browser() as session:
        seconds = min(
            opened(session, f"{url}/assets/frames?view=partitions", f"{materialized:,}") for _ in range(TURNS)
        )
    row = {"ours": round(seconds, 3), "other": 0.0, "ratio": round(seconds, 3), "target": TARGET}
    return {"asset page of frames in the UI, s": {**row, "met": seconds <= TARGET}}


def materialize(house: House) -> int:
    """Record every cut's frames as finished, so that the page has the most to show; how many there are.

    Dagster has no public way to record many events at once, and one at a time takes minutes.
    """
    with dg.DagsterInstance.get() as instance:
        keys = list(instance.get_dynamic_partitions("cuts"))
        for start in range(0, len(keys), EVENTS_AT_ONCE):
            events = [_materialized(key) for key in keys[start : start + EVENTS_AT_ONCE]]
            instance.event_log_storage.store_event_batch(events)
    return len(keys)


def _materialized(key: str) -> dg.EventLogEntry:
    make_entry: Any = dg.EventLogEntry  # Dagster gives its constructor no types
    data = StepMaterializationData(dg.AssetMaterialization("frames", partition=key))
    event = dg.DagsterEvent("ASSET_MATERIALIZATION", RUNLESS_JOB_NAME, event_specific_data=data)
    entry: dg.EventLogEntry = make_entry(
        None, logging.INFO, "", RUNLESS_RUN_ID, time.time(), job_name=RUNLESS_JOB_NAME, dagster_event=event
    )
    return entry


@contextmanager
def webserver(house: House) -> Iterator[str]:
    """Dagster's webserver on a free port, with the code location loaded."""
    port = free_port()
    command = [
        sys.executable, "-m", "dagster_webserver", "-w", str(REPOSITORY / "workspace.yaml"),
        "-h", "127.0.0.1", "-p", str(port),
    ]  # fmt: skip
    log = Path(house.settings.home) / "webserver.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env=house.process_environment(), cwd=REPOSITORY, stdout=out, stderr=out
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            query = {"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"}
            wait(
                lambda: requests.post(f"{url}/graphql", json=query, timeout=60).json()["data"][
                    "repositoriesOrError"
                ]["nodes"]
            )
            yield url
        finally:
            end(process)


@contextmanager
def browser() -> Iterator[str]:
    """A WebDriver session: its address."""
    port = free_port()
    with subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as driver:
        try:
            root = f"http://127.0.0.1:{port}"
            wait(lambda: requests.get(f"{root}/status", timeout=10).json()["value"]["ready"])
            arguments = [
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--window-size=1600,1200",
            ]
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}}
            opened_session = requests.post(f"{root}/session", json=wanted, timeout=120).json()["value"]
            session = f"{root}/session/{opened_session['sessionId']}"
            yield session
            requests.delete(session, timeout=30)
        finally:
            end(driver)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not listen."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def opened(session: str, url: str, shown: str) -> float:
    """Seconds until the page at ``url`` shows a text, and nothing on it spins any more."""
    requests.post(f"{session}/url", json={"url": "about:blank"}, timeout=60).raise_for_status()
    began = time.perf_counter()
    requests.post(f"{session}/url", json={"url": url}, timeout=120).raise_for_status()
    script = {"script": SHOWN, "args": [shown]}
    wait(lambda: requests.post(f"{session}/execute/sync", json=script, timeout=60).json()["value"] is True)
    return time.perf_counter() - began


def wait(ready: Any, seconds: float = 180.0) -> None:
    """Ask until it is so; a server that isn't up yet refuses. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(requests.ConnectionError, requests.JSONDecodeError, KeyError, TypeError):
            if ready():
                return
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds:.0f} s")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
