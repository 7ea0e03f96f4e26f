"""The command ``anime-pipeline``."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from anime_pipeline import __version__
from anime_pipeline.cli import (
    adoption_commands,
    api_commands,
    backfill_command,
    calibrate_command,
    character_commands,
    database_commands,
    demo_command,
    dev_command,
    echo_commands,
    gate_commands,
    key_commands,
    model_commands,
    production_commands,
    queue_commands,
    recipe_commands,
    report_command,
    reproduce_command,
    retake_commands,
    server_commands,
    status_command,
    story_commands,
    stray_commands,
    take_commands,
    workflow_commands,
)
from anime_pipeline.cli.console import print_error
from anime_pipeline.errors import UserError
from anime_pipeline.settings import Settings

app = typer.Typer(
    name="anime-pipeline",
    help="A small studio's AI-anime production line: rendered, measured, gated and assembled.",
    no_args_is_help=True,
    # Markdown joins the wrapped lines of a docstring's paragraph.
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("demo")(demo_command.demo)
app.command("dev")(dev_command.dev)
app.command("env")(dev_command.env)
app.command("api")(api_commands.api)
app.command("audit")(api_commands.audit)
app.command("import")(story_commands.import_production)
app.command("prompt")(story_commands.prompt)
app.command("report")(report_command.report)
app.command("status")(status_command.status)
app.command("render")(production_commands.render)
app.command("measure")(production_commands.measure)
app.command("backfill")(backfill_command.backfill)
app.command("reproduce")(reproduce_command.reproduce)
app.command("deliver")(production_commands.deliver)
app.command("calibrate")(calibrate_command.calibrate)
app.add_typer(character_commands.app, name="characters")
app.add_typer(echo_commands.app, name="echo")
app.command("echo-supervisor")(echo_commands.echo_supervisor)
app.add_typer(gate_commands.app, name="gates")
app.add_typer(key_commands.app, name="keys")
app.add_typer(model_commands.app, name="models")
app.add_typer(recipe_commands.app, name="recipe")
app.add_typer(workflow_commands.app, name="workflow")
app.add_typer(queue_commands.app, name="queue")
app.add_typer(retake_commands.app, name="retake")
app.add_typer(server_commands.app, name="servers")
app.add_typer(take_commands.app, name="takes")
adoption_commands.register(database_commands.app)
stray_commands.register(database_commands.app)
app.add_typer(database_commands.app, name="db")


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a mistake of the user's is told in words and ends with status 1."""
    try:
        app()
    except UserError as error:
        print_error(error)
        sys.exit(1)
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        print_error(_wrong_settings(error))
        sys.exit(1)


def _wrong_settings(error: ValidationError) -> UserError:
    said = []
    for one in error.errors():
        name = ".".join(map(str, one["loc"]))
        # A pattern is for machines; what the setting is for has an example of it.
        other_form = one["type"] == "string_pattern_mismatch"
        wrong = "is not written so" if other_form else one["msg"].removeprefix("Value error, ")
        field = Settings.model_fields.get(name)
        meant = f" ({field.description.rstrip('.')})" if field and field.description else ""
        said.append(f"ANIME_{name.upper()}: {wrong}{meant}")
    return UserError("; ".join(said), "set it otherwise, or unset it; docs/OPERATIONS.md lists every setting")
