"""``anime-pipeline dev`` and ``env``: Dagster's own tools on this home."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys

import typer

from anime_pipeline.cli.console import JsonOption, err, out, print_json, print_labelled
from anime_pipeline.cli.dagster_process import run_jobs
from anime_pipeline.cli.house import REPOSITORY, open_house
from anime_pipeline.cli.ports import refuse_taken
from anime_pipeline.database import migrations, server
from anime_pipeline.errors import UserError


def env(as_json: JsonOption = False) -> None:
    """Print the environment in which `dagster`, `dagster dev` and `pytest` work on this home.

    Use it as: eval "$(anime-pipeline env)". The embedded database then stays up until
    `anime-pipeline db stop`.
    """
    house = open_house(unadopted=True)
    server.keep_running(house.settings)
    if not migrations.awaits_adoption(house.settings):
        run_jobs(house, ["sync"])
    environment = house.environment()
    if as_json:
        print_json(environment)
        return
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}")


def dev(port: int = typer.Option(None, help="Port of the UI; default: ANIME_UI_PORT or 3000.")) -> None:
    """Run the Dagster UI, its daemon and the sensors on 127.0.0.1 until Ctrl-C."""
    house = open_house(unadopted=True)
    chosen = port or house.settings.ui_port
    refuse_taken("127.0.0.1", chosen)
    if migrations.awaits_adoption(house.settings):
        print_labelled(
            err,
            "This database holds an earlier system's tables.",
            "Launch the job `migrate_database`, or run `anime-pipeline db migrate`; "
            "nothing else works before.",
            "bold yellow",
        )
    else:
        run_jobs(house, ["sync"])
    out.print(f"Dagster UI: http://127.0.0.1:{chosen}  (Ctrl-C stops everything)")
    command = [
        sys.executable, "-m", "dagster", "dev",
        "-w", str(REPOSITORY / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(chosen),
    ]  # fmt: skip
    asked_to_stop: list[int] = []
    # Before the child is there: shells start background jobs deaf to SIGINT, and children inherit it.
    for heard in (signal.SIGINT, signal.SIGTERM):
        signal.signal(heard, lambda number, _frame: asked_to_stop.append(number))
    with subprocess.Popen(command, env=house.process_environment(), cwd=REPOSITORY) as process:

        def stop(signal_number: int, _frame: object) -> None:
            asked_to_stop.append(signal_number)
            # On Ctrl-C the terminal tells the child as well; this process only has to outlive it.
            if signal_number == signal.SIGTERM:
                process.send_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        if signal.SIGTERM in asked_to_stop:
            process.send_signal(signal.SIGINT)
        status = process.wait()
    if status and not asked_to_stop:
        raise UserError(f"dagster dev ended with status {status}; its messages are above.")
