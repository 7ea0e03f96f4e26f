"""Every command by its name; its module is loaded when it is named, since all of them take a second."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# Markdown joins the wrapped lines of a docstring's paragraph.
MARKUP: typer.core.MarkupMode = "markdown"

# Name → where it is (a function, or the app of several), and what `anime-pipeline --help` says of it.
COMMANDS = {
    "demo": (
        "demo_command.demo",
        "Import the example episode, render, measure, gate and assemble it; run again, only what changed.",
    ),
    "dev": (
        "dev_command.dev",
        "Run the Dagster UI, its daemon and the sensors on 127.0.0.1 until Ctrl-C.",
    ),
    "env": (
        "dev_command.env",
        "Print the environment in which `dagster`, `dagster dev` and `pytest` work on this home.",
    ),
    "api": (
        "api_commands.api",
        "Serve the review room and the REST API, described at /docs and /openapi.json, until Ctrl-C.",
    ),
    "audit": (
        "api_commands.audit",
        "Who changed what through the API, newest last. With --json also how it was before and after.",
    ),
    "import": (
        "story_commands.import_production",
        "Bring the database, and Dagster's partitions, up to a production file or shot list: all or nothing.",
    ),
    "shots": (
        "story_commands.shots",
        "Print the shot list, a row for each cut, as CSV for a spreadsheet; `import` brings it back, edited.",
    ),
    "prompt": (
        "story_commands.prompt",
        "Show a cut's prompt and where each part of it comes from.",
    ),
    "report": (
        "report_command.report",
        "Tell what a day brought: rendered, passed, failed, retakes, gates, decisions, GPU time, queue, "
        "servers.",
    ),
    "status": (
        "status_command.status",
        "Say how each cut stands, and forecast what rendering the rest will cost.",
    ),
    "render": (
        "production_commands.render",
        "Render the cuts that have no current take, then measure and judge them.",
    ),
    "measure": (
        "production_commands.measure",
        "Measure and judge the takes of the cuts; what is measured already isn't measured again.",
    ),
    "backfill": (
        "backfill_command.backfill",
        "Render the cuts that lack a take, in batches of ANIME_BATCH_SIZE.",
    ),
    "reproduce": (
        "reproduce_command.reproduce",
        "Render takes again from their stored recipes and say whether the same pixels come out.",
    ),
    "deliver": (
        "production_commands.deliver",
        "Build reels and masters, with subtitles and contact sheets. A master waits for its gates.",
    ),
    "calibrate": (
        "calibrate_command.calibrate",
        "Calibrate identity and style on the show's own anchors and references; stored, with a plot each.",
    ),
    "characters": (
        "character_commands.app",
        "Show characters and enrol the faces they are recognised by.",
    ),
    "echo": (
        "echo_commands.app",
        "Work for an Echo Brain supervisor.",
    ),
    "echo-supervisor": (
        "echo_commands.echo_supervisor",
        "Run the reference supervisor: a small server of the worker protocol, for trials and tests.",
    ),
    "gates": (
        "gate_commands.app",
        "Show, explain and override the gates of each phase.",
    ),
    "keys": (
        "key_commands.app",
        "Make, list and revoke keys of the API.",
    ),
    "models": (
        "model_commands.app",
        "List, fetch and verify the weights of learned metrics.",
    ),
    "recipe": (
        "recipe_commands.app",
        "Show, export and import recipes.",
    ),
    "workflow": (
        "workflow_commands.app",
        "List, check and add ComfyUI workflows.",
    ),
    "queue": (
        "queue_commands.app",
        "Look at the render queue and change it.",
    ),
    "retake": (
        "retake_commands.app",
        "Have a cut taken again: retake CUT, with changes that hold until they are withdrawn.",
    ),
    "servers": (
        "server_commands.app",
        "The render servers: list them, add them, give them a rest.",
    ),
    "takes": (
        "take_commands.app",
        "List, choose and prune takes: the renderings of a cut, one of which stands for it.",
    ),
    "db": (
        "database_commands.app",
        "Start, stop, look at, back up and migrate the database.",
    ),
}


class CommandsByName(TyperGroup):
    """Lists the commands as :data:`COMMANDS` tells them, and loads the one that is named."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, told) in COMMANDS.items():
            self.add_command(TyperCommand(name, callback=None, help=told, rich_markup_mode=MARKUP))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, and its arguments."""
        if args[0] in COMMANDS:
            self.add_command(load(args[0]))
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """A command of :data:`COMMANDS`, with its options and all that lies below it."""
    place, told = COMMANDS[name]
    module, _, attribute = place.partition(".")
    found = getattr(import_module(f"anime_pipeline.cli.{module}"), attribute)
    only = typer.Typer(callback=lambda: None, rich_markup_mode=MARKUP)
    if isinstance(found, typer.Typer):
        only.add_typer(found, name=name, help=told)
    else:
        only.command(name)(found)
    return typer.main.get_group(only).commands[name]
