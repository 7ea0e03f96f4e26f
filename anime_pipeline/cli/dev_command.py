"""``anime-pipeline dev`` and ``env``: Dagster's own tools on this home."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json
from anime_pipeline.cli.house import REPOSITORY, open_house
from anime_pipeline.database import server


def env(as_json: JsonOption = False) -> None:
    """Print the environment in which `dagster`, `dagster dev` and `pytest` work on this home.

    Use it as: eval "$(anime-pipeline env)". The embedded database then stays up until
    `anime-pipeline db stop`.
    """
    house = open_house()
    server.keep_running(house.settings)
    environment = house.environment()
    if as_json:
        print_json(environment)
        return
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}")


def dev(port: int = typer.Option(None, help="Port of the UI; default: ANIME_UI_PORT or 3000.")) -> None:
    """Run the Dagster UI, its daemon and the sensors on 127.0.0.1 until Ctrl-C."""
    house = open_house()
    chosen = port or house.settings.ui_port
    out.print(f"Dagster UI: [link]http://127.0.0.1:{chosen}[/link]  (Ctrl-C stops everything)")
    command = [
        sys.executable, "-m", "dagster", "dev",
        "-w", str(REPOSITORY / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(chosen),
    ]  # fmt: skip
    with subprocess.Popen(command, env=house.process_environment(), cwd=REPOSITORY) as process:
        _forward_stop_signals(process)
        status = process.wait()
    if status not in (0, -signal.SIGINT, -signal.SIGTERM):
        err.print(f"dagster dev ended with status {status}; its messages are above.")
    raise typer.Exit(0 if status in (0, -signal.SIGINT, -signal.SIGTERM) else 1)


def _forward_stop_signals(process: subprocess.Popen[bytes]) -> None:
    # On Ctrl-C the terminal tells the child as well; this process only has to outlive it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
